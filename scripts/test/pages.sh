#!/usr/bin/env bash
# What the browser gets, made as it is shipped. Nothing is tested here: the stage `browser` does that with what lies ready then.
set -euo pipefail
exec env SKY_PROFILE="${SKY_PROFILE:-test}" "$(dirname "$0")/../build.sh"
