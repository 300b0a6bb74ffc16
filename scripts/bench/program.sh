#!/usr/bin/env bash
# program.sh - builds what the benchmarks need beside the panel (crates/panel-bench) with the panel's own settings, and prints its path.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
cd "$ROOT"

cargo build --release --quiet --package panel-bench >&2
echo "$CARGO_TARGET_DIR/release/panel-bench"
