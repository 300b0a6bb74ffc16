#!/usr/bin/env bash
# The committed document of the API against the code; with SKY_WRITE_OPENAPI it is written. `sqlite` runs the same among its tests.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../programs.sh"
run_tests test panel openapi_document::
