#!/usr/bin/env bash
# From nothing to a result: environment, sample scene, all stages, the result table.
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
python -m vadloc.sample_scene
python -m vadloc.run --config configs/sample.toml
