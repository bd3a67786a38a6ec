#!/usr/bin/env bash
# Sourced by the other scripts: makes .venv with the packages that they need, and makes it again
# only if pyproject.toml changes. VADLOC_EXTRAS names the extras of pyproject.toml, blank-separated:
# networks (the default), train (PyTorch), dev (checks and tests). Missing extras are added to those
# that are installed. If several scripts start at a time, the others wait for the first. A Slurm job
# never installs; it uses .venv as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# .venv/installed: a line with the checksum of the input files, then a line for each extra.
installed_from() { cat pyproject.toml constraints.txt | cksum; }

is_installed() {
    installed=()
    [ ! -f .venv/installed ] || mapfile -t installed <.venv/installed
    [ "${installed[0]:-}" = "$(installed_from)" ] || return 1
    local extra
    for extra in ${VADLOC_EXTRAS:-networks}; do
        [[ " ${installed[*]:1} " = *" $extra "* ]] || return 1
    done
}

install_all() {
    local python=${PYTHON:-python3} extras=("${installed[@]:1}") extra
    for extra in ${VADLOC_EXTRAS:-networks}; do
        [[ " ${extras[*]} " = *" $extra "* ]] || extras+=("$extra")
    done
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        { echo "env.sh: Python 3.11 or later is needed; PYTHON=/path/to/python3.11 names one" >&2; exit 1; }
    echo "env.sh: installing into .venv, with the extras ${extras[*]}" >&2
    [ -x .venv/bin/pip ] || "$python" -m venv .venv
    # No --compile: compiling all modules takes a third of the time and a tenth of the space. They
    # are compiled when they are first imported (see below).
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
        --constraint constraints.txt --editable ".[$(IFS=,; echo "${extras[*]}")]"
    { installed_from && printf '%s\n' "${extras[@]}"; } >.venv/installed
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
unset PYTHONDONTWRITEBYTECODE # otherwise every process would compile NumPy again
