#!/usr/bin/env bash
# Certificates from a real authority: pebble, its challtestsrv, and BIND as a name server that takes signed updates.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
cd "$ROOT"
for program in pebble pebble-challtestsrv named; do
  has "$program" || die "$program is missing: apt-get install pebble bind9"
done
export SKYPANEL_TEST_PEBBLE=$SKYPANEL_TEST_DIR/pebble
mkdir -p "$SKYPANEL_TEST_PEBBLE"
cargo test --package skypanel --features ssr --test panel certificates::
