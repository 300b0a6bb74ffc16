#!/usr/bin/env bash
# The panel in one process: real router, real database (SQLite), fake swarm.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../programs.sh"
unset SKYPANEL_TEST_POSTGRES
run_tests test panel
