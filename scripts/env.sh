#!/usr/bin/env bash
# Sourced by the other scripts: makes .venv with everything installed, once for each pyproject.toml.
# Several at a time wait for the first. A Slurm job never installs, it takes .venv as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

is_installed() {
    [ "$(cat .venv/installed 2>/dev/null)" = "$(cat pyproject.toml constraints.txt | cksum)" ]
}

install_all() {
    local python=${PYTHON:-python3}
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        { echo "env.sh: Python 3.11 or later is needed; PYTHON=/path/to/python3.11 names one" >&2; exit 1; }
    echo "env.sh: installing into .venv (a few minutes)" >&2
    [ -x .venv/bin/pip ] || "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt --editable '.[dev,networks]'
    cat pyproject.toml constraints.txt | cksum >.venv/installed
}

if [ -n "${SLURM_JOB_ID:-}" ]; then
    [ -f .venv/installed ] ||
        { echo "env.sh: $PWD/.venv is not installed; before submitting run: bash scripts/env.sh" >&2; exit 1; }
elif ! is_installed; then
    mkdir -p .venv
    (
        if command -v flock >/dev/null; then flock 9; fi
        is_installed || install_all
    ) 9>.venv/lock
fi
export PATH="$PWD/.venv/bin:$PATH"
