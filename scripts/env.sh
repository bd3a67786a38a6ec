# Sourced by the other scripts: makes .venv with everything installed, once for each pyproject.toml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "env.sh: Python 3.11 or later is needed; PYTHON=/path/to/python3.11 names one" >&2; exit 1; }

wanted=$(cat pyproject.toml constraints.txt | cksum)
if [ "$(cat .venv/installed 2>/dev/null)" != "$wanted" ]; then
    echo "env.sh: installing into .venv (a minute or two)" >&2
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt --editable '.[dev]'
    echo "$wanted" >.venv/installed
fi
export PATH="$PWD/.venv/bin:$PATH"
