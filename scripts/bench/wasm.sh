#!/usr/bin/env bash
# What the islands cost a browser, and that a page without islands costs it nothing.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

app=$("$ROOT/scripts/build.sh" | tail -n 1)
SKYPANEL_TEST_CHROMIUM=$("$ROOT/scripts/browser.sh") exec node "$ROOT/scripts/bench/wasm.mjs" "$app"
