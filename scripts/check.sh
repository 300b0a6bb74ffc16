#!/usr/bin/env bash
# What needs no running: the format, and clippy on both halves of the crate.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

heading "Format"
cargo fmt --all --check
heading "Clippy, the server and the tests"
cargo clippy --workspace --all-targets --features skypanel/ssr -- -D warnings
heading "Clippy, the browser"
cargo clippy --package skypanel --lib --features hydrate --target wasm32-unknown-unknown -- -D warnings
if has shellcheck; then
  heading "Shellcheck"
  find scripts -name '*.sh' -print0 | xargs -0 shellcheck --external-sources --source-path=SCRIPTDIR .ci/run
fi
