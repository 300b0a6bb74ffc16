#!/usr/bin/env bash
# build.sh - makes the product as it is shipped and prints the folder that it lies in (the last line of its output):
#   skypanel  hash.txt  site/
# The folder is named by the content of all that goes in. If it is there, the build is done; two checkouts, or a panel that runs
# while the next one is built, never stand on each other's feet.
# SKY_PROFILE=debug builds without optimising (quicker to build, slower to run). SKY_PROFILE=test builds what the browser gets as it
# is shipped (only such wasm has been through wasm-opt) and takes the program as the other tests have it already.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

profile=${SKY_PROFILE:-release}
case $profile in
  release) flags=(--release) program=release site=release ;;
  debug) flags=() program=debug site=debug ;;
  test) flags=(--release --frontend-only) program=debug site=release ;;
  *) die "SKY_PROFILE is release, debug or test, not '$profile'" ;;
esac

sources=()
for path in Cargo.toml Cargo.lock Leptos.toml rust-toolchain.toml package-lock.json .cargo src crates migration style public; do
  [ ! -e "$path" ] || sources+=("$path")
done
fingerprint() {
  {
    echo "$profile ${CARGO_PROFILE_RELEASE_LTO:-} $CARGO_LEPTOS $(rustc --version)"
    find "${sources[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c 1-16
}
builds=$ROOT/.cache/builds
before=$(fingerprint)
out=$builds/$profile-$before

build() {
  heading "Building SkyPanel ($profile; the first build on two cores takes about ten minutes, later ones about one)"
  rm -rf target/site "$out.part"
  cargo leptos build ${flags[@]+"${flags[@]}"} 9>&-
  [ "$profile" != test ] || cargo build --package skypanel --bin skypanel --features ssr 9>&-
  if [ "$(fingerprint)" != "$before" ]; then
    say "the sources were changed meanwhile: once more"
    exec "$ROOT/scripts/build.sh" >&3
  fi
  mkdir "$out.part"
  cp "$CARGO_TARGET_DIR/$program/skypanel" "$CARGO_TARGET_DIR/$site/hash.txt" "$out.part/"
  cp -R target/site "$out.part/site"
  rm -f "$out.part"/site/pkg/*.ts
  # Compressed once and as well as it goes; the panel sends these to whoever takes brotli.
  node "$ROOT/scripts/compress.mjs" "$out.part/site"
  mv "$out.part" "$out"
}

# In one piece, so that all of it has been read before the long wait: the script may change meanwhile.
{
  if [ ! -d "$out" ]; then
    # One build at a time, of all checkouts: they share the target folder, and the program must match its site.
    mkdir -p "$builds" "$CARGO_TARGET_DIR"
    exec 9>"$CARGO_TARGET_DIR/.site.lock"
    flock 9
    [ -d "$out" ] || build 3>&1 >&2
  fi

  # The three that were used last are kept.
  touch "$out"
  # shellcheck disable=SC2012  # our own names, sorted by time
  ls -dt "$builds"/*/ | tail -n +4 | xargs -r rm -rf --
  echo "$out"
  exit
}
