#!/usr/bin/env bash
# All checks, the tests on all cores. Arguments go to pytest: scripts/test.sh -k sweep
export VADLOC_EXTRAS="networks train dev"
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
ruff check .
ruff format --check .
mypy
pytest --numprocesses auto --dist worksteal "$@"
