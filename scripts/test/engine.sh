#!/usr/bin/env bash
# What Docker really does: the adapter and whole deployments on a real engine that is a Swarm of one.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../programs.sh"
. "$(dirname "$0")/../with-engine.sh"
cd "$ROOT"
program=$(program test engine)
engine_up
# In three rounds: a panel that starts sweeps what looks like a crash's leftovers, and the last round kills the engine itself.
failed=0
for round in "swarm::" "spine:: bad_input:: load:: canary::" "crash::"; do
  threads=${SKYPANEL_TEST_THREADS:-2}
  loud=()
  # It says how long everything took to come back.
  [ "$round" != crash:: ] || { threads=1; loud=(--nocapture); }
  # shellcheck disable=SC2086 # one word per filter
  beside_engine "$program" $round --test-threads="$threads" "${loud[@]}" || failed=1
done
[ $failed = 0 ]
