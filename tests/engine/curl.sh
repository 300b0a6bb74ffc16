#!/bin/sh
# The whole path through the API, with curl and nothing else:
#
#   PANEL=http://localhost:3000 EDGE=http://localhost:8080 SETUP=<token of the one-time link> REPOSITORY=http://…/shop.git curl.sh
#
# The repository's Dockerfile serves "one" on its branch `main`, does not build on `broken`, and serves "two" on `next`.
set -eu

say() { echo "- $*"; }
die() { echo "curl.sh: $*" >&2; exit 1; }

# The first value of a key in a JSON text. (With jq at hand one would take that.)
first() { printf %s "$1" | grep -o "\"$2\":\"[^\"]*\"" | head -n 1 | cut -d'"' -f4; }

# call METHOD PATH [JSON]: an answer of the API; the script ends where it is a refusal.
call() {
  method=$1 path=$2
  shift 2
  [ $# = 0 ] || set -- --data "$1"
  curl --silent --show-error --fail-with-body --request "$method" --header "Authorization: Bearer ${TOKEN:-}" \
    --header 'Content-Type: application/json' "$@" "$PANEL$path" || die "$method $path was refused"
}

# What a visitor reads.
visit() { curl --silent --show-error --fail --header "Host: $HOST" "$EDGE/"; }
reads() { [ "$(visit)" = "$1" ] || die "the page reads '$(visit)' and not '$1'"; }

answer=$(call POST /api/auth/register \
  '{"name":"Ada Lovelace","email":"ada@example.com","password":"correct horse battery","setup_token":"'"$SETUP"'"}')
TOKEN=$(first "$answer" access_token)
say "registered by the one-time link"

answer=$(call POST /api/paas/applications '{"name":"shop","source":{"git":{"repository_url":"'"$REPOSITORY"'","branch":"main"}}}')
APP=$(first "$answer" id)
HOST=$(first "$answer" url | sed 's,http://,,; s,:[0-9]*$,,')
say "created $APP"

answer=$(call POST "/api/paas/applications/$APP/deploy?wait=120")
[ "$(first "$answer" phase)" = live ] || die "the first deployment: $answer"
FIRST=$(first "$answer" id)
reads one
say "deployed, and a visitor reads it"

call POST "/api/paas/applications/$APP/scale" '{"replicas":3}' > /dev/null
tries=0
until call GET "/api/paas/applications/$APP" | grep -q '"replicas":{"wanted":3,"running":3}'; do
  tries=$((tries + 1)); [ $tries -lt 60 ] || die "there are no three replicas"
  sleep 0.5
done
say "scaled to three"

# Visitors are spread over all three, and the logs of all three are one stream.
tries=0
until [ "$(call GET "/api/paas/applications/$APP/logs?search=200&limit=1000" | grep -o '"slot":[0-9]*' | sort -u | wc -l)" = 3 ]; do
  tries=$((tries + 1)); [ $tries -lt 60 ] || die "not all three replicas have written"
  reads one
done
curl --silent --no-buffer --max-time 3 --header "Authorization: Bearer $TOKEN" "$PANEL/api/paas/applications/$APP/logs?follow=true" |
  grep -q '^event: line' || die "the stream of the logs is silent"
say "read and followed the logs of all three"

answer=$(call POST "/api/paas/applications/$APP/deploy?wait=120" '{"branch":"broken"}')
[ "$(first "$answer" phase)" = failed ] || die "the bad commit: $answer"
printf %s "$answer" | grep -q '"code":"build_failed"' || die "the bad commit failed otherwise: $answer"
reads one
say "a bad commit failed, and the old release still answers: $(first "$answer" sentence)"

answer=$(call POST "/api/paas/applications/$APP/deploy?wait=120" '{"branch":"next"}')
[ "$(first "$answer" phase)" = live ] || die "the second release: $answer"
reads two
answer=$(call POST "/api/paas/deployments/$FIRST/rollback?wait=120")
[ "$(first "$answer" phase)" = live ] || die "rolling back: $answer"
reads one
say "deployed another release and rolled back"

call DELETE "/api/paas/applications/$APP" > /dev/null
tries=0
while visit > /dev/null 2>&1; do
  tries=$((tries + 1)); [ $tries -lt 60 ] || die "a deleted application still answers"
  sleep 0.5
done
say "deleted"
