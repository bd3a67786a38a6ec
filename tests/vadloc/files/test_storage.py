"""Files are complete or absent, damage is noticed, and no file makes us run anything."""

import hashlib
import json
import multiprocessing
import os
import pickle
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vadloc.errors import VadlocError
from vadloc.files import storage

STAMP = "0123456789abcdef"
CONTENT = {
    "schema": 1,
    "name": "Test001 \u00e9",
    "numbers": [1, -2, 3.5, 10**12, True, None],
    "float32": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(3, 2)),
    "flags": np.array([True, False]),
    "names": np.array(["a", "bcd"]),
    "empty": np.zeros((0, 4)),
    "nested": {"widths": (12, 3), "scalar": np.array(2.5)},
}


def same(a: Any, b: Any) -> bool:
    """Equal in value and type, arrays in dtype and bits as well."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    return type(a) is type(b) and bool(a == b)


def sealed(path: Path, body: bytes) -> Path:
    """A file whose digest is right, whatever is in it."""
    digest = hashlib.sha256(body).hexdigest()
    path.write_bytes(body + f"\nvadloc stamp={STAMP} sha256={digest}\n".encode())
    return path


def test_joblib_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "a.joblib"
    storage.write_joblib(path, CONTENT, stamp=STAMP)
    assert same(storage.read_joblib(path), {"stamp": STAMP, **CONTENT})
    assert same(joblib.load(path), {"stamp": STAMP, **CONTENT})
    assert storage.read_stamp(path) == STAMP


@settings(max_examples=40)
@given(
    hnp.arrays(
        hnp.boolean_dtypes() | hnp.integer_dtypes() | hnp.unsigned_integer_dtypes()
        | hnp.floating_dtypes(sizes=(16, 32, 64)) | hnp.unicode_string_dtypes(max_len=9),
        hnp.array_shapes(min_dims=0, min_side=0),
    )
)  # fmt: skip
def test_any_plain_array_survives(tmp_path_factory: Any, array: np.ndarray[Any, Any]) -> None:
    folder = tmp_path_factory.getbasetemp()
    storage.write_joblib(folder / "any.joblib", {"a": array}, stamp=STAMP)
    assert same(storage.read_joblib(folder / "any.joblib")["a"], array)
    storage.write_array(folder / "any.npy", array, stamp=STAMP)
    assert same(storage.read_array(folder / "any.npy"), array)


def test_array_and_json_round_trip(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    storage.write_array(tmp_path / "a.npy", array, stamp=STAMP)
    assert same(storage.read_array(tmp_path / "a.npy"), array)
    assert same(np.load(tmp_path / "a.npy"), array)
    content = {"auc": 0.1 + 0.2, "none": None, "name": "\u00e9", "list": [1, {"a": 2}]}
    storage.write_json(tmp_path / "a.json", content, stamp=STAMP)
    assert storage.read_json(tmp_path / "a.json") == {"stamp": STAMP, **content}
    assert storage.read_stamp(tmp_path / "a.npy") == storage.read_stamp(tmp_path / "a.json")


@pytest.mark.parametrize("stamp", ["", "\x1b[2J\x1b[31m", STAMP.upper(), STAMP + "0", None, [1]])
def test_a_json_without_a_stamp_of_ours_is_refused(tmp_path: Path, stamp: Any) -> None:
    path = tmp_path / "a.json"
    storage.write_json(path, {"auc": 0.5}, stamp=stamp)
    with pytest.raises(storage.DamagedFileError, match="has no stamp") as caught:
        storage.read_stamp(path)
    assert str(caught.value).isprintable()


def test_json_refuses_nan_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        storage.write_json(tmp_path / "a.json", {"auc": float("nan")}, stamp=STAMP)
    assert list(tmp_path.iterdir()) == []


WRITERS: dict[str, tuple[Callable[..., None], Any, Callable[[Path], Any]]] = {
    "a.joblib": (storage.write_joblib, {"x": np.arange(5), "s": "t"}, storage.read_joblib),
    "a.npy": (storage.write_array, np.arange(5.0), storage.read_array),
    "a.json": (storage.write_json, {"x": [1, 2.5], "s": "t"}, storage.read_json),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_changed_byte_and_every_cut_is_noticed(tmp_path: Path, name: str) -> None:
    write, content, read = WRITERS[name]
    path = tmp_path / name
    write(path, content, stamp=STAMP)
    whole, right = path.read_bytes(), read(path)
    damaged = [whole[:length] for length in range(len(whole))]
    for place, byte in enumerate(whole):
        flipped = bytes([byte ^ (1 << place % 8)])
        damaged.append(whole[:place] + flipped + whole[place + 1 :])
    damaged += [b"", whole + b"\n", whole + whole, b"\n" + whole]
    unnoticed, messages = [], set()
    for data in damaged:
        path.write_bytes(data)
        try:
            blanks_only = same(read(path), right) and path.suffix == ".json"
            stale = storage.read_stamp(path) != STAMP
            if not stale and not blanks_only:
                unnoticed.append(data)
        except storage.DamagedFileError as error:
            messages.add(str(error))
    assert unnoticed == []
    assert [m for m in messages if not m.startswith(f"{path}: ") or "\n" in m] == []


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_random_bytes_with_a_right_digest_are_refused(tmp_path_factory: Any, body: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    for start in (b"", b"\x80\x04", b"\x93NUMPY\x01\x00\x76\x00"):
        sealed(folder / "r.joblib", start + body)
        for read in (storage.read_joblib, storage.read_array, storage.read_json):
            with pytest.raises(storage.DamagedFileError):
                read(folder / "r.joblib")


def test_an_error_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    storage.write_array(path, np.arange(3), stamp=STAMP)
    before = path.read_bytes()

    def fail() -> None:
        with storage.replacing(path) as file:
            file.write(b"half of it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_has_the_final_name_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with storage.replacing(path) as file:
        file.write(b"x" * 100_000)
        assert not path.exists()
    assert path.read_bytes() == b"x" * 100_000


def _exit() -> None:
    os._exit(0)


def test_leftovers_of_dead_processes_go_and_those_of_live_ones_stay(tmp_path: Path) -> None:
    """Those of other machines, of whose processes nothing is known, go when they are a day old."""
    child = multiprocessing.get_context("spawn").Process(target=_exit)
    child.start()
    child.join()
    host = socket.gethostname()
    names = {
        "dead": f".a[1].npy.{host}.{child.pid}.part",
        "alive": f".a[1].npy.{host}.{os.getppid()}.part",
        "elsewhere": f".a[1].npy.other-host.example.org.{child.pid}.part",
        "elsewhere, old": f".a[1].npy.other-host.example.org.{os.getppid()}.part",
        "of another program": ".a[1].npy.host.txt.part",
        "other file": f".b.npy.{host}.{child.pid}.part",
    }
    for name in names.values():
        (tmp_path / name).write_bytes(b"half")
        age_s = (25 if name == names["elsewhere, old"] else 23) * 3600
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    storage.write_array(tmp_path / "a[1].npy", np.arange(2), stamp=STAMP)
    left = {key for key, name in names.items() if (tmp_path / name).exists()}
    assert left == {"alive", "elsewhere", "of another program", "other file"}
    storage.remove_leftovers(tmp_path)
    left = {key for key, name in names.items() if (tmp_path / name).exists()}
    assert left == {"alive", "elsewhere", "of another program"}


def test_folders_that_others_remove_meanwhile_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "gone", "z"):
        (tmp_path / name).mkdir()
    leftover = f".x.npy.{socket.gethostname()}.999999999.part"
    for name in ("a", "z"):
        (tmp_path / name / leftover).write_bytes(b"half")
    scandir = os.scandir

    def scandir_late(folder: str | Path) -> Any:
        if Path(folder).name == "gone":
            (tmp_path / "gone").rmdir()
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", scandir_late)
    storage.remove_leftovers(tmp_path)
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == ["a", "z"]


@pytest.mark.parametrize("writing", [storage.replacing, storage.replacing_folder])
def test_an_error_of_another_file_is_told_as_it_is(tmp_path: Path, writing: Any) -> None:
    """A frame that cannot be read while a report is written is no fault of the report's disk."""
    missing = tmp_path / "frames" / "001.png"

    def read() -> None:
        with writing(tmp_path / "report"):
            missing.read_bytes()

    with pytest.raises(FileNotFoundError, match=r"001\.png"):
        read()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_absolute", [True, False])
def test_an_error_within_the_folder_being_written_is_one_of_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_absolute: bool
) -> None:
    monkeypatch.chdir(tmp_path)

    def write() -> None:
        with storage.replacing_folder(Path("report")) as folder:
            place = folder.absolute() if is_absolute else folder
            (place / "missing" / "1.jpg").write_bytes(b"")

    with pytest.raises(VadlocError, match=r"report: cannot write \(No such file or directory\)"):
        write()


def test_a_folder_that_cannot_be_moved_aside_is_an_error_of_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report").mkdir()

    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path), None, str(target))

    def write() -> None:
        with storage.replacing_folder(tmp_path / "report"):
            monkeypatch.setattr(Path, "replace", refuse)

    with pytest.raises(VadlocError, match=r"report: cannot write \(Permission denied\)"):
        write()


def listed(folder: Path) -> Path:
    """A folder of two files and the list of them."""
    (folder / "pictures").mkdir()
    (folder / "a.css").write_bytes(b"a")
    (folder / "pictures" / "1.jpg").write_bytes(b"picture")
    path = folder / "files.json"
    storage.write_json(path, {"files": storage.list_files(folder)}, stamp=STAMP)
    return path


def test_listed_files_are_missed_and_compared(tmp_path: Path) -> None:
    path = listed(tmp_path)
    digest = hashlib.sha256(b"picture").hexdigest()
    assert storage.read_json(path)["files"]["pictures/1.jpg"] == digest
    storage.verify(path)
    (tmp_path / "pictures" / "1.jpg").write_bytes(b"Picture")
    assert storage.read_stamp(path) == STAMP
    with pytest.raises(storage.DamagedFileError, match=r"1\.jpg: its bytes do not fit"):
        storage.verify(path)
    (tmp_path / "pictures" / "1.jpg").unlink()
    with pytest.raises(storage.DamagedFileError, match=r"pictures/1\.jpg, which is not beside it"):
        storage.read_stamp(path)


@pytest.mark.parametrize(
    "name",
    [
        *("../outside", "/etc/passwd", "a/../../outside", "link", "up/outside", "circle"),
        *("9" * 5000, "\0"),
    ],
)
def test_a_list_does_not_lead_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_bytes(b"x")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to("/dev/zero")
    (tmp_path / "inside" / "up").symlink_to(tmp_path)
    (tmp_path / "inside" / "circle").symlink_to(tmp_path / "inside" / "circle")
    path = tmp_path / "inside" / "files.json"
    for files in ({name: "0" * 64}, [name], {name: None}):
        storage.write_json(path, {"files": files}, stamp=STAMP)
        with pytest.raises(storage.DamagedFileError, match=r"not beside it|expected names"):
            storage.verify(path)


@pytest.mark.parametrize("folder", ["/proc/nowhere", "file", "file/below"])
def test_where_nothing_can_be_written(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / folder / "a.npy"
    with pytest.raises(VadlocError, match="cannot write") as caught:
        storage.write_array(path, np.arange(2), stamp=STAMP)
    assert str(caught.value).startswith(f"{path}: ")


class _Call:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _calls(command: str) -> dict[str, Any]:
    return {
        "os.system": _Call(os.system, command),
        "eval": _Call(eval, f"__import__('os').system({command!r})"),
        "exec": _Call(exec, f"__import__('os').system({command!r})"),
        "getattr": _Call(getattr, "a", "upper"),
        "own class": _Call(storage.DamagedFileError, "x"),
        "path": Path(command),
        "objects": np.array([_Call(os.system, command)], object),
        "nested": {"a": [({"b": _Call(os.system, command)},)]},
        "scalar": np.float64(1.0),
        "bytearray": bytearray(b"abc"),
        "structured": np.zeros(2, [("a", "f4")]),
        "datetime": np.zeros(2, "M8[s]"),
    }


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", _calls(""))
def test_what_is_no_plain_data_is_refused_and_not_run(
    tmp_path: Path, name: str, protocol: int
) -> None:
    proof = tmp_path / "it-ran"
    content = {"schema": 1, "x": _calls(f"touch {proof}")[name]}
    joblib.dump(content, tmp_path / "body", protocol=protocol)
    path = sealed(tmp_path / "a.joblib", (tmp_path / "body").read_bytes())
    with pytest.raises(storage.DamagedFileError) as caught:
        storage.read_joblib(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not proof.exists()


def test_the_proof_of_the_test_above_works(tmp_path: Path) -> None:
    joblib.dump(_calls(f"touch {tmp_path / 'it-ran'}")["os.system"], tmp_path / "body")
    joblib.load(tmp_path / "body")
    assert (tmp_path / "it-ran").exists()


def _array_pickle(shape: tuple[Any, ...], name: str = "f8", **state: Any) -> bytes:
    """What joblib writes before an array of that claimed shape, and no data."""
    from joblib.numpy_pickle import NumpyArrayWrapper

    wrapper = NumpyArrayWrapper(np.ndarray, shape, "C", np.dtype(name))
    wrapper.__dict__.update(state)
    return pickle.dumps(wrapper, 4).removesuffix(b".") + b"\x00" + b"."


def _doubled(times: int = 200) -> tuple[Any, ...]:
    """A tuple of one tuple twice, and so on: small, and endless for who hashes or prints it."""
    value: tuple[Any, ...] = ()
    for _ in range(times):
        value = (value, value)
    return value


DOUBLED = b")" + b"2\x86" * 200
"""The same as opcodes: an empty tuple, and each time a tuple of it twice."""
HOSTILE = {
    "10^12 numbers": _array_pickle((10**12,)),
    "10^30 numbers": _array_pickle((10**30,)),
    "0 by 10^30": _array_pickle((0, 10**30)),
    "10^12 empty texts": _array_pickle((10**12,), "U0"),
    "negative": _array_pickle((-1,)),
    "shape of text": _array_pickle(("3",)),
    "shape of lists": _array_pickle(([1],)),
    "order": _array_pickle((1,), order="A"),
    "no dtype": _array_pickle((1,), dtype=None),
    "dtype is text": _array_pickle((1,), dtype="f8"),
    "read replaced": _array_pickle((1,), read="x"),
    "bytearray8": b"\x80\x05" + pickle.BYTEARRAY8 + struct.pack("<Q", 1 << 40) + b".",
    "binbytes8": b"\x80\x04" + pickle.BINBYTES8 + struct.pack("<Q", 1 << 60) + b".",
    "frame": b"\x80\x04" + pickle.FRAME + struct.pack("<Q", 1 << 60) + b".",
    "out-of-band": b"\x80\x05" + pickle.NEXT_BUFFER + b".",
    "extension": b"\x80\x02" + pickle.EXT1 + b"\x01.",
    "persistent": b"Pabc\n.",
    "put far away": b"]p99999999999999999999\n.",
    "ndarray": b"cnumpy\nndarray\n((I3\ntR.",
    "ndarray, new": b"\x80\x02cnumpy\nndarray\n(K\x03t\x81.",
    "class patched": b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\nN}X\x04\x00\x00\x00read"
    b"K\x01s\x86b.",
    "deep lists": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "deep tuples": b"\x80\x02)" + b"\x85" * 100_000 + b".",
    "list": b"\x80\x02].",
    "empty": b"",
    "no end": b"\x80\x02}",
    "stack": b"\x80\x02aaaa.",
    "protocol": b"\x80\x63}.",
    "endless key": b"\x80\x02}" + DOUBLED + b"Ns.",
    "endless key among others": b"\x80\x02}(K\x01N" + DOUBLED + b"Nu.",
    "endless key, protocol 0": b"(" + DOUBLED + b"Nd.",
    "endless member of a set": b"\x80\x04\x8f(" + DOUBLED + b"\x90.",
    "endless member of a frozen set": b"\x80\x04(" + DOUBLED + b"\x91.",
    "endless value": b"\x80\x02}K\x01" + DOUBLED + b"s.",
    "endless shape": _array_pickle(_doubled()),
    "endless order": _array_pickle((1,), order=_doubled()),
    "endless name": b"cnumpy\ndtype\n(" + DOUBLED + b"tR.",
    "endless state": b"\x80\x02cnumpy\ndtype\n(X\x02\x00\x00\x00f8tR" + DOUBLED + b"b.",
    "assignment to an array": _array_pickle((0,))[:-1] + b"K\x00" + DOUBLED + b"s.",
    "attribute of another class": b"\x80\x02}K\x01cnumpy\ndtype\n(X\x02\x00\x00\x00f8tRs.",
    "circle": b"\x80\x02}q\x00K\x01h\x00s.",
    "circle of lists": b"\x80\x02}K\x01]q\x00(h\x00h\x00es.",
    "long frame": b"\x80\x04" + pickle.FRAME + struct.pack("<Q", 1 << 23) + b"N0" * (1 << 22),
    "much to do": b"\x80\x02" + b"N0" * (1 << 22) + b"}.",
    "name that clears the screen": b"\x80\x02c\x1b[2J\n\x1b[31m\n.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(tmp_path: Path, name: str) -> None:
    good = tmp_path / "good.joblib"
    storage.write_joblib(good, CONTENT, stamp=STAMP)
    path = sealed(tmp_path / "a.joblib", HOSTILE[name])
    with pytest.raises(storage.DamagedFileError) as caught:
        storage.read_joblib(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))
    assert str(caught.value).isprintable()
    assert same(storage.read_joblib(good)["float32"], CONTENT["float32"]), "poisoned the reader"


def test_values_may_be_shared(tmp_path: Path) -> None:
    once = {"widths": [1, 2], "array": np.arange(3)}
    storage.write_joblib(tmp_path / "a.joblib", {"a": once, "b": [once, once]}, stamp=STAMP)
    content = storage.read_joblib(tmp_path / "a.joblib")
    assert same(content["a"], once)
    assert same(content["b"][1], once)


def test_an_array_is_not_allocated_before_its_claim_is_checked(tmp_path: Path) -> None:
    path = sealed(tmp_path / "a.joblib", _array_pickle((1000,)))
    with pytest.raises(storage.DamagedFileError, match="an array claims 8000 bytes, the file has"):
        storage.read_joblib(path)


def _npy(header: str) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + b"\0" * 16


@pytest.mark.parametrize(
    "body",
    [
        _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
        _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000000000000,)}"),
        _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
        _npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"),
        _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (100,)}"),
        _npy("(" * 5000),
        _npy("__import__('os').system('true')"),
        b"PK\x03\x04" + b"\0" * 60,
        b"",
    ],
    ids=["claim", "huge claim", "negative", "objects", "short", "deep", "code", "npz", "empty"],
)
def test_hostile_npy_is_refused(tmp_path: Path, body: bytes) -> None:
    path = sealed(tmp_path / "a.npy", body)
    with pytest.raises(storage.DamagedFileError) as caught:
        storage.read_array(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "5", "null", '"a"', "{}", '{"sha256": 1}', "[" * 100_000, '{"a": NaN, "sha256": 0}',
     '{"a": 1e999, "sha256": 0}', "\ufeff{}", f"{{\"a\": {'9' * 5000}}}"],
)  # fmt: skip
def test_hostile_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(storage.DamagedFileError, match=r"JSON|sha256"):
        storage.read_json(path)


def test_json_keys_of_another_file_do_not_pass(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    storage.write_json(path, {"auc": 0.5}, stamp=STAMP)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "auc": 0.9}))
    with pytest.raises(storage.DamagedFileError, match="sha256"):
        storage.read_json(path)
