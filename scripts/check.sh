#!/usr/bin/env bash
# What needs no running: the format, clippy on both halves of the crate, the scripts, and what may come in from others.
# In a run of all tests clippy has looked at the server already when it was compiled; $SKY_COMPILED then names what it said.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

failed=0
step() { heading "$1"; shift; "$@" || failed=1; }

# shellcheck disable=SC2317  # the three are called by step
quiet() { # quiet LOG: no warning stands in it
  if sed 's/\x1b\[[0-9;]*m//g' "$1" | grep -v '^warning: the following packages contain code that will be rejected' | grep -A 12 '^warning'; then return 1; fi
  say "it had nothing to say"
}

# What is known to be wrong with a dependency is told by a repository elsewhere; where it can't be had, the rest is checked all the same.
# shellcheck disable=SC2317
deny() {
  local checks=(licenses bans sources)
  if timeout 10 git ls-remote --exit-code https://github.com/rustsec/advisory-db HEAD >/dev/null 2>&1; then checks+=(advisories)
  else say "SKIPPED: advisories; their database (github.com/rustsec/advisory-db) can't be reached from here"; fi
  "$TOOLS/cargo-deny/bin/cargo-deny" --workspace check --hide-inclusion-graph "${checks[@]}"
}

step "Format" cargo fmt --all --check
if [ -n "${SKY_COMPILED:-}" ]; then
  step "Clippy, the server and the tests" quiet "$SKY_COMPILED"
else
  step "Clippy, the server and the tests" cargo clippy --workspace --all-targets --features skypanel/ssr -- -D warnings
fi
step "Clippy, the browser" cargo clippy --package skypanel --lib --features hydrate --target wasm32-unknown-unknown -- -D warnings
step "What comes from others" deny
step "The scripts" find scripts -name '*.sh' -exec shellcheck --external-sources --source-path=SCRIPTDIR .ci/run {} +
exit $failed
