"""Networks that learn from mined video: the masked error, and rounds by the commands of users."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_scene import CONFIG, copy_scene, scene_options

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

import vadloc.run  # noqa: E402
from anomaly_detection import train_detector  # noqa: E402
from anomaly_detection.training import loop  # noqa: E402
from anomaly_detection.training.mined import (  # noqa: E402
    cells_to_pixels,
    learnt_runs,
    masked_mean,
    read_mined,
)
from vadloc.artifacts import Artifacts  # noqa: E402
from vadloc.config import load_config  # noqa: E402
from vadloc.files.storage import write_joblib  # noqa: E402
from vadloc.mining import MinedModel  # noqa: E402
from vadloc.regions import RegionGrid  # noqa: E402
from vadloc.weights import read_weights  # noqa: E402

TABLES = """
[alarms]
threshold = 0.1

[mining]
least_run = 2
most_kept = 1.0

[detectors.mlad]
channels = 4
layers = 3
discriminator_channels = 2
steps = 20
batch_size = 4
crop_px = 32
held_out = 1
checks = 2
mined_steps = 6
"""


def test_the_masked_error_is_that_of_the_cut_out_and_has_no_gradient_elsewhere() -> None:
    torch.manual_seed(0)
    made, target = torch.randn(2, 3, 8, 8, requires_grad=True), torch.randn(2, 3, 8, 8)
    learnt = torch.zeros(2, 1, 8, 8)
    learnt[:, :, 2:5, 1:7] = 1
    errors = (made - target).abs()
    masked = masked_mean(errors, learnt)
    assert masked.item() == pytest.approx(errors[:, :, 2:5, 1:7].mean().item(), rel=1e-5)
    masked.backward()
    assert (made.grad[learnt.expand_as(made) == 0] == 0).all()
    assert (made.grad[learnt.expand_as(made) == 1] != 0).all()


def test_without_a_mask_all_errors_count_and_with_an_empty_one_none() -> None:
    errors = torch.tensor([[[[1.0, 3.0]]]])
    assert masked_mean(errors, None).item() == 2
    assert masked_mean(errors, torch.zeros(1, 1, 1, 2)).item() == 0


def test_cells_become_pixels() -> None:
    grid = RegionGrid(4, 6, 4, 2)  # cells of 2 x 2 px, 2 rows and 3 columns
    cells = np.array([[[True, False, True], [False, True, False]]])
    found = cells_to_pixels(cells, grid, (4, 6))[0].astype(int)
    np.testing.assert_array_equal(found, [[1, 1, 0, 0, 1, 1]] * 2 + [[0, 0, 1, 1, 0, 0]] * 2)
    halved = cells_to_pixels(cells, grid, (2, 3))[0]
    np.testing.assert_array_equal(halved, cells[0])


def test_frames_with_a_learnt_cell_come_in_runs() -> None:
    learnt = np.zeros((7, 1, 2), np.bool_)
    learnt[[0, 1, 4], 0, 1] = True
    assert learnt_runs("A", learnt) == [("A", 0, 2), ("A", 4, 5)]
    assert learnt_runs("A", learnt[2:4]) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, scene: Path) -> Path:
    """Scene and results after two rounds, in all test sequences."""
    folder = tmp_path_factory.mktemp("mined_networks")
    config = copy_scene(scene, folder / "scene") / "tiny.toml"
    config.write_text(CONFIG + TABLES)
    with pytest.MonkeyPatch.context() as patch:  # noise cannot be learnt in a few steps
        patch.setattr(loop, "LEAST_VARIANCE", 0.0)
        vadloc.run.main([*options(folder), "--rounds", "2", "--jobs", "1"])
    return folder


def options(folder: Path) -> list[str]:
    where = scene_options(folder / "scene", folder / "results")
    return [*map(str, where), "--version", "mlad", "--mine-from", "transductive"]


def artifacts(folder: Path, round_: int) -> Artifacts:
    scene = folder / "scene"
    config = load_config(scene / "tiny.toml")
    mined = MinedModel("transductive", "", round_)
    return Artifacts(config, folder / "results", scene, "mlad", mined=mined)


def test_each_round_has_networks_of_its_own(folder: Path) -> None:
    records: list[Any] = [artifacts(folder, k).model().load() for k in (0, 1, 2)]
    assert [record["networks"]["flow"]["steps"] for record in records] == [20, 6, 6]
    digests = {record["files"]["flow.safetensors"] for record in records}
    assert len(digests) == 3
    for k in (1, 2):
        for kind in ("scores", "evaluation", "explanations", "report", "left_out"):
            if (k, kind) != (2, "left_out"):
                assert (folder / f"results/tiny/{kind}/mlad+mined{k}-transductive").is_dir()


def test_only_pixels_that_were_mined_are_learnt(folder: Path) -> None:
    model = artifacts(folder, 1)
    fates = {s.name: model.mined_frames(s.name).load()["fate"] for s in model.sequences("mined")}
    parts = list(read_mined(model, most_frames=1000))
    assert parts
    frames = sum(int((fate == 0).any(axis=(1, 2)).sum()) for fate in fates.values())
    assert sum(map(len, parts)) == frames
    cells = sum(int((fate == 0).sum()) for fate in fates.values())
    [part, *_] = parts
    height, width = part.frames.shape[1:]
    rows, columns = next(iter(fates.values())).shape[1:]
    pixels = sum(int(p.learnt.sum()) for p in parts if p.learnt is not None)
    assert pixels == cells * (height // rows) * (width // columns)


def test_a_round_begins_with_the_networks_before_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = artifacts(folder, 0).model().path.with_name("flow.start.safetensors")
    begun = []
    load = train_detector.import_module("anomaly_detection.training.mlad").load_start

    def noted(modules: Any, start: Any) -> None:
        load(modules, start)
        begun.append(modules.state_dict()["0.encoder.0.weight"].clone().numpy())

    monkeypatch.setattr("anomaly_detection.training.mlad.load_start", noted)
    copy = copied(folder, tmp_path)
    shutil.rmtree(artifacts(copy, 1).model().path.parent)
    monkeypatch.setattr(loop, "LEAST_VARIANCE", 0.0)
    train(copy)
    np.testing.assert_array_equal(begun[0], read_weights(before).tensors["0.encoder.0.weight"])
    again, first = (artifacts(place, 1).model().load()["files"] for place in (copy, folder))
    assert again == first


def copied(folder: Path, target: Path) -> Path:
    shutil.copytree(folder / "scene", target / "scene")
    shutil.copytree(folder / "results", target / "results")
    return target


def train(folder: Path) -> None:
    train_detector.main([*options(folder), "--mined", "1"])


def test_from_scratch_all_steps_are_made(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copied(folder, tmp_path)
    config = copy / "scene" / "tiny.toml"
    config.write_text(config.read_text().replace("mined_steps = 6", 'mined_start = "scratch"'))
    assert artifacts(copy, 0).model().state() == ("done", "")  # the first training stays as it is
    monkeypatch.setattr(loop, "LEAST_VARIANCE", 0.0)
    shutil.rmtree(artifacts(copy, 1).model().path.parent)
    train(copy)
    assert artifacts(copy, 1).model().load()["networks"]["flow"]["steps"] == 20


def test_masks_of_another_grid_are_refused(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = copied(folder, tmp_path)
    file = artifacts(copy, 1).mined_frames("Test0")
    content = file.load()
    content = {**content, **{key: content[key][:, :-1] for key in ("fate", "confirmed")}}
    write_joblib(file.path, content, stamp=file.stamp)
    shutil.rmtree(artifacts(copy, 1).model().path.parent)
    with pytest.raises(SystemExit):
        train(copy)
    assert "Test0: mined maps of shape" in caplog.text
    assert "Mine again: " in caplog.text
