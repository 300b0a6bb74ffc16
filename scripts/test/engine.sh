#!/usr/bin/env bash
# What Docker really does: the adapter and whole deployments on a real engine that is a Swarm of one.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../with-engine.sh"
cd "$ROOT"
cargo test --package skypanel --features ssr --test engine --no-run
# The program is asked for by name only now, when there is nothing left to compile and so nothing else to read.
program=$(cargo test --package skypanel --features ssr --test engine --no-run --message-format=json 2>/dev/null |
  sed -n 's/.*"name":"engine".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -x "$program" ] || die "cargo did not say where the test program is"
engine_up
# In three rounds: a panel that starts sweeps what looks like a crash's leftovers, and the last round kills the engine itself.
failed=0
for round in "swarm::" "spine:: bad_input:: load::" "crash::"; do
  threads=${SKYPANEL_TEST_THREADS:-2}
  [ "$round" != crash:: ] || threads=1
  # shellcheck disable=SC2086 # one word per filter
  beside_engine "$program" $round --test-threads="$threads" || failed=1
done
[ $failed = 0 ]
