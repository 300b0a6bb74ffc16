#!/usr/bin/env bash
# postgres.sh up|down DIR - a PostgreSQL for tests: a cluster of its own in DIR, on a Unix socket alone, as fast as it is forgetful.
# `up` prints the address to connect to.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# = 2 ] || die "usage: scripts/postgres.sh up|down DIR"
dir=$2
# shellcheck disable=SC2012  # version numbers, sorted as such
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
bin=${bin:-$(dirname "$(command -v initdb)")}

# PostgreSQL refuses to run as root; the distribution's package brings a user for it.
as_postgres() {
  if [ "$(id -u)" != 0 ]; then "$@"; else (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$@"); fi
}

case $1 in
  up)
    mkdir -p "$dir"
    [ "$(id -u)" != 0 ] || chown postgres: "$dir"
    as_postgres "$bin/initdb" --pgdata="$dir/data" --username=skypanel --auth=trust --encoding=UTF8 --no-locale --no-sync >"$dir/log" 2>&1 ||
      { cat "$dir/log" >&2; die "initdb failed"; }
    as_postgres "$bin/pg_ctl" --pgdata="$dir/data" --log="$dir/data/log" --wait --silent \
      -o "-k '$dir' -c listen_addresses='' -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=300" start ||
      { cat "$dir/data/log" >&2; die "PostgreSQL did not start"; }
    echo "postgres://skypanel@localhost/postgres?host=$dir"
    ;;
  down)
    [ ! -d "$dir" ] || as_postgres "$bin/pg_ctl" --pgdata="$dir/data" --mode=immediate --silent stop || true
    rm -rf "$dir"
    ;;
  *) die "usage: scripts/postgres.sh up|down DIR" ;;
esac
