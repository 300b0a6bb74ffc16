#!/usr/bin/env bash
# The pure rules, beside the code that they test, and the rules of the architecture.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
cd "$ROOT"
cargo test --workspace --features skypanel/ssr --lib --bins
cargo test --package skypanel --features ssr --test architecture
