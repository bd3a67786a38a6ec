"""Training the motion network: volumes, continuation, the command, and the weights that ship."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_scene import run

from feature_extraction.motion.pool import (
    Half,
    Pool,
    real_pool,
    synthetic_pool,
)
from feature_extraction.motion.real import split_sequences, surrounded_volumes
from feature_extraction.motion.settings import Settings
from feature_extraction.motion.targets import MotionTargets
from vadloc.errors import UsageError, VadlocError
from vadloc.weights import read_weights, weights_file, write_weights

torch = pytest.importorskip("torch")

from feature_extraction.motion.network import build_motion  # noqa: E402


def settings(*, steps: int = 6, batch_size: int = 8) -> Settings:
    return Settings(
        video=(),
        crops=None,
        separate_trunks=False,
        synthetic=0,
        real=0,
        steps=steps,
        batch_size=batch_size,
        learning_rate=2e-3,
        seed=0,
    )


@pytest.fixture(scope="module")
def pool() -> Pool:
    return synthetic_pool(None, "train", 48, seed=0, jobs=1)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Four sequences in which a textured disc moves right by 2 px/frame over a still floor."""
    rng = np.random.default_rng(0)
    floor = cv2.GaussianBlur(rng.uniform(0, 255, (96, 128)), (0, 0), 2) * 2 - 100
    disc = cv2.GaussianBlur(rng.uniform(0, 255, (96, 192)), (0, 0), 1.5) * 2 - 100
    rows, columns = np.mgrid[:96, :128]
    for sequence in range(4):
        folder = tmp_path / "video" / f"S{sequence}"
        folder.mkdir(parents=True)
        for time in range(16):
            inside = (columns - 40 - 2 * time) ** 2 + (rows - 48) ** 2 < 24**2
            shifted = disc[:, 64 - 2 * time : 192 - 2 * time]
            picture = np.clip(np.where(inside, shifted, floor), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{time:03}.png"), picture)
    return tmp_path / "video"


def test_sequences_are_held_out_whole(video: Path) -> None:
    train, held_out = split_sequences(video)
    assert [s.name for s in train] == ["S0", "S1", "S2"]
    assert [s.name for s in held_out] == ["S3"]


def test_one_sequence_is_too_few(video: Path) -> None:
    for name in ("S1", "S2", "S3"):
        (video / name).rename(video.parent / name)
    with pytest.raises(VadlocError, match="one sequence; expected two or more"):
        split_sequences(video)


def test_real_volumes_see_what_moves_at_their_scale(video: Path) -> None:
    """Regions of 24 to 64 px: 2 px/frame of the video are 2 to 5.3 of a 64-px volume."""
    real = real_pool([video], "train", 60, seed=0)
    moves = real.targets.bin_share.max(axis=1) > 0.3
    assert moves.sum() > 10
    bins = real.targets.direction[moves]
    right = bins[:, 0] + bins[:, 11]  # to the right is the border between these two
    assert np.median(right) > 0.9
    speed = real.targets.speed[moves][np.arange(moves.sum()), bins.argmax(axis=1)]
    # Flow is smoothed at the rim of the disc, so that means may be somewhat lower.
    assert 1.5 < speed.min() < 3 < speed.max() < 5.8
    assert real.targets.background.mean() < 0.6  # most of what lies still was left out


def test_halves_and_seeds_differ(pool: Pool) -> None:
    again = synthetic_pool(None, "train", 4, seed=0, jobs=1)
    np.testing.assert_array_equal(again.frames, pool.frames[:4])
    others: list[tuple[Half, int]] = [("held_out", 0), ("train", 1)]
    for half, seed in others:
        other = synthetic_pool(None, half, 4, seed=seed, jobs=1)
        assert (other.frames != pool.frames[:4]).any(axis=(1, 2, 3)).all()


def test_targets_of_a_pool_agree_with_an_optical_flow(pool: Pool) -> None:
    """Where DIS sees much motion in a rendered volume, so do the targets, and the other way."""
    from feature_extraction.flow import flow_engine
    from feature_extraction.motion.targets import flow_to_maps

    engine = flow_engine("medium")
    shares = []
    for frames in pool.frames:
        pairs = pairwise(frames)
        flow = np.stack([engine.calc(a, b, None) for a, b in pairs])
        shares.append(flow_to_maps(flow)[0].mean(axis=(0, 1)).sum())
    assert np.corrcoef(shares, pool.targets.moving)[0, 1] > 0.5


def test_training_learns_two_directions() -> None:
    """Noise that moves right or left: after some steps the network tells which."""
    from feature_extraction.motion.training import MotionTraining

    rng = np.random.default_rng(0)
    frames, share = [], np.zeros((32, 8, 8, 12), np.float32)
    for number in range(32):
        texture = cv2.GaussianBlur(rng.uniform(0, 255, (64, 96)), (0, 0), 2) * 3 - 255
        step = 2 if number % 2 else -2
        frames.append(np.stack([np.roll(texture, step * t, axis=1)[:, :64] for t in range(4)]))
        share[number, :, :, 0 if step > 0 else 6] = 1
    pixels = np.clip(np.stack(frames), 0, 255).astype(np.uint8)
    training = MotionTraining(
        Pool(pixels, MotionTargets(share, 2 * share)),
        settings(steps=60, batch_size=16),
        device="cpu",
    )
    losses = [training.advance() for _ in range(60)]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    training.network.eval()
    with torch.inference_mode():
        angle = training.network(torch.from_numpy(pixels) / 255)["angle"]
    right = (angle[:, 0] > angle[:, 6]).tolist()
    assert right == [bool(number % 2) for number in range(32)]


@pytest.mark.parametrize("separate", [False, True])
def test_heads_are_fitted_to_a_trunk_that_stays(pool: Pool, separate: bool) -> None:
    from feature_extraction.motion.heads import fit_heads
    from feature_extraction.motion.losses import heads_loss
    from feature_extraction.motion.network import MotionNetwork

    torch.manual_seed(1)
    network = MotionNetwork(separate_trunks=separate)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    share, momentum = (
        torch.from_numpy(m.mean(axis=(1, 2))) for m in (pool.targets.share, pool.targets.momentum)
    )

    def loss() -> float:
        with torch.inference_mode():
            seen = network.pooled(network.maps(network.cells(torch.from_numpy(pool.frames) / 255)))
            features = network.features(seen)
            return float(heads_loss(features, network.read(features), share, momentum))

    at_first = loss()
    fit_heads(network, pool, steps=60, seed=0, device="cpu")
    assert loss() < 0.7 * at_first  # on the volumes themselves: heads take unscaled columns again
    once = {name: value.clone() for name, value in network.state_dict().items()}
    for name, value in once.items():
        assert torch.equal(value, before[name]) == name.startswith("trunks."), name
    fit_heads(network, pool, steps=60, seed=0, device="cpu")
    assert all(torch.equal(value, once[name]) for name, value in network.state_dict().items())


def test_a_network_learns_to_see_regions_in_their_surroundings(video: Path) -> None:
    """Surroundings change features; then they change them less, and the first layers stay."""
    from feature_extraction.motion.adaptation import adapt
    from feature_extraction.motion.network import load_motion

    errors = []
    for steps in (1, 150):
        network = load_motion("bundled", "cpu")
        before = {name: value.clone() for name, value in network.state_dict().items()}
        errors.append(adapt(network, [video], count=200, steps=steps, seed=0, device="cpu"))
    assert errors[0].keys() == {"angle", "speed", "background"}
    assert all(errors[1][head] < 0.7 * errors[0][head] for head in errors[0])
    stays = ("conv1", "conv2", "match", "outputs")
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) == any(part in name for part in stays), name


def test_weights_that_exist_can_be_adapted(video: Path, tmp_path: Path) -> None:
    alone, output = tmp_path / "alone.safetensors", tmp_path / "out"
    bundled = read_weights(weights_file("bundled", "motion"))
    write_weights(alone, bundled.tensors, {"network": "motion", "numbers": {"a": 1}})
    options = ["--video", str(video), "--surrounded", "100", "--adaptation-steps", "10"]
    options += ["--output", str(output), "--adapt"]
    for wrong, message in (
        (weights_file("bundled", "appearance"), "these are weights of another network"),
        (weights_file("bundled", "motion"), "adapted already"),
    ):
        refused = run("feature_extraction.train_motion", *options, str(wrong))
        assert refused.returncode in (1, 2)
        assert message in refused.stderr
        assert not (output / "settings.json").exists()  # so that the right one is not refused
    done = run("feature_extraction.train_motion", *options, str(alone))
    assert done.returncode == 0, done.stderr
    metadata = read_weights(output / "motion.safetensors").metadata
    assert metadata["numbers"].keys() == {"error of features in surroundings, held out"}
    assert metadata["adapted_from"]["numbers"] == {"a": 1}
    assert metadata["sees_surroundings"]
    build_motion(read_weights(output / "motion.safetensors"))


def test_volumes_in_surroundings_are_cut_evenly_and_from_frames_that_are_large_enough(
    video: Path,
) -> None:
    sequence = split_sequences(video)[0][0]
    volumes = list(surrounded_volumes(sequence, 5, seed=(0,)))
    assert [volume.shape for volume in volumes] == [(10, 104, 104)] * 5
    again = list(surrounded_volumes(sequence, 5, seed=(0,)))
    assert all(np.array_equal(a, b) for a, b in zip(volumes, again, strict=True))
    with pytest.raises(VadlocError, match=r"128 x 96 px; expected at least 17 frames of 26 px"):
        list(surrounded_volumes(sequence, 5, seed=(0,), length=17))


def test_a_stopped_training_continues_where_it_was(pool: Pool, tmp_path: Path) -> None:
    from feature_extraction.motion.training import MotionTraining

    def training() -> MotionTraining:
        return MotionTraining(pool, settings(), device="cpu")

    straight = training()
    losses = [straight.advance() for _ in range(6)]
    first = training()
    before = [first.advance() for _ in range(3)]
    first.save(tmp_path / "checkpoint.pt")
    second = training()
    second.resume(tmp_path / "checkpoint.pt")
    assert second.step == 3
    after = [second.advance() for _ in range(3)]
    assert before + after == losses
    for a, b in zip(straight.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_training_can_start_from_another(pool: Pool, tmp_path: Path) -> None:
    from feature_extraction.motion.training import MotionTraining

    first = MotionTraining(pool, settings(), device="cpu")
    first.advance()
    first.save(tmp_path / "checkpoint.pt")
    second = MotionTraining(pool, settings(), device="cpu")
    second.start_from(tmp_path / "checkpoint.pt")
    assert second.step == 0
    for a, b in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)
    for path in (tmp_path / "none.pt", tmp_path / "other.pt"):
        with pytest.raises(VadlocError, match=r"no checkpoint of this motion network"):
            second.start_from(path)
        torch.save({"modules": {}}, tmp_path / "other.pt")


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    from feature_extraction.checkpoints import load_checkpoint

    path = tmp_path / "checkpoint.pt"
    assert load_checkpoint(path) is None
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(VadlocError, match=r"checkpoint.pt: not a readable checkpoint .*remove it"):
        load_checkpoint(path)


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    from feature_extraction.checkpoints import choose_device

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(UsageError, match="--device cuda: PyTorch finds no usable GPU"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == "cuda"
    assert choose_device("cpu") == "cpu"


def test_half_precision_only_where_it_is_native(monkeypatch: pytest.MonkeyPatch) -> None:
    from feature_extraction.checkpoints import mixed_precision

    for native in (False, True):
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda native=native: {"avx512_bf16": native}
        )
        with mixed_precision("cpu"):
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert (product.dtype == torch.bfloat16) == native


def test_an_output_folder_belongs_to_one_training(tmp_path: Path) -> None:
    from feature_extraction.checkpoints import claim_output

    claim_output(tmp_path / "out", {"steps": 5, "video": ("a",)})
    claim_output(tmp_path / "out", {"steps": 5, "video": ("a",)})
    with pytest.raises(UsageError, match=r"other settings \(steps = 5\)"):
        claim_output(tmp_path / "out", {"steps": 6, "video": ("a",)})
    (tmp_path / "out" / "settings.json").write_text("[1]")
    with pytest.raises(VadlocError, match=r"settings.json: damaged"):
        claim_output(tmp_path / "out", {"steps": 5})


def test_the_command_from_nothing_to_weights(video: Path, tmp_path: Path) -> None:
    options = ["--synthetic", "100", "--real", "100", "--steps", "3", "--batch-size", "8"]
    options += ["--surrounded", "100", "--adaptation-steps", "10"]
    options += ["--video", str(video), "--output", str(tmp_path / "out"), "--jobs", "1"]
    module = "feature_extraction.train_motion"
    done = run(module, *options)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "motion.json").read_text())
    assert report["settings"]["steps"] == 3
    assert report["numbers"].keys() == {
        "synthetic volumes, held out, regions alone",
        "real volumes, held out, regions alone",
        "error of features in surroundings, held out",
    }
    assert report["numbers"]["synthetic volumes, held out, regions alone"]["volumes"] == 10
    weights = read_weights(tmp_path / "out" / "motion.safetensors")
    assert weights.metadata["numbers"] == report["numbers"]
    assert weights.metadata["sees_surroundings"]
    assert str(tmp_path) not in json.dumps(weights.metadata)
    build_motion(weights)
    assert (tmp_path / "out" / "motion.png").read_bytes().startswith(b"\x89PNG")
    refused = run(module, *options, "--seed", "1")
    assert refused.returncode == 2
    assert "begun with other settings (seed = 0)" in refused.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], "--steps 0: expected 1 or more"),
        (["--seed", "-1"], "--seed -1: expected 0 or more"),
        (["--learning-rate", "nan"], "--learning-rate nan: expected between 0 and 1"),
        (["--video", "nowhere"], "nowhere: no such folder"),
        (["--crops", "nowhere"], "nowhere"),
        (["--start-from", "nowhere.pt"], "--start-from nowhere.pt: no such file"),
        (["--surrounded", "99"], "--surrounded 99: expected 100 or more"),
        (["--adaptation-steps", "9"], "--adaptation-steps 9: expected 10 or more"),
        (["--adapt", "nowhere.safetensors"], "--adapt needs --video"),
        (["--adapt", "x", "--video", ".", "--separate-trunks"], "--adapt takes none of"),
    ],
)
def test_bad_options_stop_at_once(options: list[str], message: str, tmp_path: Path) -> None:
    done = run("feature_extraction.train_motion", "--output", str(tmp_path / "out"), *options)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def shifted(texture: NDArray[np.float64], step: tuple[int, int]) -> NDArray[np.uint8]:
    """Ten 64 x 64 frames of a texture that moves by whole pixels."""
    cut = [
        texture[80 - step[1] * t : 144 - step[1] * t, 80 - step[0] * t : 144 - step[0] * t]
        for t in range(10)
    ]
    return np.clip(np.stack(cut), 0, 255).astype(np.uint8)


def test_the_weights_that_ship_see_motion_they_were_never_trained_on() -> None:
    """Made-up textures alone, from a seed of its own."""
    from feature_extraction.motion.network import load_motion
    from feature_extraction.motion.report import measure

    network = load_motion("bundled", "cpu")
    numbers = measure(
        network, synthetic_pool(None, "held_out", 200, seed=9, jobs=1), device="cpu"
    ).numbers
    assert numbers["direction"] > 0.6
    assert numbers["speed"] > 0.6
    assert numbers["stationary"] > 0.7
    assert numbers["background"] > 0.9


def moved_textures() -> Iterator[tuple[int, tuple[NDArray[np.float32], ...]]]:
    """A texture that fills the volume, moved by whole pixels: direction bin, and what is seen."""
    from feature_extraction.motion.network import load_motion
    from feature_extraction.motion.read_out import outputs_to_attributes

    network = load_motion("bundled", "cpu")
    texture = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (224, 224)), (0, 0), 2)
    contrasted = (texture - texture.mean()) * 4 + 128
    for step, k in (((3, 1), 0), ((-1, 3), 3), ((-3, -1), 6), ((1, -3), 9)):
        frames = torch.from_numpy(shifted(contrasted, step))[None]
        with torch.inference_mode():
            outputs = {name: value.numpy() for name, value in network(frames / 255).items()}
        yield k, outputs_to_attributes(**outputs)


def test_the_weights_that_ship_see_where_a_texture_moves() -> None:
    for k, (direction, _, stationary, background) in moved_textures():
        assert direction[0].argmax() == k
        assert stationary[0] < 0.4
        assert background[0] < 0.2


def test_the_weights_that_ship_see_how_fast_a_texture_moves() -> None:
    for k, (_, speed, _, _) in moved_textures():
        assert speed[0, k] == pytest.approx(np.hypot(3, 1), rel=0.3)
