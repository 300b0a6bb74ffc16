#!/usr/bin/env bash
# A benchmark that is interrupted, asked to end or killed leaves no process and no folder behind: neither a child of its part nor one
# that went into a session of its own, as a database does.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

work=$(mktemp -d "${TMPDIR:-/var/tmp}/skypanel-interrupted.XXXXXX")
trap 'rm -rf "$work"' EXIT
cat >"$work/endless.sh" <<'PART'
setsid sleep 3333 &
echo "${SKYPANEL_TEST_DIR%/*}" >"$SKY_BENCH_PARTS/scratch"
sleep 3333
PART

# The processes that know the benchmark's scratch folder.
of() { grep -lsF -f <(echo "$1") /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | cut -d / -f 3 | sort -u | grep -vx $$ || true; }

passed=0 failed=0
for signal in INT TERM KILL; do
  rm -f "$work/scratch"
  # A shell that is in the background ignores INT, which its children inherit; set -m gives the benchmark its own group and signals.
  set -m
  TMPDIR=$work SKY_BENCH_PARTS=$work "$ROOT/scripts/bench.sh" endless >/dev/null 2>&1 &
  bench=$!
  set +m
  for _ in {1..200}; do [ ! -s "$work/scratch" ] || break; sleep 0.1; done
  scratch=$(cat "$work/scratch")
  [ "$(of "$scratch" | wc -l)" -ge 3 ] || die "the benchmark did not begin"
  kill "-$signal" "$bench"
  wait "$bench" 2>/dev/null || true
  for _ in {1..300}; do
    left=$(of "$scratch")
    if [ -z "$left" ] && [ ! -e "$scratch" ]; then break; fi
    sleep 0.1
  done
  if [ -z "$left" ] && [ ! -e "$scratch" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    say "after $signal these were left: $left"
  fi
done
echo "test result: $passed passed; $failed failed;"
[ $failed = 0 ]
