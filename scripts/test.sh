#!/usr/bin/env bash
# All checks. Arguments go to pytest: scripts/test.sh -k sweep
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
ruff check .
ruff format --check .
mypy
pytest "$@"
