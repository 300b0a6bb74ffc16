#!/usr/bin/env bash
# Schemathesis against a real panel (SQLite, a swarm in memory): everything that the OpenAPI document promises, asked for in every wrong
# way, as an owner who runs the platform. A fixed seed and a few minutes; `make fuzz` takes a new seed each round, and more of them.
#   SKY_FUZZ_SEED=1  SKY_FUZZ_ROUNDS=1  SKY_FUZZ_SECONDS=100 (of each half of a round)  SKY_FUZZ_EXAMPLES=12 (of an operation)
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../programs.sh"
cd "$ROOT"

panel_program=$(program bin skypanel)

scratch=${SKYPANEL_TEST_DIR:-$(mktemp -d "${TMPDIR:-/var/tmp}/skypanel-fuzz.XXXXXX")}
panel=''
# shellcheck disable=SC2317  # called by the trap
finish() { [ -z "$panel" ] || { kill "$panel" 2>/dev/null || true; wait "$panel" 2>/dev/null || true; }; }
trap finish EXIT
trap 'exit 143' TERM

seed=${SKY_FUZZ_SEED:-1}
rounds=${SKY_FUZZ_ROUNDS:-1}
failed=0
for ((round = 1; round <= rounds; round++)); do
  [ "$rounds" = 1 ] || seed=$RANDOM
  heading "Round $round of $rounds, seed $seed"
  data=$scratch/fuzz-$round
  mkdir -p "$data"
  read -r port edge < <(python3 -c 'import socket
s = [socket.socket() for _ in range(2)]
[one.bind(("127.0.0.1", 0)) for one in s]
print(*[one.getsockname()[1] for one in s])')
  env -i PATH="$PATH" HOME="$HOME" SKYPANEL_DATA_DIR="$data" SKYPANEL_PANEL__LISTEN="127.0.0.1:$port" \
    SKYPANEL_EDGE__LISTEN="[\"127.0.0.1:$edge\"]" SKYPANEL_SWARM__ENDPOINT=fake: SKYPANEL_LIMITS__ENABLED=false \
    SKYPANEL_DEPLOY__STABILITY_SECONDS=0 SKYPANEL_DEPLOY__DRAIN_SECONDS=0 "$panel_program" serve >"$data/out" 2>"$data/log" &
  panel=$!
  "$TOOLS/schemathesis/bin/python" scripts/fuzz/prepare.py "http://localhost:$port" "$data/out" "$data" \
    "${SKY_FUZZ_EXAMPLES:-12}" "${SKY_FUZZ_SECONDS:-100}"
  run() { # run SETTINGS PHASES
    "$TOOLS/schemathesis/bin/schemathesis" --config-file "$data/$1.toml" run "http://localhost:$port/api/openapi.json" \
      --seed "$seed" --phases "$2" || failed=1
  }
  run single examples,coverage,fuzzing
  run stateful stateful
  kill "$panel" || true
  wait "$panel" || true
  panel=''
  # Pages need the built site, which is not needed here.
  if grep 'failed while' "$data/log" | grep -v 'hash file' >"$data/faults"; then
    head -n 20 "$data/faults"
    failed=1
  fi
done
if [ $failed = 0 ]; then echo "$rounds passed, 0 failed"; else echo "0 passed, 1 failed"; fi
exit $failed
