#!/usr/bin/env bash
# The paper's benchmark in small: 32 corpora in the layouts and containers of their releases × ten encoders of the
# paper's families (random weights from the tests) × one quick head, from one experiment file. With a corpus whose test
# part is broken, one that is absent, an encoder that does not open, ffmpeg taken away and given back, a kill in each
# stage; in one process and on a Slurm of this machine. Then Table 5 of the paper in small: four corpora on each other's
# balanced sets, of which one lacks a class. Every cell's state and every score is compared.
#
#   tools/paper_in_miniature.sh EMOBOX [WORK]
#
# Needs ffmpeg, and for the cluster slurm and munge.
set -euo pipefail
emobox=$(readlink -f "$1")
# Tens of thousands of small files are flushed to the disk one by one: in memory where there is room for them.
memory=/dev/shm
[ "$(df --output=avail -k "$memory" 2>/dev/null | tail -n 1)" -gt 2000000 ] 2>/dev/null && roomy=$memory/emobox-miniature || roomy=target/miniature
work=${2:-$roomy}
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
rm -rf "$work"
mkdir -p "$work"
work=$(cd "$work" && pwd)
step() { printf -- '-- %s (%s s)\n' "$1" "$SECONDS"; }
fail() {
  echo "FAILED: $1" >&2
  tail -n 8 "$work"/*.log >&2 || true
  exit 1
}
cluster=$here/slurm_test_cluster.sh
# shellcheck disable=SC2317
finish() {
  "$cluster" stop "$work/cluster" >/dev/null 2>&1 || true
  [ "$work" != "$memory/emobox-miniature" ] || rm -rf "$work"
}
trap finish EXIT

step 'releases and encoders'
EMOBOX_RELEASES=$work/raw cargo test -q --locked --workspace --test reference_trees write_releases -- --ignored >"$work/releases.log" 2>&1 || fail 'the releases'
EMOBOX_ENCODERS=$work/encoders cargo test -q --locked --workspace --test it write_encoders -- --ignored >"$work/encoders.log" 2>&1 || fail 'the encoders'
golden=$here/../crates/encoder/tests/golden
cp "$golden/data2vec2-base.pt" "$golden/data2vec2-large.pt" "$work/encoders"
cp "$golden/whisper-128.pt" "$work/encoders/whisper-large-v3.pt"
# One encoder does not open, one corpus is absent, one has a test part of noise instead of audio.
truncate -s 2000 "$work/encoders/wavlm-large/model.safetensors"
mv "$work/raw/subesco" "$work/subesco-elsewhere"
find "$work/raw/mer2023" -path '*test*' \( -name '*.avi' -o -name '*.mp4' \) -exec sh -c 'head -c 4000 /dev/urandom >"$1"' _ {} \;

experiment=$work/experiment.toml
{
  printf 'scheme = "paper"\nhead = "mean-linear"\ntraining_seeds = 1\nallow_missing = true\nmaps = "none"\n'
  for corpus in $(sed -n '/^\[\[corpus\]\]/,/^name/s/^name = "\(.*\)"/\1/p' "$here/../docs/paper.toml"); do
    printf '[[corpus]]\nname = "%s"\nraw = "raw/%s"\n' "$corpus" "$corpus"
  done
  for name in wav2vec2-base hubert-base hubert-large wavlm-base wavlm-large data2vec-base data2vec-large; do
    printf '[[encoder]]\nname = "%s"\npath = "encoders/%s"\n' "$name" "$name"
  done
  for name in data2vec2-base data2vec2-large whisper-large-v3; do
    printf '[[encoder]]\nname = "%s"\npath = "encoders/%s.pt"\n' "$name" "$name"
  done
  printf '[slurm]\npartition = "debug"\ntime = "10:00"\nmemory = "500M"\ncpus = 1\nthrottle = 16\nretries = 1\n'
  printf 'poll_seconds = 0.5\nsettle_seconds = 2\n'
} >"$experiment"

run() { # COMMAND EXPERIMENT HOME-AND-OUT OPTIONS...
  local command=$1 experiment=$2 name=$3
  shift 3
  code=0
  "$emobox" "$command" "$experiment" --home "$work/$name" --out "$work/$name-out" --quiet "$@" >"$work/$name.txt" 2>>"$work/$name.log" || code=$?
}
bench() { run bench "$experiment" "$@"; }
cells() { # OUT: one line a cell, `corpus encoder ua` or `corpus encoder stage`
  python3 - "$work/$1-out/scores.json" <<'PY'
import json, sys
scores = json.load(open(sys.argv[1]))
for run in scores["runs"]:
    if run["fold"] == "mean":
        print(run["corpus"], run["encoder"], "scored", run["ua"])
for cell in scores.get("absent", []):
    print(cell["corpus"], cell["encoder"], cell["state"], cell["stage"])
PY
}
expect_cells() { # OUT, corpora whose files cannot be read
  cells "$1" | sort >"$work/$1.cells"
  [ "$(wc -l <"$work/$1.cells")" = 320 ] || fail "$1: $(wc -l <"$work/$1.cells") cells"
  awk -v away="$2" '
    function want(state) { if ($3 " " ($3 == "scored" ? "" : $4) != state) { print "expected " state ": " $0; bad = 1 } }
    $1 == "subesco" || $1 == "mer2023" { want("failed prepare"); next }
    index(" " away " ", " " $1 " ") || $2 == "wavlm-large" { want("failed extract"); next }
    { want("scored ") }
    END { exit bad }' "$work/$1.cells" >"$work/$1.wrong" || fail "$1: $(head -5 "$work/$1.wrong")"
}

step 'looked at before: everything that is wrong, at once'
begun=$(date +%s%N)
code=0
"$emobox" bench "$experiment" --home "$work/local" --out "$work/local-out" --check >"$work/check.txt" 2>"$work/check.log" || code=$?
took=$((($(date +%s%N) - begun) / 1000000))
[ "$code" = 3 ] || fail "--check ended with $code"
grep -q '^subesco: the raw folder' "$work/check.txt" && grep -q '^wavlm-large: ' "$work/check.txt" || fail "--check found $(cat "$work/check.txt")"
[ ! -d "$work/local/features" ] || fail '--check has encoded'
echo "   $took ms"

step 'in one process, without ffmpeg'
EMOBOX_FFMPEG=/nonexistent/ffmpeg bench local --features discard
[ "$code" = 3 ] || fail "ended with $code"
videos='enterface emns meld'
expect_cells local "$videos"

step 'ffmpeg is back'
bench local --features discard
[ "$code" = 3 ] || fail "ended with $code"
expect_cells local ''
! find "$work/local/features" -name '*.safetensors' | grep -q . || fail 'features were left behind'

step 'killed in each stage'
for after in 0.3 1 2 4 8 12; do
  timeout -s KILL "$after" "$emobox" bench "$experiment" --home "$work/killed" --out "$work/killed-out" --quiet >/dev/null 2>>"$work/killed.log" || true
  code=0
  "$emobox" report "$work/killed-out" --csv >"$work/killed.csv" 2>>"$work/killed.log" || case $after in 0.3 | 1 | 2) ;; *) fail "no report after $after s" ;; esac
done
bench killed
expect_cells killed ''
cmp "$work/local-out/scores.json" "$work/killed-out/scores.json" || fail 'scores after kills differ'

step 'nothing is left to do'
bench killed
! grep -q 'encoding\|training' "$work/killed.txt" || fail 'finished work was done again'
cmp "$work/local-out/scores.json" "$work/killed-out/scores.json" || fail 'scores of a second run differ'

step 'across corpora, killed too'
across=$work/cross.toml
{
  printf 'head = "mean-linear"\ntraining_seeds = 1\nallow_missing = true\nmaps = "none"\n'
  printf '[cross]\nlabeller = { name = "hubert-base", path = "encoders/hubert-base" }\n[cross.classes]\n'
  printf 'angry = ["Angry"]\nhappy = ["Happy"]\nneutral = ["Neutral"]\nsad = ["Sad"]\n'
  for corpus in iemocap meld ravdess savee; do
    printf '[[corpus]]\nname = "%s"\nraw = "raw/%s"\n' "$corpus" "$corpus"
  done
  printf '[[encoder]]\nname = "wav2vec2-base"\npath = "encoders/wav2vec2-base"\n'
  printf '[[encoder]]\nname = "whisper-large-v3"\npath = "encoders/whisper-large-v3.pt"\n'
  sed -n '/^\[slurm\]/,$p' "$experiment"
} >"$across"
cross() { run cross "$across" "$@"; }
cross across
[ "$code" = 3 ] || fail "across corpora ended with $code"
python3 - "$work/across-out/scores.json" <<'PY' || fail 'pairs of corpora'
import json, sys
scores = json.load(open(sys.argv[1]))
pairs = {(m["encoder"], c["train"], c["test"]) for m in scores["cross"] for c in m["cells"]}
empty = {(a["encoder"], a["corpus"], a["tested_on"]) for a in scores["absent"]}
# The miniature MELD has nobody angry: its own pairs are empty, and no other.
assert len(pairs) == len(empty) == 12, (pairs, empty)
assert all("meld" not in pair for pair in pairs) and all("meld" in pair for pair in empty)
assert all("meld has no class Angry" in a["reason"] for a in scores["absent"])
PY
for after in 0.2 0.5 1 2 3; do
  timeout -s KILL "$after" "$emobox" cross "$across" --home "$work/across-killed" --out "$work/across-killed-out" --quiet >/dev/null 2>>"$work/killed.log" || true
done
cross across-killed
cmp "$work/across-out/scores.json" "$work/across-killed-out/scores.json" || fail 'scores across corpora differ after kills'

if command -v slurmctld >/dev/null; then
  step 'on a Slurm of four virtual nodes'
  NODE_CPUS=4 "$cluster" start "$work/cluster" >/dev/null
  export SLURM_CONF=$work/cluster/slurm.conf
  bench slurm --executor slurm
  [ "$code" = 3 ] || fail "the cluster ended with $code"
  cells slurm | sort >"$work/slurm.cells"
  cmp "$work/local-out/scores.json" "$work/slurm-out/scores.json" || fail 'the scores of the cluster differ'
  step 'across corpora, on the Slurm'
  cross across-slurm --executor slurm
  [ "$code" = 3 ] || fail "across corpora the cluster ended with $code"
  cmp "$work/across-out/scores.json" "$work/across-slurm-out/scores.json" || fail 'scores across corpora differ on the cluster'
else
  echo 'no Slurm here: the cluster is left out'
fi

step 'every form of the table'
for form in html latex markdown csv; do
  "$emobox" report "$work/local-out" --"$form" >"$work/report.$form"
  grep -q 'the raw folder of subesco' "$work/report.$form" || fail "$form does not say why subesco is empty"
  "$emobox" report "$work/across-out" --"$form" >"$work/across.$form"
  grep -q 'meld has no class Angry' "$work/across.$form" || fail "$form does not say why pairs of meld are empty"
done
step 'done'
