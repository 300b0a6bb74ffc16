#!/usr/bin/env bash
# What boxes for builds really do: they are made, attacked, killed and thrown away, in a world of network namespaces. Needs root and
# Docker's programs (not a running Docker), and installs nothing.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../programs.sh"
cd "$ROOT"
program=$(program test boxes)
# The warden's program comes with the test.
if ! lacks=$(as_root "$(dirname "$(dirname "$program")")/skypanel-box" lacks); then die "$lacks"; fi
# One test at a time: each has a world and boxes of its own, and some of them fill a machine on purpose.
as_root env PATH="$PATH" HOME="$HOME" SKYPANEL_TEST_DIR="${SKYPANEL_TEST_DIR:-/var/tmp}" \
  "$program" "$@" --test-threads="${SKYPANEL_TEST_THREADS:-1}" --nocapture
