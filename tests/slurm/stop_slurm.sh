#!/usr/bin/env bash
# Ends the jobs and the daemons that start_slurm.sh FOLDER started: stop_slurm.sh FOLDER
set -uo pipefail

folder=$(realpath "$1")
export SLURM_CONF=$folder/slurm.conf

# stop SIGNAL DAEMON, and wait until it is gone
stop() {
    local pid
    pid=$(cat "$folder/$2.pid" 2>/dev/null) || return 0
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] || return 0
    kill -s "$1" "$pid"
    for _ in $(seq 100); do
        kill -s 0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -s KILL "$pid"
}

scancel --user="$(id -un)" 2>/dev/null
for _ in $(seq 50); do
    [ -n "$(squeue --noheader 2>/dev/null)" ] || break
    sleep 0.1
done
stop TERM slurmd
stop TERM slurmctld
stop KILL munged # it keeps nothing, and takes 5 s to end otherwise
