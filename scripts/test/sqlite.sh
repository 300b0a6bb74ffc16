#!/usr/bin/env bash
# The panel in one process: real router, real database (SQLite), fake swarm.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
cd "$ROOT"
unset SKYPANEL_TEST_POSTGRES
cargo test --package skypanel --features ssr --test panel
