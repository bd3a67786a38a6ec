#!/usr/bin/env bash
# A real one-node Slurm for tests, all of it below FOLDER: start_slurm.sh FOLDER [MaxArraySize]
# Its clients need SLURM_CONF=FOLDER/slurm.conf. No systemd, no cgroups, no database, and nothing but
# 127.0.0.1. The node claims 16 cores and 128 GB, so that the headers of the batch scripts fit.
# Exit status 3: the packages are not there and cannot be installed.
set -euo pipefail

folder=$(realpath "$1")
max_array_size=${2:-1001}
export SLURM_CONF=$folder/slurm.conf PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$folder"/{state,spool}

needed() { command -v slurmctld && command -v slurmd && command -v sbatch && command -v munged; }
if ! needed >"$folder/apt.log"; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "no slurmctld, slurmd, sbatch and munged here; installing them needs root on Debian" >&2
        exit 3
    fi
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update && apt-get install --yes --no-install-recommends \
        slurmctld slurmd slurm-client munge; } >"$folder/apt.log" 2>&1 ||
        { echo "apt-get cannot install Slurm: $(tail -1 "$folder/apt.log")" >&2; exit 3; }
fi

node=$(hostname -s)
port=$((20000 + RANDOM % 12000))
cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmdParameters=config_overrides
ReturnToService=2
MaxArraySize=$max_array_size
MinJobAge=86400
KillWait=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=16 RealMemory=128000 State=UNKNOWN
PartitionName=main Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF

head -c 128 /dev/urandom >"$folder/munge.key"
chmod 600 "$folder/munge.key"
munged --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" \
    --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" \
    --seed-file="$folder/munged.seed" 2>>"$folder/munged.log"
slurmctld
slurmd

for _ in $(seq 150); do
    if [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]; then exit; fi
    sleep 0.2
done
echo "start_slurm.sh: the node is not idle after 30 s: $(tail -qn 3 "$folder"/slurm*.log)" >&2
exit 1
