#!/bin/bash
# A Docker engine of its own for tests: own data, own socket, own network, own cgroups. It shares nothing with the machine's
# Docker, which it neither needs nor touches, and nothing in it reaches the outside.
#
#   engine.sh up DIR          start it, unless it runs; its socket is DIR/docker.sock
#   engine.sh exec DIR CMD…   run a command in its network, where its tasks' ports are; files and processes stay the machine's
#   engine.sh kill DIR        let dockerd and containerd die at once (SIGKILL); containers go on, as after a real crash
#   engine.sh crash DIR       the machine loses power: dockerd and every container die, bridges and packet filter are gone
#   engine.sh restart DIR     start dockerd again, after `kill` or in place of the one that runs
#   engine.sh down DIR        end it and remove everything that it had
#
# One process, the holder, keeps the engine's namespaces alive across crashes of dockerd and starts it when told through a pipe.
# It is a subreaper, because the first process of some machines reaps nobody. What belongs to the engine is known by its cgroup:
# `down` ends exactly the processes in there.
set -euo pipefail

SELF=$(readlink -f "$0")
say() { echo "engine: $*" >&2; }
die() { say "$*"; exit 1; }

# The engine's name among the machine's cgroups.
name_of() { echo "skypanel-engine-$(printf %s "$1" | cksum | cut -d' ' -f1)"; }

# A process as "pid start-time": numbers are used again, this pair is not. Zombies count as gone.
identity() { awk '{ sub(/.*\) /, ""); if ($1 != "Z") print $20 }' "/proc/$1/stat" 2>/dev/null; }
remember() { echo "$2 $(identity "$2")" > "$1"; }
alive() {
  local pid start
  [ -s "$1" ] && read -r pid start < "$1" && [ -n "$start" ] && [ "$(identity "$pid")" = "$start" ] && echo "$pid"
}
wait_gone() { # FILE SECONDS
  local i; for ((i = 0; i < $2 * 20; i++)); do alive "$1" >/dev/null || return 0; sleep 0.05; done; return 1
}
answers() { docker -H "unix://$1/docker.sock" version >/dev/null 2>&1; }

need() {
  local tool package missing=
  [ "$(id -u)" = 0 ] || die "an engine needs root: sudo $SELF …"
  for tool in dockerd:docker.io docker:docker.io tini:tini ip:iproute2 iptables:iptables nsenter:util-linux; do
    package=${tool#*:}; command -v "${tool%%:*}" >/dev/null || missing="$missing $package"
  done
  [ -z "$missing" ] || die "missing: apt-get install --no-install-recommends$missing"
}

# Cgroups as a plain Docker host has them, in a mount namespace of our own; both versions. The hierarchies are the machine's.
mount_cgroups() {
  local line rest names dir c
  if ! grep -qE '^[0-9]+:[a-z_,]*(memory|cpu)' /proc/self/cgroup; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    return
  fi
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  while IFS= read -r line; do
    rest=${line#*:}; names=${rest%%:*}
    case $names in "" | name=*) continue ;; esac
    dir=/sys/fs/cgroup/$names; mkdir "$dir"; mount -t cgroup -o "$names" cgroup "$dir"
    case $names in *,*) for c in ${names//,/ }; do ln -s "$names" "/sys/fs/cgroup/$c"; done ;; esac
  done < /proc/self/cgroup
  # Without the hierarchy that systemd names, `docker exec` fails.
  mkdir /sys/fs/cgroup/systemd; mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
}

# Our cgroup in every hierarchy.
cgroups() { # NAME
  local dir
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo "/sys/fs/cgroup/$1"; return; fi
  for dir in /sys/fs/cgroup/*/; do [ -L "${dir%/}" ] || echo "$dir$1"; done
}

make_cgroups() { # NAME
  local top dir f
  for top in $(cgroups "$1"); do
    for dir in "$top" "$top/holder" "$top/daemon"; do
      mkdir -p "$dir"
      # A cpuset takes no process until it is told what it may use.
      for f in cpuset.cpus cpuset.mems; do
        if [ -e "$dir/$f" ] && [ -z "$(cat "$dir/$f")" ]; then cat "${dir%/*}/$f" > "$dir/$f" 2>/dev/null || true; fi
      done
    done
  done
}

# Moves this shell into a cgroup. (Whoever runs `$$` in a subshell moves its parent.)
join() { local dir; for dir in $(cgroups "$1"); do echo "$BASHPID" > "$dir/cgroup.procs"; done; }

# Ends every process in our cgroups, the holder too, then removes them. Runs where they are mounted.
__sweep() { # NAME
  local i dir procs
  for ((i = 0; i < 100; i++)); do
    procs=$(for dir in $(cgroups "$1"); do find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null || true; done | sort -un)
    [ -n "$procs" ] || break
    # shellcheck disable=SC2086 # one word per process
    kill -9 $procs 2>/dev/null || true
    sleep 0.05
  done
  for ((i = 0; i < 40; i++)); do
    for dir in $(cgroups "$1"); do [ ! -d "$dir" ] || find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
    for dir in $(cgroups "$1"); do [ ! -d "$dir" ] || { sleep 0.05; continue 2; }; done
    return 0
  done
  say "some cgroups of $1 are left"
}

# Ends dockerd, its helpers and every container, but not the holder.
__end_all() { # NAME
  local i dir procs
  for ((i = 0; i < 100; i++)); do
    procs=$(for dir in $(cgroups "$1"); do find "$dir"/daemon "$dir"/containers -name cgroup.procs -exec cat {} + 2>/dev/null || true; done | sort -un)
    [ -n "$procs" ] || return 0
    # shellcheck disable=SC2086 # one word per process
    kill -9 $procs 2>/dev/null || true
    sleep 0.05
  done
  say "some processes of $1 are left"
}

# What a kernel forgets when it starts: rules of the packet filter, bridges, and what hung on them. Cables stay.
__forget() {
  local table link
  for table in filter nat mangle raw; do
    iptables -t $table -F; iptables -t $table -X; ip6tables -t $table -F 2>/dev/null || true; ip6tables -t $table -X 2>/dev/null || true
  done
  for link in filter:INPUT filter:FORWARD filter:OUTPUT; do iptables -t "${link%:*}" -P "${link#*:}" ACCEPT; done
  for link in $(ip -o link show type bridge | awk -F': ' '{ print $2 }'); do ip link del "$link"; done
}

# The holder: prepares the namespaces, then starts dockerd whenever it is told.
__hold() { # DIR
  local dir=$1 name word resolver
  name=$(name_of "$dir")
  ip link set lo up
  mount --make-rshared / # like a systemd machine, else binds with propagation fail
  resolver=$(readlink -f /etc/resolv.conf)
  umount -R /sys/fs/cgroup 2>/dev/null || true
  mount -t sysfs sysfs /sys
  mount_cgroups
  make_cgroups "$name"
  join "$name/holder"
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/lock /etc/docker "$(dirname "$resolver")"
  mount --bind "$dir/etc" /etc/docker
  [ -e "$resolver" ] || touch "$resolver"
  mount --bind "$dir/resolv.conf" "$resolver"
  ulimit -n 1048576 2>/dev/null || true
  touch "$dir/ready"
  while read -r word; do
    [ "$word" = start ] || continue
    (
      join "$name/daemon"
      exec dockerd -H "unix://$dir/docker.sock" --config-file "$dir/etc/daemon.json" --data-root "$dir/data" \
        --pidfile "$dir/pidfile" --cgroup-parent "/$name/containers" >> "$dir/dockerd.log" 2>&1
    ) &
    remember "$dir/dockerd" $!
  done <> "$dir/control"
}

# The same where no holder has them mounted.
sweep_afresh() { # NAME
  # shellcheck disable=SC2016 # for the inner shell
  unshare --mount --propagation private bash -c 'umount -R /sys/fs/cgroup 2>/dev/null; exec "$1" __mount_and_sweep "$2"' _ "$SELF" "$1"
}

start_holder() { # DIR
  local dir=$1 i
  sweep_afresh "$(name_of "$dir")" # of a holder that was killed
  rm -f "$dir/control" "$dir/ready"
  mkfifo "$dir/control"
  setsid unshare --net --mount --propagation private tini -s -- "$SELF" __hold "$dir" > "$dir/holder.log" 2>&1 < /dev/null &
  for ((i = 0; i < 100; i++)); do [ ! -e "$dir/ready" ] || break; sleep 0.05; done
  [ -e "$dir/ready" ] || { cat "$dir/holder.log" >&2; die "its namespaces could not be made"; }
  remember "$dir/holder" $!
}

start_dockerd() { # DIR
  local dir=$1 i
  rm -f "$dir/dockerd" "$dir/pidfile"
  echo start > "$dir/control"
  for ((i = 0; i < 600; i++)); do
    ! answers "$dir" || return 0
    [ $i -lt 40 ] || alive "$dir/dockerd" >/dev/null || break
    sleep 0.05
  done
  tail -20 "$dir/dockerd.log" >&2
  die "dockerd did not start; its log is $dir/dockerd.log"
}

up() {
  local dir=$1 begun=$SECONDS
  need
  [ ${#dir} -lt 90 ] || die "$dir is too long a path for a socket"
  mkdir -p "$dir/etc" "$dir/data"
  if alive "$dir/holder" >/dev/null && alive "$dir/dockerd" >/dev/null && answers "$dir"; then
    say "running already: unix://$dir/docker.sock"
    return
  fi
  [ -e "$dir/.skypanel-engine" ] || : > "$dir/.skypanel-engine"
  # Nothing listens there: a name that is looked up fails at once instead of after a minute.
  echo "nameserver 127.0.0.1" > "$dir/resolv.conf"
  cat > "$dir/etc/daemon.json" <<'JSON'
{ "exec-opts": ["native.cgroupdriver=cgroupfs"], "log-driver": "json-file", "log-opts": { "max-size": "10m" }, "shutdown-timeout": 3,
  "insecure-registries": ["198.18.0.0/24"] }
JSON
  alive "$dir/holder" >/dev/null || start_holder "$dir"
  start_dockerd "$dir"
  say "up in $((SECONDS - begun)) s: unix://$dir/docker.sock"
}

end_dockerd() { # DIR SIGNAL
  local dir=$1 pid containerd
  pid=$(alive "$dir/dockerd") || return 0
  containerd=$(pgrep -P "$pid" -x containerd || true)
  kill "-$2" "$pid"
  # shellcheck disable=SC2086 # none or one word
  [ "$2" != KILL ] || [ -z "$containerd" ] || kill -KILL $containerd 2>/dev/null || true
  wait_gone "$dir/dockerd" 20 || { kill -KILL "$pid"; wait_gone "$dir/dockerd" 5; }
}

down() {
  local dir=$1 pid name
  name=$(name_of "$dir")
  if [ ! -e "$dir/.skypanel-engine" ]; then say "there is no engine in $dir"; return; fi
  end_dockerd "$dir" TERM
  if pid=$(alive "$dir/holder"); then
    nsenter -t "$pid" -m -- "$SELF" __sweep "$name"
  else
    sweep_afresh "$name"
  fi
  rm -rf "$dir"
  say "down, nothing is left of it"
}

[ $# -ge 2 ] || { sed -n '2,13p' "$SELF"; exit 2; }
command=$1; shift
case $command in
  up | down | kill | crash | restart | exec) dir=$(readlink -m "$1"); shift ;;
esac
case $command in
  up) up "$dir" ;;
  down) down "$dir" ;;
  kill) end_dockerd "$dir" KILL; say "dockerd and containerd are dead" ;;
  crash)
    pid=$(alive "$dir/holder") || die "it is not up: engine.sh up $dir"
    nsenter -t "$pid" -m -- "$SELF" __end_all "$(name_of "$dir")"
    wait_gone "$dir/dockerd" 5
    nsenter -t "$pid" -n -- "$SELF" __forget -
    say "it lost power" ;;
  restart)
    alive "$dir/holder" >/dev/null || die "it is not up: engine.sh up $dir"
    end_dockerd "$dir" TERM; start_dockerd "$dir"; say "up again" ;;
  exec)
    pid=$(alive "$dir/holder") || die "it is not up: engine.sh up $dir"
    exec nsenter -t "$pid" -n -- "$@" ;;
  __end_all) __end_all "$1" ;;
  __forget) __forget ;;
  __hold) __hold "$1" ;;
  __sweep) __sweep "$1" ;;
  __mount_and_sweep) mount_cgroups; __sweep "$1" ;;
  *) die "what is $command?" ;;
esac
