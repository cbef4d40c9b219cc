#!/usr/bin/env bash
# Kills an emobox command with -9 at random moments, lets it finish, and compares its scores.json with
# that of an undisturbed run.
#
#   tools/kill_resume.sh KILLS MAX_SECONDS EXPECTED_SCORES OUT -- emobox bench … --home H --out OUT
set -euo pipefail
kills=$1 longest=$2 expected=$3 out=$4
shift 5
for ((k = 1; k <= kills; k++)); do
  "$@" --quiet >/dev/null 2>&1 &
  pid=$!
  wait_for=$(awk -v seed="$RANDOM" -v most="$longest" 'BEGIN { srand(seed); print rand() * most }')
  sleep "$wait_for"
  if kill -9 "$pid" 2>/dev/null; then
    printf 'kill %d after %.2f s\n' "$k" "$wait_for"
  else
    printf 'kill %d: already finished\n' "$k"
  fi
  wait "$pid" 2>/dev/null || true
done
"$@" --quiet >/dev/null
if cmp "$expected" "$out/scores.json"; then
  echo "scores.json is the same, byte for byte"
else
  echo "scores.json differs" >&2
  exit 1
fi
