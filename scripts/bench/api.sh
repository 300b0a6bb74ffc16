#!/usr/bin/env bash
# Reads and writes of the API, on SQLite with 400 applications and on PostgreSQL with 1 000 organizations, 10 000 people, 10 000
# applications and 1 000 000 lines of the audit trail.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

app=$("$ROOT/scripts/build.sh" | tail -n 1)
program=$("$ROOT/scripts/bench/program.sh" | tail -n 1)
export SKYPANEL_BENCH_PROGRAM=$program
node "$ROOT/scripts/bench/api.mjs" "$app"

postgres=$SKYPANEL_TEST_DIR/postgres
chmod 755 "$SKYPANEL_TEST_DIR" "${SKYPANEL_TEST_DIR%/*}" # PostgreSQL is not run by root
trap '"$ROOT/scripts/postgres.sh" down "$postgres"' EXIT
trap 'exit 143' TERM
url=$("$ROOT/scripts/postgres.sh" up "$postgres")
psql=$(find /usr/lib/postgresql/*/bin -name psql | sort -V | tail -n 1)
SKYPANEL_BENCH_DATABASE=$url SKYPANEL_BENCH_PSQL=$psql SKYPANEL_BENCH_SEED=$ROOT/scripts/bench/api.sql node "$ROOT/scripts/bench/api.mjs" "$app"
