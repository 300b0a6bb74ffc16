#!/usr/bin/env bash
# compile.sh STAGE… - compiles what these stages run, in one go, and writes a line for each program to its output: KIND NAME FOLDER PATH
# (lib, test or bin; the folder is the one that cargo would start it in).
# Clippy is the compiler here: it says what it dislikes and makes the program all the same, so nothing is compiled a second time for it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

declare -A targets=()
for stage in "$@"; do
  case $stage in
    check) targets[--lib]=1 targets[--tests]=1 targets[--examples]=1 ;;
    unit)
      targets[--lib]=1 targets[--test architecture]=1
      for test in crates/*/tests/*.rs; do targets[--test $(basename "$test" .rs)]=1; done ;;
    sqlite | postgres | acme | openapi) targets[--test panel]=1 ;;
    builder) targets[--test boxes]=1 ;;
    engine | swarm | load) targets[--test engine]=1 ;;
    # The panel itself comes with any test of it.
    fuzz | pages | release | browser) targets[--test architecture]=1 ;;
    *) die "nothing is compiled for '$stage'" ;;
  esac
done
# shellcheck disable=SC2206 # "--test panel" is two words
flags=(${!targets[@]})

RUSTC_WORKSPACE_WRAPPER=$(rustc --print sysroot)/bin/clippy-driver
export RUSTC_WORKSPACE_WRAPPER
[ -x "$RUSTC_WORKSPACE_WRAPPER" ] || die "clippy is missing: rustup component add clippy"
# One set of features whatever the stages are, or cargo would make the libraries again for the next.
cargo test --workspace --features skypanel/ssr --no-run --message-format=json-render-diagnostics "${flags[@]}" |
  sed -n 's/"cdylib"/"lib"/; s/.*"manifest_path":"\([^"]*\)\/Cargo.toml","target":{"kind":\["\([a-z]*\)[^]]*\],.*"name":"\([^"]*\)",.*"executable":"\([^"]*\)".*/\2 \3 \1 \4/p'
