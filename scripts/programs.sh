# The programs that compile.sh made, for the stages. Sourced after lib.sh.
# shellcheck shell=bash

# What was compiled for all stages at once is listed in $SKY_PROGRAMS; a stage that is run alone compiles for itself.
stage=$(basename "$0" .sh)
if [ -z "${SKY_PROGRAMS:-}" ]; then
  SKY_PROGRAMS=$(mktemp)
  "$ROOT/scripts/compile.sh" "$stage" >"$SKY_PROGRAMS"
fi

# program KIND NAME: where it lies.
program() {
  local path
  path=$(awk -v kind="$1" -v name="$2" '$1 == kind && $2 == name { print $4 }' "$SKY_PROGRAMS" | tail -n 1)
  [ -x "$path" ] || die "cargo did not say where the program '$2' is"
  echo "$path"
}

# run_tests KIND NAME ARGUMENTS…: starts a test program where cargo would; says of each test how long it took, and names the slowest.
run_tests() {
  local path folder log verdict=0
  path=$(program "$1" "$2")
  folder=$(awk -v path="$path" '$4 == path { print $3 }' "$SKY_PROGRAMS" | tail -n 1)
  log=${SKYPANEL_TEST_DIR:-/tmp}/$1-$2.log
  shift 2
  # The harness tells times to those who ask for what is not promised yet; it is a switch of the harness, not of the compiler.
  (cd "$folder" && RUSTC_BOOTSTRAP=1 "$path" "$@" -Z unstable-options --report-time) 2>&1 | tee "$log" || verdict=$?
  sed -n 's/^test \(.*\) \.\.\. ok <\([0-9.]*\)s>$/\2 s  \1/p' "$log" | sort -rn | awk '$1 >= 5 && n++ < 10' | sed '1i\    the slowest:' | sed '2,$s/^/      /'
  rm -f "$log"
  return $verdict
}
