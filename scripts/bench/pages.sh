#!/usr/bin/env bash
# The application list of 50, rendered and through the API, at 50 requests in flight.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

app=$("$ROOT/scripts/build.sh" | tail -n 1)
exec node "$ROOT/scripts/bench/pages.mjs" "$app"
