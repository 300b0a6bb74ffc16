# What every script stands on: where things are, which versions we want, and how to speak. Sourced, never run.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the variables are for the scripts that source this

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Settings of these scripts begin with SKY_; those that begin with SKYPANEL_ are the panel's own, and it refuses what it does not know.
CACHE=${SKY_CACHE:-$HOME/.cache/skypanel}
TOOLS=$CACHE/tools
DATA=${SKYPANEL_DATA_DIR:-data} # seen from the checkout, as the panel sees it

# Shared by every checkout and kept outside of all of them: the first build of the dependencies is the slow one.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}

NODE_OLDEST=20
SCHEMATHESIS=4.32.5
CARGO_DENY=0.20.2
# What turns the islands into what a browser loads must be exactly of the crate's version, so its name carries the crate's pin.
BINDGEN=$TOOLS/bin/bindgen-$(sed -n 's/^wasm-bindgen = "=\(.*\)"$/\1/p' "$ROOT/Cargo.toml")

# npm's wasm-opt comes before any other: Debian's (version 108) writes modules that no browser can run.
export PATH="$ROOT/node_modules/.bin:$TOOLS/node/bin:$TOOLS/bin:${CARGO_HOME:-$HOME/.cargo}/bin:$PATH:/usr/sbin:/sbin"

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' OFF=$'\e[0m'; else BOLD='' DIM='' RED='' OFF=''; fi

# The headings (with the time since the command began, if it noted that in SKY_BEGAN), the steps below them, and the last word before giving up.
heading() {
  local since=''
  [ -z "${SKY_BEGAN:-}" ] || since="[$(minutes $((EPOCHSECONDS - SKY_BEGAN)))] "
  printf '%s==> %s%s%s\n' "$BOLD" "$since" "$*" "$OFF"
}
minutes() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }
say() { printf '    %s\n' "$*"; }
die() { printf '%serror:%s %s\n' "$RED" "$OFF" "$*" >&2; exit 1; }

has() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root, through sudo where that is needed.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif has sudo; then sudo "$@"
  else die "this needs root or sudo: $*"; fi
}

# The engine that the panel will use: this machine's own unless its settings name another.
LOCAL_ENGINE=unix:///var/run/docker.sock
ENGINE=${SKYPANEL_SWARM__ENDPOINT:-$LOCAL_ENGINE}

# True when that engine answers to this user. Of one that is elsewhere (or in memory) the panel itself knows more.
engine_answers() {
  [[ $ENGINE = unix://* ]] || return 0
  curl -sf -m 3 -o /dev/null --unix-socket "${ENGINE#unix://}" http://docker/_ping 2>/dev/null
}
