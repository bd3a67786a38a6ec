#!/usr/bin/env bash
# The figures of the README: score map and ground truth on one frame of each test sequence.
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
python -m vadloc.sample_scene
python -m vadloc.run --config configs/sample.toml
views=$(mktemp -d)
trap 'rm -r "$views"' EXIT
python -m evaluation.visualize_annotations --predictions results/sample/scores/momentum \
    --ground-truth datasets/sample/Test --ground-truth-format street_scene \
    --frames datasets/sample/Test --output "$views" --frames-out --zoom 2
mkdir -p docs
cp "$views/Test001/125.png" docs/sample_scene_1.png
cp "$views/Test002/110.png" docs/sample_scene_2.png
