#!/usr/bin/env bash
# bench.sh [PART…] - runs the parts in scripts/bench/ and writes what they measured into docs/benchmarks.md.
# A part prints lines of the form   BENCH <name> <value> <unit> <limit> ok|short   ("-" where there is no limit: a reference).
# What one run does not measure keeps its line; "short" means that the limit is missed, and makes this fail.
# SKY_BENCH_PARTS is another folder of parts, for the test of this script; nothing is installed and nothing written then.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

ALL=(wasm pages api idle deploy edge time)
folder=${SKY_BENCH_PARTS:-$ROOT/scripts/bench}
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=("${ALL[@]}")
for part in "${parts[@]}"; do
  [ -f "$folder/$part.sh" ] || die "there is nothing to measure called '$part'; there are: ${ALL[*]}"
done

[ -n "${SKY_BENCH_PARTS:-}" ] || "$ROOT/scripts/setup.sh" bench
scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/skypanel-bench.XXXXXX")
# Cleans up when this process is gone, also where it is killed. In a session of its own: Ctrl-C is not meant for it.
setsid "$ROOT/scripts/bench/sweep.sh" $$ <<<"$scratch" >/dev/null 2>&1 &
trap 'exit 130' INT
trap 'exit 143' TERM

# Waited for in the background: a signal would wait for a part to end otherwise.
broken=()
for part in "${parts[@]}"; do
  heading "$part"
  mkdir "$scratch/$part"
  SKYPANEL_TEST_DIR=$scratch/$part bash "$folder/$part.sh" </dev/null > >(tee "$scratch/$part.log") &
  wait $! || broken+=("$part")
  sleep 0.2 # the log's last line
done
if [ -n "${SKY_BENCH_PARTS:-}" ]; then exit; fi

# The table: the old lines, each replaced where there is a new one, and the new ones after them, sorted by name.
report=$ROOT/docs/benchmarks.md
# shellcheck disable=SC2016  # those are Markdown's backticks
{ sed -n '/<!-- figures -->/,/<!-- end of figures -->/p' "$report" | sed -n 's/^| `\([^`]*\)` | \([^ ]*\) \([^ ]*\) | \([^ ]*\) | \([^ ]*\) |$/BENCH \1 \2 \3 \4 \5/p'
  sed -n '/^BENCH /p' "$scratch"/*.log; } |
  awk '{ line[$2] = $0 } END { for (name in line) print line[name] }' | LC_ALL=C sort >"$scratch/figures"
cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)
{ sed '/<!-- figures -->/q' "$report"
  echo
  echo "Measured on $(nproc) cores (${cpu:-unknown processor}), $(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GiB of memory."
  echo
  echo '| What | Measured | Limit | |'
  echo '| --- | ---: | ---: | --- |'
  awk '{ printf "| `%s` | %s %s | %s | %s |\n", $2, $3, $4, $5, $6 }' "$scratch/figures"
  echo
  sed -n '/<!-- end of figures -->/,$p' "$report"; } >"$scratch/report"
cp "$scratch/report" "$report"

heading "Written to docs/benchmarks.md"
awk '{ printf "    %-44s %12s %-6s limit %-10s %s\n", $2, $3, $4, $5, $6 }' "$scratch/figures"
[ ${#broken[@]} = 0 ] || die "these parts broke: ${broken[*]}"
! grep -qs '^BENCH .* short$' "$scratch"/*.log || die "a limit is missed"
