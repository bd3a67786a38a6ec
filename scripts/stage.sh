#!/usr/bin/env bash
# Runs a stage. It is sourced by the .sbatch files in this folder, which give the time, memory and
# cores of each stage. From the root of the repository:
#
#   mkdir -p logs; sbatch --array=0-11%4 scripts/score_anomalies.sbatch configs/ped2.toml
#   SLURM_ARRAY_TASK_ID=0 bash scripts/score_anomalies.sbatch configs/ped2.toml  # without Slurm
#   mkdir -p logs; sbatch scripts/merge_exemplars.sbatch configs/ped2.toml  # a stage without an array
#
# Options after the config go to the command.
#
# source scripts/stage.sh UNIT MODULE CONFIG [options]; UNIT is "sequence" (an array with a task for
# each sequence) or "dataset" (one job).
set -euo pipefail
unit=$1 module=$2
shift 2
# shellcheck source=scripts/env.sh
source scripts/env.sh
[ -z "${SLURM_CPUS_PER_TASK:-}" ] || export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
command=(python -m "$module" --config "${1:?give a config, such as configs/ped2.toml}" "${@:2}")
[ "$unit" = dataset ] ||
    command+=(--idx $((${SLURM_ARRAY_TASK_ID:?submit with --array} + ${VADLOC_INDEX_OFFSET:-0})))
"${command[@]}"
