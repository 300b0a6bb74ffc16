#!/usr/bin/env bash
# What a developer waits for: after an edit of one page, until the compiler has looked at it and until the unit tests have run; and what the last
# whole `make test` on this machine took.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
cd "$ROOT"

page=src/deployments/ui/overview.rs
[ -f "$page" ] || page=$(find src -path '*/ui/*' -name '*.rs' | LC_ALL=C sort | head -n 1)
cp "$page" "$SKYPANEL_TEST_DIR/page"
trap 'cp "$SKYPANEL_TEST_DIR/page" "$page"' EXIT
trap 'exit 143' TERM

# measured NAME LIMIT COMMAND…: the second of two edits, when all else is compiled.
measured() {
  local name=$1 limit=$2 start took word=ok; shift 2
  for round in 1 2; do
    printf '\nconst _: &str = "%s %s %s";\n' "$name" "$round" "$RANDOM" >>"$page"
    start=$EPOCHREALTIME
    "$@" >"$SKYPANEL_TEST_DIR/$name.log" 2>&1 || { tail -n 20 "$SKYPANEL_TEST_DIR/$name.log" >&2; exit 1; }
    took=$(awk -v from="$start" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }')
  done
  awk -v took="$took" -v limit="$limit" 'BEGIN { exit took > limit }' || word=short
  echo "BENCH $name $took s ≤$limit $word"
  cp "$SKYPANEL_TEST_DIR/page" "$page"
}

measured time.check_after_edit 15 cargo check --package skypanel --features ssr
measured time.unit_after_edit 60 scripts/test.sh unit
[ ! -f "$CACHE/times" ] || sed 's/^BUDGET/BENCH/' "$CACHE/times"
