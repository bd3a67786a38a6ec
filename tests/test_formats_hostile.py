"""Damaged and malicious files of every format: a reading that keeps its promises, or one error."""

import contextlib
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from formats_helpers import CLIP, OBJECTS, check_promises, draw, example, save, save_avenue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation.formats import READERS
from evaluation.formats.ssvad_json import read_prediction, write_ground_truth
from vadloc.errors import VadlocError

SIZE = {"frame_count": 3, "height_px": 2, "width_px": 6}
ROWS = "1.jpg 0 2.5 1 3 2\n2.jpg 0 3 1 2 2\n3.jpg 1 5.5 0.5 1 1\n"


def make_street_scene(folder: Path) -> Path:
    (folder / "1_gt.txt").write_text(ROWS)
    return folder / "1_gt.txt"


def make_masks(folder: Path) -> Path:
    return [save(folder / "1_gt" / f"{i}.png", draw(p)) for i, p in enumerate(OBJECTS)][1]


def make_bitmaps(folder: Path) -> Path:
    return [save(folder / "1_gt" / f"{i}.bmp", draw(p)) for i, p in enumerate(OBJECTS)][1]


def make_json(folder: Path) -> Path:
    (folder / "2_gt.txt").write_text(ROWS)
    write_ground_truth(folder / "1.json", READERS["street_scene"](folder, "2", **SIZE))
    return folder / "1.json"


def make_avenue(folder: Path) -> Path:
    save_avenue(folder / "1_label.mat", [draw(p) for p in OBJECTS])
    return folder / "1_label.mat"


def make_plain_avenue(folder: Path) -> Path:
    save_avenue(folder / "1_label.mat", [draw(p) for p in OBJECTS], compressed=False)
    return folder / "1_label.mat"


def make_shanghaitech(folder: Path) -> Path:
    (folder / "1.txt").write_text("0,0,1,0,4,2\n0,1,2,0,5,2\n1,2,5,1,6,2\n")
    return folder / "1.txt"


def make_frame_masks(folder: Path) -> Path:
    np.save(folder / "1.npy", np.stack([draw(p) for p in OBJECTS]))
    return folder / "1.npy"


def make_frame_labels(folder: Path) -> Path:
    (folder / "frame_labels.csv").write_text("1,1,1\n1,3,3\n2,,\n")
    return folder / "frame_labels.csv"


def make_ubnormal(folder: Path) -> Path:
    notes = folder / f"{CLIP}1_annotations"
    for frame, picture in enumerate(OBJECTS):
        save(notes / f"{CLIP}1_{frame:04d}_gt.png", draw(picture))
    (notes / f"{CLIP}1_tracks.txt").write_text("7,0,2\n8,0,1\n")
    return notes / f"{CLIP}1_tracks.txt"


MAKERS: list[tuple[str, Callable[[Path], Path]]] = [
    ("street_scene", make_street_scene),
    ("masks", make_masks),
    ("masks", make_bitmaps),
    ("json", make_json),
    ("avenue", make_avenue),
    ("avenue", make_plain_avenue),
    ("shanghaitech", make_shanghaitech),
    ("frame_masks", make_frame_masks),
    ("frame_labels", make_frame_labels),
    ("ubnormal", make_ubnormal),
]


def sequence_of(name: str) -> str:
    return f"{CLIP}1" if name == "ubnormal" else "1"


@pytest.mark.parametrize(("name", "make"), MAKERS, ids=lambda v: getattr(v, "__name__", v))
def test_the_whole_files_are_read(tmp_path: Path, name: str, make: Callable[[Path], Path]) -> None:
    make(tmp_path)
    truth = READERS[name](tmp_path, sequence_of(name), **SIZE)
    check_promises(truth)
    assert truth.anomalous.any()


@st.composite
def damages(draw_from: st.DrawFn) -> Callable[[bytes], bytes]:
    """A few bytes overwritten, inserted or removed, or the end cut off."""
    kind = draw_from(st.sampled_from(["overwrite", "insert", "remove", "cut", "number"]))
    place = draw_from(st.floats(0, 1))
    piece = draw_from(
        st.binary(min_size=1, max_size=8)
        | st.sampled_from([b"-", b"9", b"nan", b"1e9", b",", b"\n", b"\0", b"\xff\xff\xff\xff"])
    )

    def damage(content: bytes) -> bytes:
        start = int(place * len(content))
        skip = {"insert": 0, "cut": len(content)}.get(kind, len(piece))
        middle = b"" if kind in ("remove", "cut") else piece
        return content[:start] + middle + content[start + skip :]

    return damage


@pytest.mark.parametrize(("name", "make"), MAKERS, ids=lambda v: getattr(v, "__name__", v))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.differing_executors])
@given(changes=st.lists(damages(), min_size=1, max_size=3))
def test_a_damaged_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    make: Callable[[Path], Path],
    changes: list[Callable[[bytes], bytes]],
) -> None:
    folder = tmp_path_factory.mktemp(name)
    path = make(folder)
    content = path.read_bytes()
    for change in changes:
        content = change(content)
    path.write_bytes(content)
    with contextlib.suppress(VadlocError):
        check_promises(READERS[name](folder, sequence_of(name), **SIZE))
    if name == "json":
        with contextlib.suppress(VadlocError):
            assert read_prediction(path).frame_count > 0


@pytest.mark.parametrize(("name", "make"), MAKERS, ids=lambda v: getattr(v, "__name__", v))
@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"\n" * 5000, b"9" * 50_000, b"[{" * 5000])
def test_a_file_of_something_else_is_refused_or_empty(
    tmp_path: Path, name: str, make: Callable[[Path], Path], content: bytes
) -> None:
    make(tmp_path).write_bytes(content)
    with contextlib.suppress(VadlocError):
        assert READERS[name](tmp_path, sequence_of(name), **SIZE).region_count == 0


class Mark:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(("name", "make"), MAKERS, ids=lambda v: getattr(v, "__name__", v))
@pytest.mark.parametrize("as_array", [True, False])
def test_nothing_is_unpickled(
    tmp_path: Path, name: str, make: Callable[[Path], Path], as_array: bool
) -> None:
    mark = tmp_path / "mark"
    path = make(tmp_path)
    if as_array:
        with path.open("wb") as file:
            np.save(file, np.array([Mark(mark)] * 3, np.object_), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(Mark(mark)))
    with pytest.raises(VadlocError):
        READERS[name](tmp_path, sequence_of(name), **SIZE)
    assert not mark.exists()


def test_a_folder_where_a_file_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1_gt.txt").mkdir()
    with pytest.raises(VadlocError, match="no Street Scene annotation"):
        READERS["street_scene"](tmp_path, "1", **SIZE)


def test_the_example_is_no_file_of_these_frames(tmp_path: Path) -> None:
    write_ground_truth(tmp_path / "1.json", example(masked=True))
    with pytest.raises(VadlocError, match="4 frames of 8 x 6 px, but the sequence has 3 frames"):
        READERS["json"](tmp_path, "1", **SIZE)
