#!/usr/bin/env bash
# run.sh [ARGUMENTS OF skypanel serve] - from a fresh clone to a running panel; what is already done is not done again.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

export SKY_BEGAN=$EPOCHSECONDS
[ -d "$ROOT/.cache/builds" ] ||
  say "The first time, two cores take about a quarter of an hour: packages and tools 2 minutes, the product 11. Later it starts in seconds."
"$ROOT/scripts/setup.sh" run
app=$("$ROOT/scripts/build.sh" | tail -n 1)
"$ROOT/scripts/docker.sh"

cd "$ROOT"
if engine_answers; then exec "$app/skypanel" serve "$@"; fi
say "this user may not use Docker, so the panel runs as root (to change that: sudo usermod -aG docker $(id -un), then sign in again)"
exec sudo --preserve-env "$app/skypanel" serve "$@"
