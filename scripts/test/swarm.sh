#!/usr/bin/env bash
# What several machines do: a Swarm of three engines, whose cables are cut and whose power fails.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../programs.sh"
. "$(dirname "$0")/../with-engine.sh"
cd "$ROOT"
program=$(program test engine)
swarm_up 3
failed=0
# One test at a time: the machines are cut off and taken down in turn.
for round in "walls::" "away::" "loss::"; do
  beside_swarm "$program" $round --test-threads=1 --nocapture || failed=1
done
[ $failed = 0 ]
