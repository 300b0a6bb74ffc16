#!/usr/bin/env bash
# The archive of `make release`, unpacked elsewhere, on a machine that has no compiler, no Node.js and no checkout: they are hidden from it.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

if [ "${1:-}" = elsewhere ]; then
  # In a mount namespace of its own: what follows hides things from this script alone.
  folder=$2 port=$3
  for hidden in "$ROOT" "$HOME"; do case $folder/ in "$hidden"/*) ;; *) mount -t tmpfs none "$hidden" ;; esac; done
  for tool in cc gcc c++ clang ld make cmake cargo rustc rustup node npm wasm-opt python3; do
    for path in /usr/local/bin/$tool /usr/bin/$tool; do [ ! -e "$path" ] || mount --bind /dev/null "$(readlink -f "$path")"; done
  done
  ! PATH=/usr/local/bin:/usr/bin:/bin cc --version >/dev/null 2>&1 || { echo "the compiler is still there"; exit 1; }
  cd "$folder"
  exec env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/nonexistent SKYPANEL_DATA_DIR="$folder/data" SKYPANEL_PANEL__LISTEN="127.0.0.1:$port" \
    SKYPANEL_EDGE__LISTEN='["127.0.0.1:0"]' SKYPANEL_SWARM__ENDPOINT=fake: ./skypanel serve
fi

scratch=$SKYPANEL_TEST_DIR
SKY_PROFILE=${SKY_PROFILE:-test} SKY_DIST=$scratch "$ROOT/scripts/release.sh"
tar -xzf "$scratch"/skypanel-*.tar.gz -C "$scratch"
folder=$(find "$scratch" -mindepth 1 -maxdepth 1 -type d -name 'skypanel-*')

# The libraries that any Debian or Ubuntu has, and no others.
if ldd "$folder/skypanel" | grep -vE 'linux-vdso|libc\.so|libm\.so|libgcc_s\.so|libdl\.so|libpthread\.so|librt\.so|ld-linux'; then
  die "the program needs libraries that a bare machine may lack"
fi

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
as_root env HOME="$HOME" unshare --mount --propagation private "$ROOT/scripts/test/release.sh" elsewhere "$folder" "$port" >"$scratch/out" 2>&1 &
panel=$!
trap 'kill $panel 2>/dev/null || true; wait $panel 2>/dev/null || true' EXIT
trap 'exit 143' TERM
fetch() { curl --silent --show-error --fail --retry 60 --retry-delay 1 --retry-connrefused "http://127.0.0.1:$port$1"; }

fetch /healthz >/dev/null || { tail -n 20 "$scratch/out"; exit 1; }
fetch /sign-in >"$scratch/page"
passed=0
for kind in css js wasm; do
  hash=$(sed -n "s/^$kind: //p" "$folder/hash.txt")
  fetch "/pkg/skypanel.$hash.$kind" | cmp - "$folder/site/pkg/skypanel.$hash.$kind"
  passed=$((passed + 1))
done
grep -q "/pkg/skypanel.$(sed -n 's/^css: //p' "$folder/hash.txt").css" "$scratch/page" || die "the page does not name its styles"
say "it runs without a compiler, and serves its pages, styles and islands"
echo "# pass $((passed + 1))"
