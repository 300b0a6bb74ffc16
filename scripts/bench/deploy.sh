#!/usr/bin/env bash
# What a deployment costs beyond what Docker itself takes for the same repository, on a real engine.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../with-engine.sh"

app=$("$ROOT/scripts/build.sh" | tail -n 1)
engine_up >&2
beside_engine node "$ROOT/scripts/bench/deploy.mjs" "$app"
