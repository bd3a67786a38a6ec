#!/usr/bin/env bash
# Submits all stages of a dataset to Slurm, for missing results only. Each stage waits for the
# stages whose results it reads. After a failure, correct the error that logs/ shows, and run the
# same command again.
#
#   scripts/submit.sh CONFIG [sbatch options] [-- stage options]
#   MAX_PARALLEL=4 scripts/submit.sh configs/ped2.toml --partition=long -- --version momentum
#
# DRY_RUN=1 only prints the commands; MAX_PARALLEL=N runs at most N tasks of an array at a time.
# Paths are relative to the repository.
set -euo pipefail

fail() {
    echo "submit.sh: $1" >&2
    exit "${2:-1}"
}

# Prints the name of the results, which only one chain may write at a time, then lines "STAGE SPEC"
# with the output of each stage for --missing. Unusable stage options are errors here.
plan() {
    python -c '
import argparse, sys
from importlib import import_module
from vadloc.arguments import add_shared_options, artifacts_of
from vadloc.process import emit, exit_status

parser = argparse.ArgumentParser("submit.sh CONFIG [sbatch options] --")
add_shared_options(parser)
options = sys.argv[1:]
with exit_status():
    artifacts = artifacts_of(parser.parse_args(options))
    emit(f"vadloc {artifacts.version} {artifacts.folder.resolve()}")

def missing(stage, module, *split):
    sys.stdout.write(f"{stage} ")
    import_module(module).main([*split, *options, "--missing"])

detector = artifacts.detector
if detector.reads == "features":
    missing("extract_train", "feature_extraction.extract_features", "--split", "train")
    missing("extract_test", "feature_extraction.extract_features", "--split", "test")
if detector.learns_exemplars:
    missing("select", "exemplar_selection.select_exemplars")
    missing("merge", "exemplar_selection.merge_exemplars")
if detector.training:
    missing("train", "anomaly_detection.train_detector")
if artifacts.members:
    missing("combine", "anomaly_detection.combine_scores")
else:
    missing("score", "anomaly_detection.score_anomalies")
if artifacts.config.ground_truths:
    missing("evaluate", "evaluation.evaluate_scores")
if artifacts.config.alarms.threshold is None:
    missing("calibrate", "anomaly_detection.calibration.calibrate_threshold")
missing("explain", "anomaly_detection.explain_anomalies")
missing("report", "anomaly_detection.write_report")
' --config "$config" "${stage_options[@]}"
}

refuse_if_queued() {
    command -v sbatch >/dev/null ||
        fail "sbatch: not found; without Slurm: scripts/run_local.sh $config"
    local queued id comment
    local -a ids=()
    queued=$(squeue --noheader --me --format='%F %k')
    while read -r id comment; do
        if [ "$comment" = "$tag" ]; then ids[id]=1; fi
    done <<<"$queued"
    [ ${#ids[@]} = 0 ] ||
        fail "jobs that write to ${tag#vadloc * } are queued; wait, or: scancel ${!ids[*]}"
}

# Cuts an array spec into blocks within the site's limit of indices. Prints lines "OFFSET SPEC"; the
# indices of SPEC are counted from OFFSET.
blocks() {
    local limit ranges range first last end
    local -a specs=()
    limit=$(scontrol show config 2>/dev/null | sed -n 's/^MaxArraySize *= *//p') || true
    ((limit > 0)) || limit=1001 # Slurm's default
    IFS=, read -ra ranges <<<"$1"
    for range in "${ranges[@]}"; do
        first=${range%-*} last=${range#*-}
        while ((first <= last)); do
            ((end = (first / limit + 1) * limit - 1, end = end < last ? end : last)) || true
            range=$((first % limit))
            ((first == end)) || range+=-$((end % limit))
            specs[first / limit]+=${specs[first / limit]:+,}$range
            first=$((end + 1))
        done
    done
    for first in "${!specs[@]}"; do
        echo "$((first * limit)) ${specs[first]}"
    done
}

# submit STAGE "STAGES BEFORE" SCRIPT [options]: nothing if the stage is complete or not planned.
submit() {
    local stage=$1 before after='' offset spec
    [ -n "${missing[$stage]+planned}" ] || return 0
    if [ -z "${missing[$stage]}" ]; then
        echo "$stage: complete"
        return
    fi
    local command=(sbatch --parsable "${sbatch_options[@]}" --job-name="$stage" --comment="$tag")
    for before in $2; do after+=${jobs[$before]:-}; done
    [ -z "$after" ] || command+=(--dependency="afterok$after" --kill-on-invalid-dep=yes)
    local script=("scripts/$3" "$config" "${@:4}" "${stage_options[@]}")
    if [[ $(<"scripts/$3") = *"stage.sh dataset "* ]]; then
        submit_one 0 "${command[@]}" "${script[@]}"
        return
    fi
    while read -r offset spec <&3; do
        spec+=${MAX_PARALLEL:+%$MAX_PARALLEL}
        submit_one "$offset" "${command[@]}" --array="$spec" "${script[@]}"
    done 3< <(blocks "${missing[$stage]}")
}

# submit_one OFFSET COMMAND...: submits a job and adds its id to those of the stage.
submit_one() {
    local id
    if [ -n "$dry_run" ]; then
        id=$stage
        [ "$1" = 0 ] || { id+=+$1 && printf 'VADLOC_INDEX_OFFSET=%s ' "$1"; }
        printf '%q' "$2"
        printf ' %q' "${@:3}"
        echo
    else
        id=$(VADLOC_INDEX_OFFSET=$1 "${@:2}")
        id=${id%%;*}
        [[ $id =~ ^[0-9]+$ ]] ||
            fail "sbatch answered '$id', not a job id; options of the stages stand after --"
        submitted+=("$id")
        echo "$stage: job $id"
    fi
    jobs[$stage]+=:$id
}

# Cancels all jobs after an error. If some stayed queued, the same command would be refused.
cancel_if_failed() {
    local status=$?
    if [ $status != 0 ] && [ ${#submitted[@]} != 0 ]; then
        scancel "${submitted[@]}"
        echo "submit.sh: cancelled ${submitted[*]}, since a later stage was not accepted" >&2
    fi
}

config=${1:-}
[ -n "$config" ] || fail "usage: scripts/submit.sh CONFIG [sbatch options] [-- stage options]" 2
shift
sbatch_options=() stage_options=() submitted=()
while [ $# != 0 ] && [ "$1" != -- ]; do
    sbatch_options+=("$1")
    shift
done
[ $# = 0 ] || stage_options=("${@:2}")
dry_run=${DRY_RUN:-}
[ "$dry_run" != 0 ] || dry_run=
[[ ${MAX_PARALLEL:-1} =~ ^[1-9][0-9]*$ ]] ||
    fail "MAX_PARALLEL=$MAX_PARALLEL: expected a whole number above 0" 2

# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
planned=$(plan)
{
    read -r tag
    declare -A missing=() jobs=()
    while read -r stage spec; do missing[$stage]=$spec; done
} <<<"$planned"
if [ -z "$dry_run" ]; then
    refuse_if_queued
    mkdir -p logs
fi
trap cancel_if_failed EXIT
submit extract_train '' extract_features.sbatch --split train
submit extract_test '' extract_features.sbatch --split test
submit select extract_train select_exemplars.sbatch
submit merge select merge_exemplars.sbatch
submit train '' train_detector.sbatch
submit score 'extract_test merge train' score_anomalies.sbatch
submit combine '' combine_scores.sbatch # of versions that were submitted before
submit evaluate 'score combine' evaluate_scores.sbatch
submit calibrate 'select train' calibration.sbatch
submit explain 'score combine calibrate' explain_anomalies.sbatch
submit report 'explain evaluate' write_report.sbatch
