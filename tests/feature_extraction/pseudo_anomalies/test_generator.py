"""Pseudo-anomalies of clips: nothing outside the mask changes, and the target is the clean clip."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from feature_extraction.footage import Footage
from feature_extraction.pseudo_anomalies.clips import ClipSource, Place
from feature_extraction.pseudo_anomalies.generator import Generator, Kind, moving_flow, turn
from feature_extraction.pseudo_anomalies.inpainting import fill, inpainter
from feature_extraction.pseudo_anomalies.masks import moving_mask, random_mask
from vadloc.errors import UsageError

SEEDS = st.integers(0, 2**32 - 1)


def footage(count: int = 60, height: int = 40, width: int = 48) -> Footage:
    """Noise, over which a square moves right by 2 px/frame."""
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (count, height, width)).astype(np.uint8)
    flow = np.zeros((count, 2, height, width), np.float16)
    for i in range(count):
        left = 2 * i % (width - 10)
        flow[i, 0, 10:20, left : left + 10] = 2
    return Footage("Train", frames, flow)


def generator(name: str = "patch", *, count: int = 60, side_px: int = 32) -> Generator:
    return Generator(ClipSource([footage(count)], 8, side_px), 12, inpainter(name))


@given(seed=SEEDS, kind=st.sampled_from(["inpaint", "patch", "mix"]))
def test_outside_the_mask_not_a_bit_changes(seed: int, kind: Kind) -> None:
    made, rng = generator(), np.random.default_rng(seed)
    found = made.draw(rng, made.source.draw(rng), kind)
    outside = ~found.mask
    assert found.mask.any(axis=(1, 2)).all()
    assert (found.clip.frames == found.clean.frames)[outside].all()
    assert (found.clip.flow == found.clean.flow).all(axis=1)[outside].all()
    part = "flow" if kind == "mix" else "frames"
    other = "frames" if kind == "mix" else "flow"
    assert getattr(found.clip, other) is getattr(found.clean, other)
    assert (getattr(found.clip, part) != getattr(found.clean, part)).any()


@given(seed=SEEDS)
def test_the_target_is_the_clean_clip_of_the_same_place(seed: int) -> None:
    made, rng = generator("telea"), np.random.default_rng(seed)
    place = made.source.draw(rng)
    for kind in ("inpaint", "patch", "mix", "skip"):
        found = made.draw(np.random.default_rng(seed), place, kind)  # type: ignore[arg-type]
        frames = place.footage.frames[place.first_frame : place.first_frame + 8]
        expected = frames[:, place.top : place.top + 32, place.left : place.left + 32]
        np.testing.assert_array_equal(found.clean.frames, expected)


def test_skipped_frames_are_every_nth_and_their_flow_is_n_times_as_fast() -> None:
    made = generator(side_px=0)
    part = made.source.footage[0]
    found = made.draw(np.random.default_rng(0), Place(part, 5, 0, 0), "skip")
    step = int(found.parameters["step"])
    index = 5 + step * np.arange(8)
    np.testing.assert_array_equal(found.clip.frames, part.frames[index])
    np.testing.assert_array_equal(found.clip.flow, part.flow[index] * step)


def test_footage_too_short_for_skipping_gets_something_else() -> None:
    made = generator(count=8)
    place = Place(made.source.footage[0], 0, 0, 0)
    assert made.draw(np.random.default_rng(0), place, "skip").kind == "mix"
    assert made.draw(np.random.default_rng(0), place, "skip", instead="patch").kind == "patch"


def test_a_seed_always_makes_the_same_bytes() -> None:
    def made() -> bytes:
        source, rng = generator(), np.random.default_rng(3)
        found = source.draw(rng, source.source.draw(rng), "mix")
        return found.clip.flow.tobytes() + found.mask.tobytes()

    assert made() == made()


def test_footage_shorter_than_a_clip_runs_backwards() -> None:
    source = ClipSource([footage(5)], 8, 0)
    clip = source.cut(source.draw(np.random.default_rng(0)))
    expected = source.footage[0].frames[[0, 1, 2, 3, 4, 3, 2, 1]]
    np.testing.assert_array_equal(clip.frames, expected)


def test_small_frames_are_continued_by_their_edge() -> None:
    source = ClipSource([footage(height=20, width=24)], 8, 32)
    clip = source.cut(source.draw(np.random.default_rng(0)))
    assert clip.frames.shape == (8, 32, 32)
    assert (clip.frames[:, 20:, :24] == clip.frames[:, 19:20, :24]).all()
    assert (clip.flow[..., 24:] == clip.flow[..., 23:24]).all()


@given(seed=SEEDS, height=st.integers(4, 60), width=st.integers(4, 60))
def test_random_masks_cover_something_in_each_frame(seed: int, height: int, width: int) -> None:
    mask = random_mask(np.random.default_rng(seed), (9, height, width), 16)
    assert mask.shape == (9, height, width)
    assert mask.any(axis=(1, 2)).all()


def test_a_moving_mask_follows_what_moves() -> None:
    part = footage(8)
    mask = moving_mask(np.random.default_rng(0), part.flow, 12)
    assert mask is not None
    moving = part.flow[:, 0] > 0
    for frame, of_frame in zip(mask, moving, strict=True):
        rows, columns = np.nonzero(of_frame)
        grown = np.zeros_like(of_frame)
        grown[rows.min() - 1 : rows.max() + 2, max(0, columns.min() - 1) : columns.max() + 2] = True
        assert (frame & of_frame).any()
        assert not (frame & ~grown).any()


def test_where_nothing_moves_there_is_no_moving_mask() -> None:
    assert moving_mask(np.random.default_rng(0), np.zeros((8, 2, 20, 20)), 12) is None


def test_the_mean_flow_is_of_what_moves() -> None:
    flow = np.zeros((1, 2, 4, 4), np.float32)
    flow[0, :, 1, 1:3] = [[3.0, 3.0], [4.0, 4.0]]
    np.testing.assert_allclose(moving_flow(flow).ravel(), [3, 4], rtol=1e-6)
    np.testing.assert_allclose(moving_flow(np.zeros((1, 2, 4, 4))).ravel(), [0.5, 0])
    np.testing.assert_allclose(turn(moving_flow(flow), np.pi / 2).ravel(), [-4, 3], rtol=1e-6)


def test_telea_continues_the_surroundings() -> None:
    clip = np.full((2, 20, 20), 90, np.uint8)
    mask = np.zeros(clip.shape, np.bool_)
    mask[:, 5:9, 5:9] = True
    broken = np.where(mask, np.uint8(255), clip)
    filled = fill(broken, mask, broken, inpainter("telea"), np.random.default_rng(0))
    np.testing.assert_allclose(filled, clip, atol=3)


def test_diffusion_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "feature_extraction.pseudo_anomalies.inpainting"
    monkeypatch.setattr(f"{module}.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"needs diffusers: pip install 'vadloc\[diffusion\]'"):
        inpainter("diffusion", "model")
    monkeypatch.setattr(f"{module}.find_spec", lambda name: name)
    with pytest.raises(UsageError, match="diffusion_folder = 'nowhere': no such folder"):
        inpainter("diffusion", "nowhere")


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A diffusion model that gives the noise it starts from; the modes of what it was given."""
    torch = pytest.importorskip("torch")
    given: list[str] = []

    def paint(*, image: Image.Image, generator: Any, **_: object) -> SimpleNamespace:
        given.append(image.mode)
        noise = torch.randint(0, 256, (*image.size, 3), dtype=torch.uint8, generator=generator)
        return SimpleNamespace(images=[Image.fromarray(noise.numpy())])

    module = "feature_extraction.pseudo_anomalies.inpainting"
    monkeypatch.setattr(f"{module}.find_spec", lambda name: name)
    monkeypatch.setattr(f"{module}._pipeline", lambda _: paint)
    return given


def test_diffusion_is_drawn_from_the_seed(pipeline: list[str], tmp_path: Path) -> None:
    inpaint = inpainter("diffusion", str(tmp_path))
    clip, mask = np.zeros((2, 24, 32), np.uint8), np.ones((2, 24, 32), np.bool_)
    first, again, other = (
        fill(clip, mask, clip, inpaint, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first[0] != first[1]).any()
    assert pipeline == ["RGB"] * 6


def test_diffusion_fills_all_colours_of_a_frame_at_once(
    pipeline: list[str], tmp_path: Path
) -> None:
    clip, mask = np.zeros((3, 24, 32, 3), np.uint8), np.zeros((3, 24, 32), np.bool_)
    mask[:, 4:20, 4:20] = True
    inpaint = inpainter("diffusion", str(tmp_path))
    filled = fill(clip, mask, clip, inpaint, np.random.default_rng(0))
    assert pipeline == ["RGB"] * 3
    assert not filled[~mask].any()
    assert (filled[mask].min(axis=-1) != filled[mask].max(axis=-1)).any()  # it is no grey
