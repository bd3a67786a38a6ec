"""PatchCore of anomalib as a peer; run by a Python that has anomalib.

Its own model, its own preparation of pictures and its own settings (a tenth of the patches kept,
nine neighbours, 256 x 256 px, batches of 32), without the trainer around them, which only costs
time. Weights are random: they change no timing of the network and of the search, and say nothing
about quality.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measured import frame_files, measured, phase_parser
from PIL import Image

BATCH = 32
CORESET_SHARE = 0.1
LAYERS = ("layer2", "layer3")
NEIGHBOURS = 9


def batches(files: list[Path], prepare: Any) -> Any:
    """Frames as the model takes them, ``(up to 32, 3, 256, 256)`` at a time."""
    for first in range(0, len(files), BATCH):
        pictures = []
        for file in files[first : first + BATCH]:
            with Image.open(file) as picture:
                pixels = torch.from_numpy(np.array(picture.convert("RGB")))
            pictures.append(prepare(pixels.permute(2, 0, 1)[None] / 255))
        yield torch.cat(pictures)


def train(model: Any, files: list[Path], prepare: Any, bank: Path) -> None:
    """Collect the patches of all frames and keep a coreset."""
    model.train()
    model.feature_extractor.eval()
    for batch in batches(files, prepare):
        model(batch)
    model.subsample_embedding(CORESET_SHARE)
    torch.save(model.memory_bank, bank)


def predict(model: Any, files: list[Path], prepare: Any, bank: Path) -> None:
    """Score and map of every frame, beside the bank."""
    model.memory_bank = torch.load(bank, weights_only=True)
    model.eval()
    found = [model(batch) for batch in batches(files, prepare)]
    np.save(bank.with_name("scores.npy"), torch.cat([f.pred_score for f in found]).numpy())
    np.save(bank.with_name("maps.npy"), torch.cat([f.anomaly_map for f in found]).numpy())


def main() -> None:
    """Command line."""
    parser = phase_parser("Run one phase of PatchCore.")
    parser.add_argument("--backbone", required=True)
    args = parser.parse_args()
    patchcore = importlib.import_module("anomalib.models.image.patchcore.lightning_model").Patchcore
    network = importlib.import_module("anomalib.models.image.patchcore.torch_model").PatchcoreModel
    torch.manual_seed(0)  # the same random weights in both phases
    model = network(LAYERS, args.backbone, pre_trained=False, num_neighbors=NEIGHBOURS)
    prepare = patchcore.configure_pre_processor().transform
    args.state.mkdir(parents=True, exist_ok=True)
    files = frame_files(args.frames, args.phase)
    work = train if args.phase == "train" else predict
    with measured(len(files)), torch.inference_mode():
        work(model, files, prepare, args.state / "bank.pt")


if __name__ == "__main__":
    main()
