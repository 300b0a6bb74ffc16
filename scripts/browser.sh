#!/usr/bin/env bash
# Prints the path of a Chromium that the tests can drive; fails when there is none.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

for candidate in "${SKYPANEL_TEST_CHROMIUM:-}" chromium google-chrome chromium-browser "${XDG_CACHE_HOME:-$HOME/.cache}"/ms-playwright/chromium-*/chrome-linux*/chrome; do
  path=$(command -v "$candidate" 2>/dev/null) || continue
  # A snap cannot be started inside the private engine's namespace.
  case $(readlink -f "$path") in */snap*) continue ;; esac
  if grep -qsI '/snap/' "$path"; then continue; fi
  echo "$path"
  exit
done
exit 1
