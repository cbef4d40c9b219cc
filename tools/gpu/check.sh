#!/usr/bin/env bash
# Proves and measures the GPU device on a machine with a card, which needs neither Rust nor a network.
#
#   tools/gpu/check.sh build     here: builds what is carried there, into target/device (four programs, stripped);
#                                `build dev`: with the binary that the tests have built
#   tools/gpu/check.sh           there, in the root of a copy of the tree with target/device: every step, a table last
#   tools/gpu/check.sh --host    on any machine with a C++ compiler: the same steps in small on the host's kernels
#
# Results also go to $OUT/check.json where OUT is set, else to target/device/check.json. Exit code 1 where a step failed.
set -euo pipefail
cd "$(dirname "$0")/../.."
place=target/device

# The program of a crate's tests, as cargo names it. All are built: of one crate alone, its dependencies would be built anew with
# other features.
test_program() {
  cargo test --workspace --locked --no-run --message-format=json --test it |
    python3 -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and f"/{sys.argv[1]}/" in message["manifest_path"]:
        print(message["executable"])' "$1"
}

if [[ ${1-} == build ]]; then
  mkdir -p "$place"
  binary=target/debug/emobox
  if [[ ${2-} != dev ]]; then
    cargo build --release --locked -p emobox
    binary=target/release/emobox
  fi
  strip -o "$place/emobox" "$binary"
  for crate in gpu encoder probe; do
    strip -o "$place/$crate-tests" "$(test_program "$crate")"
  done
  ls -l "$place"
  exit
fi
exec python3 tools/gpu/check.py "$@"
