#!/bin/sh
# Runs fuzz targets, seeded with the golden files: fuzz/run.sh SECONDS [TARGET…]
# Needs cargo-fuzz. Without a nightly compiler the address sanitiser is left out; overflows, failed assertions, panics,
# timeouts (10 s) and memory above 2 GiB are findings all the same.
set -eu
cd "$(dirname "$0")"
seconds=$1
shift
golden=../crates/checkpoint/tests/golden
for target in "${@:-$(cargo fuzz list)}"; do
    printf '%s\n' $target
done | while read -r target; do
    mkdir -p "corpus/$target"
    case $target in
        archive) cp $golden/*.pt "corpus/$target" ;;
        legacy) cp $golden/*legacy.pt "corpus/$target" ;;
        pickle)
            for file in $golden/*.pt; do
                unzip -p "$file" '*/data.pkl' > "corpus/$target/$(basename "$file").pkl" 2> /dev/null || true
            done ;;
        safetensors)
            printf '{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"format":"pt"}}' > "corpus/$target/seed" ;;
        index)
            printf '{"metadata":{"total_size":4},"weight_map":{"w":"a.safetensors"}}' > "corpus/$target/seed" ;;
    esac
    RUSTC_BOOTSTRAP=1 cargo fuzz run -s none --fuzz-dir . "$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
done
