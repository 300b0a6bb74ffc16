#!/usr/bin/env bash
# Certificates from a real authority: pebble, its challtestsrv, and BIND as a name server that takes signed updates.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../programs.sh"
cd "$ROOT"
for program in pebble pebble-challtestsrv named; do
  has "$program" || die "$program is missing: apt-get install pebble bind9"
done
export SKYPANEL_TEST_PEBBLE=$SKYPANEL_TEST_DIR/pebble
postgres=$SKYPANEL_TEST_DIR/postgres
mkdir -p "$SKYPANEL_TEST_PEBBLE"
chmod 755 "${SKYPANEL_TEST_DIR%/*}" "$SKYPANEL_TEST_DIR" # PostgreSQL is not run by root

# Programs that a test left because it was killed: each was started in a folder of this run.
# shellcheck disable=SC2317  # called by the trap
finish() {
  for process in /proc/[0-9]*; do
    if [[ $(readlink "$process/cwd" 2>/dev/null) = "$SKYPANEL_TEST_PEBBLE"/* ]]; then kill -9 "${process#/proc/}" 2>/dev/null || true; fi
  done
  "$ROOT/scripts/postgres.sh" down "$postgres" || true
}
trap finish EXIT
trap 'exit 143' TERM

failed=0
run_tests test panel certificates:: || failed=1
# Several panels share one database on PostgreSQL only.
SKYPANEL_TEST_POSTGRES=$("$ROOT/scripts/postgres.sh" up "$postgres")
export SKYPANEL_TEST_POSTGRES
run_tests test panel certificates::two_panels || failed=1
exit $failed
