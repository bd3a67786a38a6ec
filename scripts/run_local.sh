#!/usr/bin/env bash
# Runs the stages of submit.sh on one machine: only missing results, N sequences in parallel
# (default: the usable cores). It stops at the first stage that fails.
#
#   scripts/run_local.sh CONFIG [N] [stage options]
#
# Paths are relative to the repository.
set -euo pipefail
[ $# != 0 ] || { echo "run_local.sh: usage: scripts/run_local.sh CONFIG [N] [stage options]" >&2; exit 2; }
config=$1
shift
jobs=()
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
    jobs=(--jobs "$1")
    shift
fi
# shellcheck source=scripts/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
exec python -m vadloc.run --config "$config" "${jobs[@]}" "$@"
