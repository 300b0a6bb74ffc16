#!/bin/bash
# Several engines on one machine and the wire between them, for tests that lose a node. Each engine is one of engine.sh, at 198.18.0.11,
# 198.18.0.12, … (RFC 2544: addresses that lead nowhere). The switch between them is also a machine outside of the swarm, 198.18.0.1.
#
#   swarm.sh up DIR N            start N engines and plug them in; the socket of the first is DIR/node1/docker.sock
#   swarm.sh exec DIR WHO CMD…   run a command in the network of node1, node2, … or of `outside`
#   swarm.sh cut DIR WHO         pull the cable of a node; what runs there goes on
#   swarm.sh heal DIR WHO        plug it in again
#   swarm.sh down DIR            end everything and remove it
set -euo pipefail

SELF=$(readlink -f "$0")
ENGINE=$(dirname "$SELF")/engine.sh
NET=198.18.0
say() { echo "swarm: $*" >&2; }
die() { say "$*"; exit 1; }

# A process by its number and its start, as engine.sh knows it.
identity() { awk '{ sub(/.*\) /, ""); if ($1 != "Z") print $20 }' "/proc/$1/stat" 2>/dev/null; }
alive() {
  local pid start
  [ -s "$1" ] && read -r pid start < "$1" && [ -n "$start" ] && [ "$(identity "$pid")" = "$start" ] && echo "$pid"
}
holder() { # DIR WHO
  local file=$1/outside
  case $2 in node[1-9]) file=$1/$2/holder ;; outside) ;; *) die "who is $2?" ;; esac
  alive "$file" || die "$2 is not up"
}
within() { local pid; pid=$(holder "$1" "$2"); shift 2; nsenter -t "$pid" -n -- "$@"; }

outside_up() { # DIR
  local pid i
  ! alive "$1/outside" >/dev/null || return 0
  setsid unshare --net sleep infinity > /dev/null 2>&1 < /dev/null &
  pid=$!
  # Only once it has a network of its own.
  for ((i = 0; i < 100; i++)); do
    [ "$(readlink "/proc/$pid/ns/net")" = "$(readlink /proc/self/ns/net)" ] || break; sleep 0.02
  done
  echo "$pid $(identity "$pid")" > "$1/outside"
  within "$1" outside ip link set lo up
  within "$1" outside ip link add br0 type bridge
  within "$1" outside ip addr add $NET.1/24 dev br0
  within "$1" outside ip link set br0 up
}

plug() { # DIR N
  local pid; pid=$(holder "$1" "node$2")
  ! within "$1" outside ip link show "p$2" > /dev/null 2>&1 || return 0
  within "$1" outside ip link add "p$2" type veth peer name eth0 netns "$pid"
  within "$1" outside ip link set "p$2" master br0 up
  within "$1" "node$2" ip addr add "$NET.$((10 + $2))/24" dev eth0
  within "$1" "node$2" ip link set eth0 up
  within "$1" "node$2" ip route replace default via $NET.1
}

up() { # DIR N
  local n pids=()
  mkdir -p "$1"; : > "$1/.skypanel-swarm"
  outside_up "$1"
  for ((n = 1; n <= $2; n++)); do "$ENGINE" up "$1/node$n" & pids+=($!); done
  for n in "${pids[@]}"; do wait "$n"; done
  for ((n = 1; n <= $2; n++)); do plug "$1" "$n"; done
}

down() { # DIR
  local node pid
  [ -e "$1/.skypanel-swarm" ] || { say "there is no swarm in $1"; return; }
  for node in "$1"/node[1-9]; do [ ! -d "$node" ] || "$ENGINE" down "$node"; done
  if pid=$(alive "$1/outside"); then kill "$pid"; fi
  rm -rf "$1"
}

[ $# -ge 2 ] || { sed -n '2,9p' "$SELF"; exit 2; }
command=$1 dir=$(readlink -m "$2"); shift 2
case $command in
  up) up "$dir" "${1:-3}" ;;
  down) down "$dir" ;;
  exec) pid=$(holder "$dir" "$1"); shift; exec nsenter -t "$pid" -n -- "$@" ;;
  cut) within "$dir" outside ip link set "p${1#node}" down; say "$1 is cut off" ;;
  heal) within "$dir" outside ip link set "p${1#node}" up; say "$1 is plugged in" ;;
  *) die "what is $command?" ;;
esac
