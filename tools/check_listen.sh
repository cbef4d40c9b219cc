#!/usr/bin/env bash
# Opens `emobox listen` in headless Chromium, speaks into a fake microphone, and fails where something does not work
# (tools/check_listen.py says what).
#
#   tools/check_listen.sh EMOBOX [MODEL CLIP.wav]      without a model: one of the demo's synthetic voices
#
# CHROMIUM=PROGRAM names the browser. Without a browser the check says so and passes.
set -euo pipefail

export CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [ -z "$CHROMIUM" ]; then
  echo "skipped: no chromium to open the page with" >&2
  exit 0
fi
here=$(dirname "$0")
emobox=$1 model=${2:-} clip=${3:-}
if [ -z "$model" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  export EMOBOX_HOME=$work/home
  "$emobox" demo --quiet --out "$work/demo" >/dev/null
  raw=$(echo "$work"/home/demo-recordings/*)
  "$emobox" fit voices --quiet --corpus demo="$raw" --encoder fbank --training-seeds 1 >/dev/null
  model=voices
  clip=$(find "$raw" -name '*.wav' | sort | sed -n 1p)
fi
python3 "$here/check_listen.py" "$emobox" "$model" "$clip"
