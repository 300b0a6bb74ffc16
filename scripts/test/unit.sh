#!/usr/bin/env bash
# The pure rules, beside the code that they test, and the rules of the architecture; and that a benchmark cleans up after itself.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
cd "$ROOT"
cargo test --workspace --features skypanel/ssr --lib --bins
cargo test --package skypanel --features ssr --test architecture
bash "$ROOT/scripts/test/interrupted-bench.sh"
