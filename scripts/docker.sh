#!/usr/bin/env bash
# Starts this machine's Docker Engine if it does not run: by systemd, by its init script, or else directly.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

socket=${ENGINE#unix://}

waits_for_engine() { # waits_for_engine SECONDS
  local until=$((SECONDS + $1))
  # Through root: the socket may be closed to this user, which is a different complaint (see run.sh).
  while [ $SECONDS -lt $until ]; do
    if as_root curl -sf -m 3 -o /dev/null --unix-socket "$socket" http://docker/_ping 2>/dev/null; then return 0; fi
    sleep 0.2
  done
  return 1
}

engine_answers && exit
if [ "$ENGINE" != $LOCAL_ENGINE ]; then die "no Docker Engine answers at $ENGINE (SKYPANEL_SWARM__ENDPOINT)"; fi
if [ -S "$socket" ] && waits_for_engine 1; then exit; fi

heading "Starting Docker Engine"
if [ -d /run/systemd/system ]; then
  as_root systemctl start docker.service || true
  if waits_for_engine 30; then exit; fi
  die "Docker Engine did not start. See: journalctl -u docker.service"
fi

# In a container the init script may not raise its limits and gives up at once.
if [ -x /etc/init.d/docker ] && as_root /etc/init.d/docker start >/dev/null 2>&1 && waits_for_engine 15; then
  say "started by its init script; it keeps running when the panel stops"
  exit
fi

mkdir -p "$DATA"
# shellcheck disable=SC2016  # expanded by the inner shell
as_root bash -c 'setsid dockerd >>"$1" 2>&1 </dev/null & echo $! >"$2"' dockerd "$DATA/dockerd.log" "$DATA/dockerd.pid"
if waits_for_engine 30; then
  say "started directly (process $(cat "$DATA/dockerd.pid"), log in $DATA/dockerd.log); it keeps running when the panel stops"
  exit
fi
tail -n 5 "$DATA/dockerd.log" >&2 || true
die "Docker Engine did not start; the log is $DATA/dockerd.log"
