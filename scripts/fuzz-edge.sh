#!/usr/bin/env bash
# fuzz-edge.sh [TARGET…] - cargo-fuzz on what the edge reads from strangers: request headers, hosts, PROXY headers, paths.
# SKY_FUZZ_SECONDS is for all targets together (600). What is found is kept in crates/edge/fuzz/artifacts, what was learnt in its corpus.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(header host proxy_header path)
has cargo-fuzz || { heading "Installing cargo-fuzz" >&2; cargo install --quiet --locked cargo-fuzz >&2; }
each=$((${SKY_FUZZ_SECONDS:-600} / ${#targets[@]}))

# No sanitizer: the code is safe Rust, and one would need another compiler. What is watched is what the targets assert.
cd "$ROOT/crates/edge/fuzz"
failed=()
for target in "${targets[@]}"; do
  heading "$target, $each seconds"
  mkdir -p "corpus/$target" artifacts
  log=artifacts/$target.log status=0
  nice -n 19 cargo fuzz run --fuzz-dir . --sanitizer none "$target" "corpus/$target" "seeds/$target" -- \
    -max_total_time="$each" -max_len=4096 -rss_limit_mb=1024 -print_final_stats=1 >"$log" 2>&1 || status=$?
  grep -E 'Done|panicked|assert|stat::number|SUMMARY|Test unit' "$log" || tail -n 20 "$log"
  # A target that was not built, or never began, found nothing either: that is no pass.
  [ $status = 0 ] && grep -q 'Done [1-9]' "$log" || failed+=("$target")
done
[ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}; see crates/edge/fuzz/artifacts"
say "nothing was found"
