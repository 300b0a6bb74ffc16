#!/usr/bin/env bash
# The same tests of the panel on PostgreSQL.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../programs.sh"
postgres=$SKYPANEL_TEST_DIR/postgres
chmod 755 "${SKYPANEL_TEST_DIR%/*}" "$SKYPANEL_TEST_DIR" # PostgreSQL is not run by root
trap '"$ROOT/scripts/postgres.sh" down "$postgres"' EXIT
trap 'exit 143' TERM
SKYPANEL_TEST_POSTGRES=$("$ROOT/scripts/postgres.sh" up "$postgres")
export SKYPANEL_TEST_POSTGRES
run_tests test panel
