#!/usr/bin/env bash
# Runs all checks, and the tests on all cores. Arguments go to pytest: scripts/test.sh -k sweep
export VADLOC_EXTRAS="networks train dev mqtt"
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
ruff check .
ruff format --check .
mypy
# One thread each, since the threads of parallel tests would only wait for each other.
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} pytest --numprocesses auto --dist worksteal "$@"
