#!/usr/bin/env bash
# The product on a real engine, used by a person in Chromium, which gets exactly what is shipped to it.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../with-engine.sh"
cd "$ROOT"
app=$(SKY_PROFILE=${SKY_PROFILE:-test} "$ROOT/scripts/build.sh" | tail -n 1)
chromium=$("$ROOT/scripts/browser.sh") || die "there is no Chromium; name one in SKYPANEL_TEST_CHROMIUM"
engine_up
beside_engine env SKYPANEL_TEST_APP="$app" SKYPANEL_TEST_CHROMIUM="$chromium" SKYPANEL_TEST_DIR="$SKYPANEL_TEST_DIR" \
  node --test --test-concurrency=1 --test-timeout=600000 --test-reporter=spec end2end/*.test.mjs
