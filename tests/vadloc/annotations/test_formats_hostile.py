"""Damaged and malicious files of every format: a reading that keeps its promises, or one error."""

import contextlib
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from formats_helpers import MAKERS, SIZE, check_promises, example, sequence_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vadloc.annotations import READERS
from vadloc.annotations.ssvad_prediction import read_prediction
from vadloc.annotations.ssvad_writing import write_ground_truth
from vadloc.errors import VadlocError


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
    with pytest.raises(VadlocError, match="4 frames, but the sequence has 3 frames"):
        READERS["json"](tmp_path, "1", **SIZE)
