#!/usr/bin/env bash
# A real Slurm on this one machine, for tests: munge, a controller, and four virtual nodes (`slurmd -N`), three in
# the partition `debug` and one in the partition `spare`.
#
#   tools/slurm_test_cluster.sh start DIR     installs slurm-wlm and munge from apt where they are missing; runs everything below DIR
#   tools/slurm_test_cluster.sh stop DIR
#   tools/slurm_test_cluster.sh kill-node DIR NODE     as a power cut: the daemon and every task on the node, with SIGKILL
#   tools/slurm_test_cluster.sh start-node DIR NODE
#
# After `start`, export SLURM_CONF=DIR/slurm.conf. Needs root and neither systemd nor cgroups.
set -euo pipefail
action=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
export SLURM_CONF=$dir/slurm.conf
nodes="n1 n2 n3 n4"

install_packages() {
  if ! command -v slurmctld >/dev/null || ! command -v slurmd >/dev/null || ! command -v munged >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
  fi
}

configure() {
  local host memory
  host=$(hostname -s)
  memory=$(awk '/MemTotal/ { print int($2 / 1024 / 4) }' /proc/meminfo)
  mkdir -p "$dir/state" "$dir/log" "$dir/munge"
  cat >"$SLURM_CONF" <<CONF
ClusterName=emobox
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=17817
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket,cred_expire=10
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool-%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1,default_queue_depth=500
# NODE_CPUS may be more than there are.
SlurmdParameters=config_overrides
# A dead node is noticed within seconds, and its tasks go to another one.
SlurmdTimeout=8
InactiveLimit=0
KillWait=2
MinJobAge=300
ReturnToService=2
JobRequeue=1
OverTimeLimit=0
DebugFlags=NO_CONF_HASH
CONF
  local port=17820 node
  for node in $nodes; do
    port=$((port + 1))
    echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$port CPUs=${NODE_CPUS:-1} RealMemory=$memory State=UNKNOWN" >>"$SLURM_CONF"
  done
  echo "PartitionName=debug Nodes=n[1-3] Default=YES MaxTime=1:00:00 State=UP" >>"$SLURM_CONF"
  echo "PartitionName=spare Nodes=n4 MaxTime=1:00:00 State=UP" >>"$SLURM_CONF"
}

# Its own munge with its own key and socket: one that the system may run is left alone.
start_munge() {
  if [ ! -s "$dir/munge/key" ]; then
    head -c 1024 /dev/urandom >"$dir/munge/key"
    chmod 400 "$dir/munge/key"
  fi
  munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
    --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
}

start_node() {
  mkdir -p "$dir/spool-$1"
  slurmd -N "$1" -f "$SLURM_CONF"
}

# Prints a process and everything below it.
family() {
  echo "$1"
  local child
  for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do family "$child"; done
}

# The step daemons of a node, which call themselves `slurmstepd: [job.step]` and know the node by its spool folder,
# and whatever runs for it.
steps() {
  {
    grep -lsz "SLURMD_NODENAME=$1" /proc/[0-9]*/environ 2>/dev/null || true
    for file in /proc/[0-9]*/cmdline; do
      case $(cat "$file" 2>/dev/null | tr '\0' ' ') in
      *slurmstepd*)
        if ls -l "${file%/cmdline}/fd" 2>/dev/null | grep -q "slurmd-$1.log"; then echo "$file"; fi
        ;;
      esac
    done
  } | cut -d/ -f3
}

kill_files() {
  local file pid
  for file in "$@"; do
    [ -s "$file" ] || continue
    pid=$(cat "$file")
    kill "$pid" 2>/dev/null || true
  done
}

case $action in
start)
  install_packages
  configure
  start_munge
  slurmctld -f "$SLURM_CONF" -c
  for node in $nodes; do start_node "$node"; done
  for _ in $(seq 60); do
    if [ "$(sinfo -h -N -o '%t' 2>/dev/null | grep -c '^idle$')" = 4 ]; then
      echo "export SLURM_CONF=$SLURM_CONF"
      exit 0
    fi
    sleep 0.5
  done
  sinfo -N || true
  tail -n 20 "$dir"/log/*.log >&2
  echo "the test cluster did not come up" >&2
  exit 1
  ;;
stop)
  scancel --state=PENDING --user="$(id -un)" 2>/dev/null || true
  scancel --user="$(id -un)" 2>/dev/null || true
  sleep 1
  kill_files "$dir"/slurmd-*.pid "$dir/slurmctld.pid" "$dir/munge/pid"
  ;;
kill-node)
  # slurmstepd has left its parent; it is found by the node's name in its command line and in its spool folder.
  # All are stopped first, lest one reports the end of another: a power cut reports nothing.
  all=$(for pid in $(cat "$dir/slurmd-$3.pid") $(steps "$3"); do family "$pid"; done)
  for signal in STOP KILL; do
    for pid in $all; do kill -"$signal" "$pid" 2>/dev/null || true; done
  done
  ;;
start-node)
  start_node "$3"
  ;;
*)
  sed -n '2,11p' "$0" >&2
  exit 2
  ;;
esac
