#!/bin/bash
# Puts base images on an engine that reaches no registry, made from what this machine has installed.
#
#   DOCKER_HOST=unix:///…/docker.sock base-images.sh
#
# busybox:latest, from Debian's static busybox: every applet by its name, /tmp, a root user, `sh` as its command. Done in about
# two seconds the first time and at once after that.
set -euo pipefail
say() { echo "images: $*" >&2; }

: "${DOCKER_HOST:?names the engine, for instance unix:///tmp/engine/docker.sock}"

make_busybox() {
  local root applet
  local busybox; busybox=$(command -v busybox) || { say "missing: apt-get install busybox-static"; exit 1; }
  # A dynamically linked one would find no libraries in an empty image.
  if ldd "$busybox" >/dev/null 2>&1; then say "$busybox is not static: apt-get install busybox-static"; exit 1; fi
  root=$(mktemp -d)
  trap 'rm -rf "$root"' RETURN
  mkdir -p "$root"/{bin,etc,root,tmp,var/www}
  chmod 1777 "$root/tmp"
  cp "$busybox" "$root/bin/busybox"
  for applet in $("$busybox" --list); do [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"; done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"
  tar -C "$root" --owner=0 --group=0 --numeric-owner -c . | docker import -c 'CMD ["sh"]' -c 'ENV PATH=/bin' - busybox:latest >/dev/null
}

if docker image inspect busybox:latest >/dev/null 2>&1; then
  say "busybox:latest is there"
else
  make_busybox
  say "busybox:latest made"
fi
