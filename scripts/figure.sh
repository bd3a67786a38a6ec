#!/usr/bin/env bash
# Makes the figures of the README with the ordinary commands, on the sample scene.
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
shared=(--config configs/sample.toml --version appearance_momentum)
python -m vadloc.sample_scene
python -m vadloc.run "${shared[@]}"
python -m anomaly_detection.visualize_anomalies "${shared[@]}" --frames-out
python -m vadloc.run --config configs/sample.toml --version momentum
python -m exemplar_selection.show_exemplars --config configs/sample.toml --version momentum --idx 142
mkdir -p docs
views=results/sample/views/appearance_momentum
cp "$views/Test001/00126.png" docs/sample_scene_1.png
cp "$views/Test002/00111.png" docs/sample_scene_2.png
cp results/sample/exemplars/momentum/region_142.png docs/exemplars.png
if command -v chromium >/dev/null; then
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1400,900 \
        --virtual-time-budget=5000 --screenshot=docs/report.png \
        "file://$PWD/results/sample/report/appearance_momentum/index.html"
fi
python - docs/*.png <<'END'
import sys
from PIL import Image
for path in sys.argv[1:]:
    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)
END
