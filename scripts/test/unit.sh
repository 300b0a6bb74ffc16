#!/usr/bin/env bash
# The pure rules, beside the code that they test; the rules of the architecture; what the crates beneath the panel promise;
# and that a benchmark that is interrupted cleans up after itself.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../programs.sh"
failed=0
while read -r kind name _; do
  heading "$name"
  run_tests "$kind" "$name" || failed=1
done < <(awk '($1 == "lib") || ($1 == "test" && $2 != "panel" && $2 != "engine" && $2 != "boxes")' "$SKY_PROGRAMS" | sort -u)
bash "$ROOT/scripts/test/interrupted-bench.sh" || failed=1
exit $failed
