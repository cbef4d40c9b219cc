#!/usr/bin/env bash
# The benchmark on a real Slurm on this machine, beside the same benchmark in one process: the same
# scores.json to the last digit, undisturbed, and after a cancelled task, a dead node and a killed client.
#
#   tools/slurm_end_to_end.sh EMOBOX [WORK]
#
# Runs on the demo corpus, which EMOBOX writes; with CORPUS=emodb=DIR on another, which takes longer.
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
fail() { echo "FAILED: $1" >&2; tail -n 5 "$work"/*.log >&2 || true; exit 1; }

# shellcheck disable=SC2317
finish() {
  for pid in ${client:-} ${short:-}; do kill -9 "$pid" 2>/dev/null || true; done
  "$cluster" stop "$work/cluster" >/dev/null 2>&1 || true
}
trap finish EXIT

if [ -n "${CORPUS:-}" ]; then
  corpus=${CORPUS%%=*} raw=$(cd "${CORPUS#*=}" && pwd)
else
  "$emobox" demo --home "$work/demo-home" --out "$work/demo-out" --quiet >/dev/null
  corpus=demo raw=$work/demo-home/demo-recordings/seed0
fi

write_experiment() { # FILE SETUP
  cat >"$1" <<TOML
[[corpus]]
name = "$corpus"
raw = "$raw"

[[encoder]]
name = "fbank"

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
setup = [$2]
TOML
}

# A quarter of the corpus in every extraction task, from the manifest's size.
"$emobox" prepare "$corpus" --raw "$raw" --home "$work/prepared" --quiet >/dev/null || [ $? = 3 ]
hours=$(awk -F'"length": *' '{ split($2, v, /[,}]/); s += v[1] } END { printf "%.6f", s / 3600 / 4 }' "$work/prepared/corpora/$corpus/manifest.jsonl")
write_experiment "$experiment" ''

accept() { # the exit code 3 says that the corpus lacks files, no more
  local code=0
  "$@" || code=$?
  [ "$code" = 0 ] || [ "$code" = 3 ]
}

step 'in this process'
accept "$emobox" bench "$experiment" --home "$work/local" --out "$work/local-out" --quiet >"$work/local.log" 2>&1 || fail 'the local run'

same() { cmp "$work/local-out/scores.json" "$1/scores.json" || fail "$1/scores.json differs"; }
plan_of() { echo "$1"/plans/*; }
# How often each job was begun, over all logs of a home.
begun() { cat "$(plan_of "$1")"/logs/*.log | grep -c "^job $2.* begins" || true; }
jobs_of() { find "$(plan_of "$1")/receipts" -name "$2-*.json" | wc -l; }
# Runs over all logs: how many begins there are beyond one a job.
extra() {
  local all distinct
  all=$(cat "$(plan_of "$1")"/logs/*.log | grep -c '^job .* begins')
  distinct=$(cat "$(plan_of "$1")"/logs/*.log | grep '^job .* begins' | sort -u | wc -l)
  echo $((all - distinct))
}

step 'without Slurm on the path'
code=0
PATH=/nonexistent "$emobox" bench "$experiment" --home "$work/none" --out "$work/none-out" --executor slurm >"$work/none.log" 2>&1 || code=$?
[ "$code" = 1 ] && grep -q 'no `sbatch` on the path' "$work/none.log" || fail 'the message without Slurm'

step 'a Slurm of three virtual nodes'
"$cluster" start "$work/cluster" >/dev/null
export SLURM_CONF=$work/cluster/slurm.conf

step 'a partition that is not there'
sed 's/^partition = .*/partition = "nowhere"/' "$experiment" >"$work/nowhere.toml"
code=0
"$emobox" bench "$work/nowhere.toml" --home "$work/nowhere" --out "$work/nowhere-out" --executor slurm >"$work/nowhere.log" 2>&1 || code=$?
[ "$code" = 1 ] && grep -q 'change `partition` in \[slurm\]; this cluster has: debug' "$work/nowhere.log" || fail 'the message of a wrong partition'

# Slurm's limits are whole minutes, so this one runs beside the others and is looked at last.
sed -e 's/^time = .*/time = "0:01"/' -e 's/^retries = .*/retries = 0/' -e 's/^setup = .*/setup = ["sleep 200"]/' "$experiment" >"$work/short.toml"
timeout 220 "$emobox" bench "$work/short.toml" --home "$work/short" --out "$work/short-out" --executor slurm >"$work/short.log" 2>&1 &
short=$!

step 'undisturbed'
"$emobox" prepare "$corpus" --raw "$raw" --home "$work/calm" --quiet >/dev/null || [ $? = 3 ]
accept "$emobox" bench "$experiment" --home "$work/calm" --out "$work/calm-out" --executor slurm >"$work/calm.log" 2>&1 || fail 'the run on the cluster'
same "$work/calm-out"
[ "$(jobs_of "$work/calm" extract)" = 4 ] || fail 'not 4 extraction tasks'
[ "$(extra "$work/calm")" = 0 ] || fail 'a job ran twice without need'
echo "   $(jobs_of "$work/calm" extract) extraction and $(jobs_of "$work/calm" train) training tasks, each once; scores.json is the same"

step 'once more: nothing is left to do'
accept "$emobox" bench "$experiment" --home "$work/calm" --out "$work/calm-out" --executor slurm >"$work/again.log" 2>&1 || fail 'the second run'
! grep -q submitted "$work/again.log" || fail 'finished work was submitted again'

# Every task waits in the middle of its work's start, so that there is time to disturb it.
slow=$work/slow.toml
write_experiment "$slow" '"echo task $SLURM_ARRAY_TASK_ID on $SLURMD_NODENAME started", "sleep 4"'
home=$work/disturbed
out=$work/disturbed-out
start() { "$emobox" bench "$slow" --home "$home" --out "$out" "$@" >>"$work/disturbed.log" 2>&1 & client=$!; }
running() { squeue -h -r -t RUNNING -o '%F_%K %j %N' | grep "$1" | head -n 1 || true; }
wait_for() {
  local found=
  for _ in $(seq 200); do
    found=$(running "$1")
    [ -z "$found" ] || { echo "$found"; return; }
    sleep 0.1
  done
  fail "no $1 task began to run"
}

step 'a task cancelled, the client killed, a node dead in the middle, the client joined again'
"$emobox" prepare "$corpus" --raw "$raw" --home "$home" --quiet >/dev/null || [ $? = 3 ]
start --executor slurm
task=$(wait_for extract)
sleep 1.5
scancel "${task%% *}"
echo "   cancelled ${task}"
sleep 1
task=$(wait_for extract)
sleep 1.5
kill -9 "$client"
wait "$client" 2>/dev/null || true
node=${task##* }
"$cluster" kill-node "$work/cluster" "$node"
echo "   killed the client and node $node with task $task"
start --attach
sleep 12
"$cluster" start-node "$work/cluster" "$node"
code=0
wait "$client" || code=$?
client=
[ "$code" = 0 ] || [ "$code" = 3 ] || fail "the joined client ended with $code"
same "$out"
[ "$(extra "$home")" = 0 ] || fail 'work that was done was done again'
# Tasks of later stages that found their needs missing have left at once; these do not count.
again=$(cat "$(plan_of "$home")"/logs/extract-*.log | grep '^task .* started' | sed 's/ on .*//' | sort | uniq -d | wc -l)
# A task that was hit before its first line counts as started once.
[ "$again" -ge 1 ] && [ "$again" -le 2 ] || fail "$again extraction tasks were started twice, not the cancelled one and that of the dead node"
encoded() { cat "$(plan_of "$1")"/logs/extract-*.log | awk '/ encoded now/ { s += $4 } END { print s }'; }
[ "$(encoded "$home")" = "$(encoded "$work/calm")" ] || fail "$(encoded "$home") utterances were encoded, not $(encoded "$work/calm")"
grep -q 'was cancelled' "$work/disturbed.log" || fail 'the cancelled task was not named'
echo "   the cancelled task and that of the dead node were started again ($again had begun their log), all others ran once, $(encoded "$home") utterances encoded; scores.json is the same"

step 'a task over its time limit'
code=0
wait "$short" || code=$?
short=
[ "$code" = 1 ] && grep -q 'raise `time` in \[slurm\] (now 0:01)' "$work/short.log" || fail 'the message of a time limit'
grep 'ran over its time limit' "$work/short.log" | head -n 1

step 'the cluster test is done'
