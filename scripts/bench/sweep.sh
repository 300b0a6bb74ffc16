#!/usr/bin/env bash
# sweep.sh PID <DIR - waits until the process PID is gone, however it ended, then ends every process that was told of the folder DIR (in
# its environment or its command line) and removes the folder. A benchmark that is killed can't clean up after itself: its panel, its
# database and its load generator would go on, and spoil the next one. The folder's name comes by standard input, so that this
# process does not look like one of those itself.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

[ $# = 1 ] || die "usage: scripts/bench/sweep.sh PID <DIR"
read -r dir

# The processes that were told of the folder.
told() { as_root grep -lsF -f <(echo "$dir") /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | cut -d / -f 3 | sort -u || true; }

tail --pid="$1" -s 0.2 -f /dev/null
for signal in TERM TERM TERM TERM TERM KILL KILL; do
  mapfile -t processes < <(told)
  [ ${#processes[@]} -gt 0 ] || break
  as_root kill "-$signal" "${processes[@]}" 2>/dev/null || true
  sleep 1
done
as_root rm -rf "$dir"
