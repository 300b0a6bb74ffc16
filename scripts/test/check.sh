#!/usr/bin/env bash
# The format and clippy.
set -euo pipefail
exec "$(dirname "$0")/../check.sh"
