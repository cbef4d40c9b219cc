#!/bin/sh
# Runs fuzz targets under libFuzzer from the seeds of crates/fuzz: fuzz/run.sh SECONDS [TARGET…]
# Needs cargo-fuzz. Without a nightly compiler the address sanitiser is left out; overflows, failed assertions, panics,
# timeouts (10 s) and memory above 2 GiB are findings all the same.
set -eu
cd "$(dirname "$0")"
seconds=$1
shift
export EMOBOX_FFMPEG=/nonexistent/ffmpeg
for target in "${@:-$(cargo fuzz list)}"; do
    printf '%s\n' $target
done | while read -r target; do
    mkdir -p "corpus/$target"
    # Each target starts from every small seed there is; libFuzzer keeps those that lead anywhere.
    find ../crates/fuzz/seeds ../crates/checkpoint/tests/golden ../crates/corpus/tests/forms -type f -size -64k \
        -exec cp {} "corpus/$target" \;
    RUSTC_BOOTSTRAP=1 cargo fuzz run -s none --fuzz-dir . "$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
done
