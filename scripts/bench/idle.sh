#!/usr/bin/env bash
# A panel with 100 applications that nobody asks for anything.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

app=$("$ROOT/scripts/build.sh" | tail -n 1)
exec node "$ROOT/scripts/bench/idle.mjs" "$app"
