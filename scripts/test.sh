#!/usr/bin/env bash
# test.sh [STAGE…] - runs the stages of scripts/test/, each to its end, then says what came of them.
# A stage is a script that can be run alone. It gets a scratch folder in $SKYPANEL_TEST_DIR, and its exit code is its verdict.
# The last line is "N passed, N failed", counted over all runners; a stage that breaks without a failed test counts as one.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

ALL=(check unit sqlite postgres acme fuzz engine browser)
declare -A minutes=([check]=25 [unit]=25 [sqlite]=15 [postgres]=15 [acme]=15 [fuzz]=10 [engine]=25 [browser]=40 [load]=30)

stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=("${ALL[@]}")
for stage in "${stages[@]}"; do
  [ -n "${minutes[$stage]:-}" ] || die "there is no stage '$stage'; there are: ${ALL[*]}"
done

"$ROOT/scripts/setup.sh" test

# Scratch folders are named after the process, so that a run that was killed is swept by the next one. Paths stay short: sockets
# live in them.
scratch=${TMPDIR:-/var/tmp}/skypanel-test.
for left in "$scratch"*; do
  if [ ! -d "$left" ] || [ -d "/proc/${left##*.}" ]; then continue; fi
  for swarm in "$left"/*/swarm; do [ ! -d "$swarm" ] || as_root "$ROOT/scripts/swarm.sh" down "$swarm" || true; done
  for engine in "$left"/*/engine; do [ ! -d "$engine" ] || as_root "$ROOT/scripts/engine.sh" down "$engine" || true; done
  for postgres in "$left"/*/postgres; do [ ! -d "$postgres" ] || "$ROOT/scripts/postgres.sh" down "$postgres" || true; done
  as_root rm -rf "$left"
done
scratch+=$$
mkdir "$scratch"

running=''
# shellcheck disable=SC2317  # called by the traps
finish() {
  trap '' INT TERM
  if [ -n "$running" ]; then kill "$running" 2>/dev/null || true; wait "$running" 2>/dev/null || true; fi
  as_root rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# tally LOG PASSED-OR-FAILED: what cargo's and node's runners counted in a log, in sum.
tally() {
  sed 's/\x1b\[[0-9;]*m//g' "$1" | awk -v word="$2" '
    /^test result: / { for (i = 1; i < NF; i++) if ($(i + 1) ~ "^" word ";") sum += $i }
    /^(ℹ|#) pass [0-9]+$/ && word == "passed" { sum += $3 }
    /^(ℹ|#) (fail|cancelled) [0-9]+$/ && word == "failed" { sum += $3 }
    END { print sum + 0 }'
}

passed=0 failed=0 summary=()
for stage in "${stages[@]}"; do
  heading "$stage"
  began=$SECONDS verdict=0
  mkdir "$scratch/$stage"
  # In a process group of its own: when time is up, the whole stage is told, and cleans up after itself.
  SKYPANEL_TEST_DIR=$scratch/$stage timeout --kill-after=60 "${minutes[$stage]}m" \
    bash "$ROOT/scripts/test/$stage.sh" </dev/null > >(tee "$scratch/$stage.log") 2>&1 &
  running=$!
  wait "$running" || verdict=$?
  running=''
  sleep 0.1 # the log's last line
  p=$(tally "$scratch/$stage.log" passed) f=$(tally "$scratch/$stage.log" failed)
  word=ok
  if [ $verdict != 0 ]; then
    word=failed
    [ $verdict != 124 ] || word="timed out"
    [ "$f" -gt 0 ] || f=1
  fi
  passed=$((passed + p)) failed=$((failed + f))
  summary+=("$(printf '%-10s %-10s %6d s %6d passed %4d failed' "$stage" "$word" $((SECONDS - began)) "$p" "$f")")
done

heading "Summary"
printf '    %s\n' "${summary[@]}"
echo
echo "$passed passed, $failed failed"
[ $failed = 0 ]
