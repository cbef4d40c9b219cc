#!/usr/bin/env bash
# The benchmark on a real Slurm on this machine, beside the same benchmark in one process: the same
# scores.json to the last digit, undisturbed, and after a cancelled task, a dead node and a killed client.
#
#   tools/slurm_end_to_end.sh EMOBOX [WORK]
#
# Runs on tones that it makes with ffmpeg, through a Whisper of random weights from the tests: encoding a short
# utterance costs a whole window of 30 s, so the tasks last long enough to be hit in the middle, and the training,
# which sees a few frames only, is quick. CORPUS=emodb=DIR takes another corpus, ENCODER=NAME or NAME=DIR another encoder.
set -euo pipefail
emobox=$(readlink -f "$1")
work=${2:-target/slurm-test}
rm -rf "$work"
mkdir -p "$work"
work=$(cd "$work" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
cluster="$here/slurm_test_cluster.sh"
experiment=$work/experiment.toml
step() { printf -- '-- %s (%s s)\n' "$1" "$SECONDS"; }
fail() {
  echo "FAILED: $1" >&2
  tail -n 5 "$work"/*.log >&2 || true
  exit 1
}

# shellcheck disable=SC2317
finish() {
  for pid in ${client:-} ${short:-}; do kill -9 "$pid" 2>/dev/null || true; done
  "$cluster" stop "$work/cluster" >/dev/null 2>&1 || true
}
trap finish EXIT

# Four speakers of 192 utterances: a tone in noise, whose height depends on the emotion and on the speaker.
make_tones() { # DIR
  mkdir -p "$1"
  echo path,label,speaker,start,end >"$1/labels.csv"
  local speaker
  for speaker in 0 1 2 3; do
    ffmpeg -v error -f lavfi -i "aevalsrc='0.3*sin(2*PI*t*(180+35*mod(floor(t/0.3),4)+25*$speaker))+0.2*(random(0)-0.5)':s=16000:d=57.6" \
      "$1/s$speaker.wav"
    awk -v speaker="$speaker" 'BEGIN {
      split("angry happy neutral sad", emotion, " ")
      for (i = 0; i < 192; i++)
        printf "s%d.wav,%s,s%d,%.1f,%.1f\n", speaker, emotion[i % 4 + 1], speaker, i * 0.3, (i + 1) * 0.3
    }' >>"$1/labels.csv"
  done
}

if [ -n "${CORPUS:-}" ]; then
  corpus=${CORPUS%%=*} raw=$(cd "${CORPUS#*=}" && pwd)
  encoder=${ENCODER:-fbank}
else
  corpus=tones raw=$work/tones
  make_tones "$raw"
  encoder=${ENCODER:-whisper-80=$here/../crates/encoder/tests/golden/whisper-80.pt}
fi
encoder_name=${encoder%%=*}
case $encoder in *=*) encoder_path="path = \"$(readlink -f "${encoder#*=}")\"" ;; *) encoder_path= ;; esac

# A quarter of the corpus in every extraction task, from the manifest's size.
"$emobox" prepare "$corpus" --raw "$raw" --home "$work/prepared" --quiet >/dev/null || [ $? = 3 ]
manifest=$work/prepared/corpora/$corpus/manifest.jsonl
utterances=$(wc -l <"$manifest")
hours=$(awk -F'"length": *' '{ split($2, v, /[,}]/); s += v[1] } END { printf "%.9f", s / 3600 / 4 + 1e-9 }' "$manifest")
cat >"$experiment" <<TOML
scheme = "speaker"

[[corpus]]
name = "$corpus"
raw = "$raw"

[[encoder]]
name = "$encoder_name"
$encoder_path

[slurm]
partition = "debug"
time = "10:00"
memory = "500M"
cpus = 1
audio_hours = $hours
throttle = 3
retries = 2
poll_seconds = 0.5
settle_seconds = 2
TOML

accept() { # the exit code 3 says that the corpus lacks files, no more
  local code=0
  "$@" || code=$?
  [ "$code" = 0 ] || [ "$code" = 3 ]
}
# A plan knows how large a corpus is once it is prepared in the plan's home.
prepare() { accept "$emobox" prepare "$corpus" --raw "$raw" --home "$1" --quiet >/dev/null; }

same() { cmp "$work/local-out/scores.json" "$1/scores.json" || fail "$1/scores.json differs"; }
plan_of() { echo "$1"/plans/*; }
jobs_of() { find "$1/receipts" -name "$2-*.json" | wc -l; }
# How many times the work of jobs whose name begins so was begun, over all logs of a home.
begun() { cat "$(plan_of "$1")"/logs/*.log | grep -c "^task $2.* begins" || true; }
encoded() { cat "$(plan_of "$1")"/logs/extract-*.log | awk '/ encoded now/ { s += $4 } END { print s + 0 }'; }
# Every finished file of a home with its inode and its time of change; not the saved utterances of a shard that is being made.
files_of() {
  local folder
  for folder in "$1/features" "$1/runs" "$1/receipts"; do
    [ ! -d "$folder" ] || find "$folder" -type f ! -name '.*' ! -name '*.lock' ! -path '*/begun/*' -printf '%p %i %T@\n'
  done | sort
}

step 'in this process'
accept "$emobox" bench "$experiment" --home "$work/local" --out "$work/local-out" --quiet >"$work/local.log" 2>&1 || fail 'the local run'

step 'without Slurm on the path'
code=0
PATH=/nonexistent "$emobox" bench "$experiment" --home "$work/none" --out "$work/none-out" --executor slurm >"$work/none.log" 2>&1 || code=$?
[ "$code" = 1 ] && grep -q 'no `sbatch` on the path' "$work/none.log" || fail 'the message without Slurm'

step 'a Slurm of four virtual nodes'
"$cluster" start "$work/cluster" >/dev/null
export SLURM_CONF=$work/cluster/slurm.conf

step 'a partition that is not there'
sed 's/^partition = .*/partition = "nowhere"/' "$experiment" >"$work/nowhere.toml"
code=0
"$emobox" bench "$work/nowhere.toml" --home "$work/nowhere" --out "$work/nowhere-out" --executor slurm >"$work/nowhere.log" 2>&1 || code=$?
[ "$code" = 1 ] && grep -q 'change `partition` in \[slurm\]; this cluster has: debug, spare' "$work/nowhere.log" || fail 'the message of a wrong partition'

# Slurm's limits are whole minutes, so this one runs on a node of its own beside the others and is looked at last.
sed -e 's/^time = .*/time = "0:01"/' -e 's/^retries = .*/retries = 0/' -e 's/^partition = .*/partition = "spare"\nsetup = ["sleep 200"]/' "$experiment" >"$work/short.toml"
timeout 220 "$emobox" bench "$work/short.toml" --home "$work/short" --out "$work/short-out" --executor slurm >"$work/short.log" 2>&1 &
short=$!

step 'undisturbed'
home=$work/calm
prepare "$home"
accept "$emobox" bench "$experiment" --home "$home" --out "$work/calm-out" --executor slurm >"$work/calm.log" 2>&1 || fail 'the run on the cluster'
same "$work/calm-out"
[ "$(jobs_of "$home" extract)" = 4 ] || fail 'not 4 extraction tasks'
trainings=$(jobs_of "$home" train)
[ "$trainings" -gt 1 ] || fail 'one training task only'
[ "$(begun "$home" extract)" = 4 ] && [ "$(begun "$home" train)" = "$trainings" ] || fail 'a job ran twice without need'
[ "$(encoded "$home")" = "$utterances" ] || fail "$(encoded "$home") utterances were encoded, not $utterances"
echo "   4 extraction and $trainings training tasks, each once; scores.json is the same"

step 'once more: nothing is left to do'
files_of "$home" >"$work/before.txt"
accept "$emobox" bench "$experiment" --home "$home" --out "$work/calm-out" --executor slurm >"$work/again.log" 2>&1 || fail 'the second run'
! grep -q submitted "$work/again.log" || fail 'finished work was submitted again'
files_of "$home" | cmp - "$work/before.txt" || fail 'finished files were written again'

if [ -z "${CORPUS:-}" ]; then
  step 'a label changed: the next submission has the scores of a fresh home'
  cp -p "$raw/labels.csv" "$work/labels.csv"
  sed -i '2s/angry/sad/' "$raw/labels.csv"
  accept "$emobox" bench "$experiment" --home "$work/changed" --out "$work/changed-out" --quiet >"$work/changed.log" 2>&1 || fail 'the fresh run'
  accept "$emobox" bench "$experiment" --home "$home" --out "$work/calm-out" --executor slurm >"$work/relabelled.log" 2>&1 || fail 'the run after the change'
  cmp "$work/changed-out/scores.json" "$work/calm-out/scores.json" || fail 'the scores of the old labels'
  ! cmp -s "$work/local-out/scores.json" "$work/calm-out/scores.json" || fail 'the change changed nothing'
  cp -p "$work/labels.csv" "$raw/labels.csv"
fi

home=$work/disturbed
out=$work/disturbed-out
start() { "$emobox" bench "$experiment" --home "$home" --out "$out" "$@" >>"$work/disturbed.log" 2>&1 & client=$!; }

# The plan's tasks: 0 prepares, 1 to 4 extract. Task k makes every shard whose number leaves k - 1 when divided by 4,
# 64 utterances in each but the last.
of_task() { # JOB, the names of shards on the standard input
  awk -v k="$1" '{ number = $1; sub(/.*\//, "", number); if ((number + 0) % 4 == k - 1) print $1 }'
}
shards_there() { find "$home/features" -path '*/frames/*.safetensors' 2>/dev/null | of_task "$1"; }
shards_of() { seq -f '%05g' 0 $(((utterances + 63) / 64 - 1)) | of_task "$1"; }
size_of() { # the utterances of the shards on the standard input
  awk -v all="$utterances" '{ number = $1; sub(/.*\//, "", number); left = all - 64 * (number + 0); s += left < 64 ? left : 64 } END { print s + 0 }'
}
is_in_the_middle() {
  local there
  there=$(shards_there "$1" | wc -l)
  [ "$there" -gt 0 ] && [ "$there" -lt "$(shards_of "$1" | wc -l)" ]
}
# Holds an extraction task that has written some of its shards and not all; prints its job and its process.
hold_one_in_the_middle() { # not this JOB
  local file pid job
  for _ in $(seq 1200); do
    for file in $(grep -lszxF "$(plan_of "$home")" /proc/[0-9]*/cmdline || true); do
      pid=${file#/proc/} pid=${pid%/cmdline}
      job=$(tr '\0' '\n' <"$file" 2>/dev/null | sed -n 4p) || continue
      case $job in [1-4]) ;; *) continue ;; esac
      [ "$job" != "$1" ] && is_in_the_middle "$job" || continue
      kill -STOP "$pid" 2>/dev/null || continue
      if is_in_the_middle "$job"; then
        echo "$job $pid"
        return
      fi
      kill -CONT "$pid"
    done
    sleep 0.05
  done
  fail 'no extraction task was found in the middle of its work'
}
task_of() { squeue -h -r -t RUNNING -o '%K %F_%K %N %j' | awk -v job="$1" -v name="emobox-$(basename "$(plan_of "$home")")-extract" '$1 == job && $4 == name { print $2, $3 }'; }
wait_while() { # SECONDS COMMAND...
  local until=$((SECONDS + $1))
  shift
  while "$@"; do
    [ "$SECONDS" -lt "$until" ] || fail "for too long: $*"
    sleep 0.1
  done
}
runs() { [ -e "/proc/$1" ]; }
is_not_down() { [ "$(sinfo -h -n "$1" -o '%T' | sed -n 1p | tr -d '*')" != down ]; }

step 'a task cancelled, the client killed, a node dead in the middle, the client joined again'
prepare "$home"
start --executor slurm
held=$(hold_one_in_the_middle none)
read -r first pid <<<"$held"
read -r task node <<<"$(task_of "$first")"
[ -n "$node" ] || fail "Slurm does not know that task $first runs"
scancel "$task"
wait_while 30 runs "$pid"
step "cancelled task $task with $(shards_there "$first" | wc -l) of $(shards_of "$first" | wc -l) shards written"
held=$(hold_one_in_the_middle "$first")
read -r second pid <<<"$held"
read -r task node <<<"$(task_of "$second")"
[ -n "$node" ] || fail "Slurm does not know that task $second runs"
{ kill -9 "$client" && wait "$client"; } 2>/dev/null || true
client=
"$cluster" kill-node "$work/cluster" "$node"
files_of "$home" >"$work/at-the-hit.txt"
kept=$({ shards_there "$first"; shards_there "$second"; } | size_of)
step "killed the client and node $node with task $task, $(shards_there "$second" | wc -l) of $(shards_of "$second" | wc -l) shards written"
start --attach
wait_while 60 is_not_down "$node"
step "Slurm knows that $node is down; it comes back"
"$cluster" start-node "$work/cluster" "$node"
code=0
wait "$client" || code=$?
client=
[ "$code" = 0 ] || [ "$code" = 3 ] || fail "the joined client ended with $code"
same "$out"
for job in 1 2 3 4; do
  tries=1
  case $job in "$first" | "$second") tries=2 ;; esac
  [ "$(begun "$home" "extract-$encoder_name-$job")" = "$tries" ] || fail "extraction task $job was begun $(begun "$home" "extract-$encoder_name-$job") times, not $tries"
done
[ "$(begun "$home" train)" = "$trainings" ] || fail 'a training ran twice'
# Of the shard that each of the two was in, finished utterances may have been saved.
most=$((utterances - kept))
[ "$(encoded "$home")" -le "$most" ] && [ "$(encoded "$home")" -gt "$((most - 2 * 64))" ] ||
  fail "$(encoded "$home") utterances were encoded by tasks that ended well, not $most or those less what two shards hold"
files_of "$home" | comm -13 - "$work/at-the-hit.txt" >"$work/rewritten.txt"
[ ! -s "$work/rewritten.txt" ] || fail "finished files were written again: $(cat "$work/rewritten.txt")"
grep -q 'was cancelled' "$work/disturbed.log" || fail 'the cancelled task was not named'
echo "   tasks $first and $second were begun twice, all others once; $kept utterances in their finished shards were kept,"
echo "   $(encoded "$home") encoded by the tasks that ended well, $utterances in all; no finished file was written again; scores.json is the same"

step 'a task over its time limit'
code=0
wait "$short" || code=$?
short=
[ "$code" = 1 ] && grep -q 'raise `time` in \[slurm\] (now 0:01)' "$work/short.log" || fail 'the message of a time limit'
grep 'ran over its time limit' "$work/short.log" | sed -n 1p

step 'the cluster test is done'
