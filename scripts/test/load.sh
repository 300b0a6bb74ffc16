#!/usr/bin/env bash
# The whole load, by hand: 100 000 requests of every kind while an application deploys ten times, scales, rolls back and loses machines.
# The stage `engine` runs the same with fewer. SKYPANEL_TEST_REQUESTS and SKYPANEL_TEST_DEPLOYMENTS say how many.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../programs.sh"
. "$(dirname "$0")/../with-engine.sh"
cd "$ROOT"
export SKYPANEL_TEST_REQUESTS=${SKYPANEL_TEST_REQUESTS:-100000} SKYPANEL_TEST_DEPLOYMENTS=${SKYPANEL_TEST_DEPLOYMENTS:-10}
program=$(program test engine)
swarm_up 3
beside_swarm "$program" loss:: --test-threads=1 --nocapture
