#!/usr/bin/env bash
# The page with 50 applications beside the same list through a bare server.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

app=$("$ROOT/scripts/build.sh" | tail -n 1)
program=$("$ROOT/scripts/bench/program.sh" | tail -n 1)
SKYPANEL_BENCH_PROGRAM=$program node "$ROOT/scripts/bench/pages.mjs" "$app"
