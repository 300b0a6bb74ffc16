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
  release) server=release browser=wasm-release ;;
  debug) server=dev browser=dev ;;
  test) server='' browser=wasm-release ;;
  *) die "SKY_PROFILE is release, debug or test, not '$profile'" ;;
esac
folder_of() { if [ "$1" = dev ]; then echo debug; else echo "$1"; fi; }

sources=()
for path in Cargo.toml Cargo.lock Leptos.toml rust-toolchain.toml package-lock.json .cargo src crates migration style public; do
  [ ! -e "$path" ] || sources+=("$path")
done
fingerprint() {
  {
    echo "$profile ${CARGO_PROFILE_RELEASE_LTO:-} $(rustc --version)"
    find "${sources[@]}" scripts/build.sh scripts/bindgen scripts/*.mjs -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c 1-16
}
builds=$ROOT/.cache/builds
before=$(fingerprint)
out=$builds/$profile-$before

# What a browser gets: the islands as WebAssembly, the styles, and what lies in public/.
pages() { # FOLDER
  local site=$1/site
  mkdir -p "$site/pkg"
  cp -R public/. "$site/"
  # It reads the sources alone, and so it need not wait for the compiler.
  local minify=()
  [ $browser = dev ] || minify=(--minify)
  tailwindcss --input style/main.css --output "$site/pkg/skypanel.css" "${minify[@]}" >"$1/styles.log" 2>&1 || { cat "$1/styles.log" >&2; return 1; }
  # The release's settings are not for the islands, which have a profile of their own.
  env -u CARGO_PROFILE_RELEASE_LTO -u CARGO_PROFILE_RELEASE_CODEGEN_UNITS \
    cargo build --package skypanel --lib --features hydrate --target wasm32-unknown-unknown --profile $browser
  "$BINDGEN" "$CARGO_TARGET_DIR/wasm32-unknown-unknown/$(folder_of $browser)/skypanel.wasm" "$site/pkg"
  # The name under which a page asks for it.
  mv "$site/pkg/skypanel_bg.wasm" "$site/pkg/skypanel.wasm"
  [ $browser = dev ] ||
    wasm-opt -Oz --enable-bulk-memory --enable-nontrapping-float-to-int "$site/pkg/skypanel.wasm" -o "$site/pkg/skypanel.wasm"
  node "$ROOT/scripts/name-by-content.mjs" "$site" "$1/hash.txt"
  # Compressed once and as well as it goes; the panel sends these to whoever takes brotli.
  node "$ROOT/scripts/compress.mjs" "$site"
  rm -f "$1/styles.log"
}

server() {
  if [ -n "$server" ]; then
    cargo build --package skypanel --bin skypanel --features ssr --profile $server
    cp "$CARGO_TARGET_DIR/$(folder_of $server)/skypanel" "$1/"
  else
    local program
    program=$("$ROOT/scripts/compile.sh" browser | awk '$1 == "bin" && $2 == "skypanel" { print $4 }')
    cp "$program" "$1/"
  fi
}

# How many packages a half has, and how many of them its log says were compiled.
packages() { cargo tree --package skypanel --edges normal,build --prefix none --format '{p}' "$@" 2>/dev/null | sort -u | wc -l; }
compiled() { grep -c '^ *Compiling ' "$1" 2>/dev/null || true; }

# Both halves at once where there is memory for it: each has a long last step that one core does alone.
together() { # FOLDER
  local free waited=0 failed=0
  free=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
  if [ "$free" -lt 6 ] || [ $browser = dev ]; then
    server "$1"
    pages "$1"
    return
  fi
  local all_server all_pages log=$1.log
  all_server=$(packages --features ssr)
  all_pages=$(packages --features hydrate --target wasm32-unknown-unknown)
  mkdir -p "$log"
  # In process groups of their own, so that a Ctrl-C ends the compilers, too.
  set -m
  server "$1" >"$log/server" 2>&1 &
  local first=$!
  pages "$1" >"$log/pages" 2>&1 &
  local second=$!
  set +m
  # shellcheck disable=SC2064  # expanded now, on purpose
  trap "kill -- -$first -$second 2>/dev/null || true; exit 143" INT TERM
  while kill -0 $first 2>/dev/null || kill -0 $second 2>/dev/null; do
    sleep 1
    waited=$((waited + 1))
    [ $((waited % 30)) != 0 ] ||
      say "$(minutes $waited): compiled $(compiled "$log/server") of at most $all_server packages of the server, $(compiled "$log/pages") of $all_pages of the pages"
  done
  wait $first || { failed=1; cat "$log/server" >&2; }
  wait $second || { failed=1; cat "$log/pages" >&2; }
  trap - INT TERM
  [ $failed = 0 ] || die "the build failed; what the compiler said stands above"
  rm -rf "$log"
}

build() {
  heading "Building SkyPanel ($profile; about eleven minutes on two cores the first time, one or two later)"
  rm -rf "$out.part"
  mkdir "$out.part"
  together "$out.part" 9>&-
  if [ "$(fingerprint)" != "$before" ]; then
    say "the sources were changed meanwhile: once more"
    exec "$ROOT/scripts/build.sh" >&3
  fi
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
