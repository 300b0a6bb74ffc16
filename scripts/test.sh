#!/usr/bin/env bash
# test.sh [STAGE…] - compiles what the stages of scripts/test/ run, once for all of them, runs each to its end, then says what came of them.
# A stage is a script that can be run alone. It gets a scratch folder in $SKYPANEL_TEST_DIR, and its exit code is its verdict.
# Stages that mostly wait (for Docker, for a browser) run beside those that compute; what each has to say is printed in one piece, in order.
# SKY_LANES=1 runs them one after the other. The last line is "N passed, N failed", counted over all runners; a stage that breaks without
# a failed test counts as one. Before it stand the budgets: BUDGET <name> <value> <unit> <limit> ok|short.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# The stage `builder` is run by name: nothing that customers use stands on boxes yet.
ALL=(check pages unit sqlite postgres fuzz release acme engine swarm browser)
declare -A minutes_of=([check]=25 [pages]=25 [unit]=25 [sqlite]=20 [postgres]=20 [fuzz]=12 [release]=10 [acme]=20 [engine]=30 [swarm]=30 [builder]=20 [browser]=40 [load]=30 [openapi]=5)
declare -A waits=([acme]=1 [engine]=1 [swarm]=1 [builder]=1 [browser]=1)

stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=("${ALL[@]}")
for stage in "${stages[@]}"; do
  [ -n "${minutes_of[$stage]:-}" ] || die "there is no stage '$stage'; there are: ${ALL[*]}"
done

began=$EPOCHSECONDS
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

lanes=() viewer=''
# shellcheck disable=SC2317  # called by the traps
finish() {
  trap '' INT TERM
  local lane
  [ -z "$viewer" ] || kill $viewer 2>/dev/null || true
  for lane in "${lanes[@]}"; do kill "$lane" 2>/dev/null || true; done
  for lane in "${lanes[@]}"; do wait "$lane" 2>/dev/null || true; done
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

# lane STAGE…: runs stages in turn. Of each it leaves the log, and at its end a file that says "VERDICT SECONDS".
lane() {
  local stage start verdict running=''
  trap '[ -z "$running" ] || { kill "$running" 2>/dev/null; wait "$running"; }; exit 143' TERM
  for stage in "$@"; do
    start=$EPOCHSECONDS verdict=0
    mkdir "$scratch/$stage"
    # In a process group of its own: when time is up, the whole stage is told, and cleans up after itself.
    SKYPANEL_TEST_DIR=$scratch/$stage timeout --kill-after=60 "${minutes_of[$stage]}m" \
      bash "$ROOT/scripts/test/$stage.sh" </dev/null >"$scratch/$stage.log" 2>&1 &
    running=$!
    echo $running >"$scratch/$stage.running"
    wait $running || verdict=$?
    running=''
    echo "$verdict $((EPOCHSECONDS - start))" >"$scratch/$stage.part"
    mv "$scratch/$stage.part" "$scratch/$stage.end"
  done
}

passed=0 failed=0 summary=() budgets=()
# budget NAME SECONDS LIMIT-OR-NOTHING
budget() {
  local word=ok
  [ -z "$3" ] || [ "$2" -le "$3" ] || word=short
  budgets+=("BUDGET $1 $2 s ${3:+≤}${3:--} $word")
}

# --- one compile for all ------------------------------------------------------------------------------------------

state=cold
if compgen -G "$CARGO_TARGET_DIR/debug/deps/libsea_orm-*" >/dev/null; then state=warm; fi
if [ "${stages[*]}" != check ] && [ "${stages[*]}" != pages ]; then
  heading "compile"
  start=$EPOCHSECONDS
  if ! "$ROOT/scripts/compile.sh" "${stages[@]}" > >(sort -u >"$scratch/programs") 2> >(tee "$scratch/compile.log" >&2); then
    echo
    echo "0 passed, 1 failed"
    exit 1
  fi
  sleep 0.2 # the last lines of both
  export SKY_PROGRAMS=$scratch/programs
  for stage in "${stages[@]}"; do [ "$stage" != check ] || export SKY_COMPILED=$scratch/compile.log; done
  summary+=("$(printf '%-10s %-10s %6d s' compile ok $((EPOCHSECONDS - start)))")
  budget "time.compile.$state" $((EPOCHSECONDS - start)) ''
fi

# --- the stages ---------------------------------------------------------------------------------------------------

computing=() waiting=()
for stage in "${stages[@]}"; do
  if [ -n "${waits[$stage]:-}" ] && [ "${SKY_LANES:-2}" != 1 ]; then waiting+=("$stage"); else computing+=("$stage"); fi
done
for group in computing waiting; do
  declare -n members=$group
  [ ${#members[@]} = 0 ] || { lane "${members[@]}" & lanes+=($!); }
done

# follow STAGE: prints what it says, from its beginning to its end.
follow() {
  local stage=$1 pid
  until [ -e "$scratch/$stage.running" ]; do
    alive=0
    for pid in "${lanes[@]}"; do ! kill -0 "$pid" 2>/dev/null || alive=1; done
    [ $alive = 1 ] || return 0
    sleep 0.2
  done
  heading "$stage"
  pid=$(cat "$scratch/$stage.running")
  # Waited for rather than called, so that a signal to us is heard at once.
  tail -n +1 -f --pid="$pid" -s 0.5 "$scratch/$stage.log" &
  viewer=$!
  wait $viewer || true
  until [ -e "$scratch/$stage.end" ]; do sleep 0.1; done
}

for stage in "${stages[@]}"; do
  follow "$stage"
  read -r verdict seconds <"$scratch/$stage.end"
  p=$(tally "$scratch/$stage.log" passed) f=$(tally "$scratch/$stage.log" failed)
  word=ok
  if [ "$verdict" != 0 ]; then
    word=failed
    [ "$verdict" != 124 ] || word="timed out"
    [ "$f" -gt 0 ] || f=1
  fi
  passed=$((passed + p)) failed=$((failed + f))
  summary+=("$(printf '%-10s %-10s %6d s %6d passed %4d failed' "$stage" "$word" "$seconds" "$p" "$f")")
  budget "time.stage.$stage" "$seconds" ''
done

heading "Summary"
printf '    %s\n' "${summary[@]}"
echo
if [ $# = 0 ]; then budget "time.test.$state" $((EPOCHSECONDS - began)) "$([ $state = warm ] && echo 1500 || echo 3000)"; fi
printf '%s\n' "${budgets[@]}"
# Kept for `make bench-time`, which writes them down.
if [ $# = 0 ]; then printf '%s\n' "${budgets[@]}" >"$CACHE/times"; fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
