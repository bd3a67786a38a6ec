#!/usr/bin/env bash
# All checks, the tests on all cores. Arguments go to pytest: scripts/test.sh -k sweep
export VADLOC_EXTRAS="networks train dev"
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
ruff check .
ruff format --check .
mypy
# One thread each: threads of tests that run side by side only wait for one another.
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} pytest --numprocesses auto --dist worksteal "$@"
