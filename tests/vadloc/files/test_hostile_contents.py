"""Files with the right stamp and digest that hold something else than files of their kind.

Another program, or a stranger, may have made them. Whatever is wrong is one line that names the
file, the key and the command that makes it again, before anything is computed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_scene import CONFIG, anomaly, film, save_frames

from anomaly_detection import (
    estimate_quality,
    explain_anomalies,
    score_anomalies,
    score_left_out,
    write_report,
)
from anomaly_detection.calibration import calibrate_threshold as calibration
from evaluation.results import MAIN_NUMBERS
from exemplar_selection import merge_exemplars, mine_normal, select_exemplars
from feature_extraction import extract_features, make_pseudo_anomalies
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import VadlocError
from vadloc.files.contents import (
    CONTENTS,
    Summary,
)
from vadloc.mining import MinedModel
from vadloc.run import stages
from vadloc.versions import FUSION, VERSIONS, Part, Version

Find = Callable[[Artifacts], Artifact]
FILES: dict[str, Find] = {
    "features": lambda a: a.features("momentum", "train", "Train0"),
    "background": lambda a: a.learnt("still"),
    "speed_scale": lambda a: a.learnt("relative_momentum"),
    "scales": lambda a: a.scales(),
    "exemplars": lambda a: a.exemplars("Train0"),
    "merged": lambda a: a.merged(),
    "divisors": lambda a: fused(a).divisors(),
    "sightings": lambda a: fused(a).sightings(),
    "model": lambda a: trained(a).model(),
    "pseudo_anomalies": lambda a: a.pseudo_anomalies("Train0"),
    "quality": lambda a: a.quality(),
    "member_divisors": lambda a: combined(a).member_divisors(),
    "scores": lambda a: a.scores("Test0"),
    "score_details": lambda a: a.score_details("Test0"),
    "calibration": lambda a: a.calibration("Train0"),
    "explanations": lambda a: a.explanations("Test0"),
    "frame_labels": lambda a: a.evaluation("frame_labels.json"),
    "summary": lambda a: a.evaluation("summary.json"),
    "mined": lambda a: mined(a).mined_frames("Test0"),
    "mined_summary": lambda a: mined(a).mined_summary(),
}
KEYS = [(kind, key) for kind in FILES if kind != "scores" for key in CONTENTS[kind].model_fields]
NEEDED = [(kind, key) for kind, key in KEYS if CONTENTS[kind].model_fields[key].is_required()]


FLAGS = {"localizes"}
FUSED = "two_momenta"


def fused(artifacts: Artifacts) -> Artifacts:
    """The same results, of a version of parts."""
    return replace(artifacts, version=FUSED, _cache={})


def mined(artifacts: Artifacts) -> Artifacts:
    """The same results, after a round of mining."""
    return replace(artifacts, mined=MinedModel("transductive", round=1), _cache={})


def trained(artifacts: Artifacts) -> Artifacts:
    """The same results, of a version with trained networks."""
    return replace(artifacts, version="mlad", _cache={})


def combined(artifacts: Artifacts) -> Artifacts:
    """The same results, of a combined version."""
    return replace(artifacts, version="fused_mlad", _cache={})


MODEL = {
    "schema": 1,
    "detector": "mlad",
    "held_out": ["Train0"],
    "described": {"flow_limit_px": 3.0, "layers": 3},
    "networks": {
        "flow": {
            "parameters": 9,
            "steps": 2,
            "best_step": 2,
            "held_out_loss": 0.5,
            "curve": [{"step": 2, "absolute": 0.5, "held_out": 0.5}],
        }
    },
    "scales": {"maps": {"flow": 0.1, "frame": 0.2}},
    "files": {},
}


@pytest.fixture(scope="module", autouse=True)
def _version_of_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        parts = Part("momentum"), Part("relative_momentum"), Part("still", least_divisor=0.2)
        patch.setitem(VERSIONS, FUSED, Version(detector=FUSION, parts=parts))
        yield


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory, _version_of_parts: None) -> Artifacts:
    """Everything that a run with a calibration leaves, and detections to explain."""
    folder = tmp_path_factory.mktemp("run")
    for index in range(2):
        save_frames(folder / "Train" / f"Train{index}", film(seed=index))
    save_frames(folder / "Test" / "Test0", film(seed=10, anomaly_column=10))
    rows = [f"{f + 1:03d}.png 0 {x} {y} 10 10\n" for f, x, y in anomaly(10)]
    (folder / "Test" / "Test0" / "Test0_gt.txt").write_text("".join(rows))
    (folder / "a.toml").write_text(f"{CONFIG}[alarms]\nthreshold = 0.3\n[mining]\nleast_run = 2\n")
    config = load_config(folder / "a.toml")
    made = Artifacts(config, folder / "results", folder)
    for stage in [*stages(made), calibration.STAGE]:
        for unit in stage.units(made):
            stage.run(made, unit)
    assert made.explanations("Test0").load()["detections"]
    for stage in (extract_features.stage("train"), select_exemplars.STAGE, merge_exemplars.STAGE):
        for unit in stage.units(made):
            stage.run(fused(made), unit)
    for name in ("Train0", "Train1"):
        score_left_out.STAGE.run(made, name)
    mine_normal.STAGE.run(mined(made), "tiny")
    make_pseudo_anomalies.STAGE.run(made, "Train0")
    estimate_quality.STAGE.run(made, "tiny")
    trained(made).model().save(MODEL)
    divisors = {"members": ["fused", "mlad"], "sequences": ["Train0"], "divisors": [0.5, 2.0]}
    combined(made).member_divisors().save({"schema": 1, **divisors})
    return made


@pytest.fixture
def replaced(artifacts: Artifacts) -> Iterator[Callable[[str, Any], Artifact]]:
    """Puts other content into a file, under its right stamp and digest, for one test."""
    before: dict[Path, bytes] = {}

    def replace(kind: str, content: Any) -> Artifact:
        file = FILES[kind](artifacts)
        before.setdefault(file.path, file.path.read_bytes())
        file.save(content)
        return file

    yield replace
    for path, data in before.items():
        path.write_bytes(data)


def content_of(artifacts: Artifacts, kind: str) -> Any:
    return FILES[kind](artifacts).load()


def refused(file: Artifact, what: str) -> None:
    """One line with file, key and remedy."""
    with pytest.raises(VadlocError) as caught:
        file.load()
    text = str(caught.value)
    assert text.startswith(f"{file.path}: holds no ")
    assert text.endswith(f"; make it again: {file.command} --overwrite")
    assert what in text
    assert text.isprintable()


def test_every_kind_that_is_read_again_is_described() -> None:
    assert FILES.keys() == CONTENTS.keys()
    assert set(MAIN_NUMBERS.values()) <= Summary.model_fields.keys()


@pytest.mark.parametrize(("kind", "key"), NEEDED)
def test_a_missing_key_is_named(
    artifacts: Artifacts, replaced: Callable[[str, Any], Artifact], kind: str, key: str
) -> None:
    content = content_of(artifacts, kind)
    del content[key]
    refused(replaced(kind, content), f"{key}: ")


@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_a_value_of_another_type_is_named(
    artifacts: Artifacts, replaced: Callable[[str, Any], Artifact], kind: str, key: str
) -> None:
    content = content_of(artifacts, kind)
    of_another_type = "yes" if key in FLAGS else True
    for value in (of_another_type, [[[1]]], {"a": [1, {"\x1b[2J": 2}]}):
        refused(replaced(kind, {**content, key: value}), key)


ARRAYS = [
    ("features", "first_frame"),
    ("features", "index"),
    *(
        (kind, key)
        for kind in ("exemplars", "merged")
        for key in ("features", "counts", "sequence", "first_frame", "offsets")
    ),
    ("calibration", "scores"),
    ("calibration", "alarms"),
]


def unlike(array: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays that resemble the right one."""
    swapped = array.astype(array.dtype.newbyteorder())
    other = np.float64 if array.dtype.kind == "f" else np.int16
    return {
        "shorter": array[:-1],
        "empty": array[:0],
        "one axis more": array[None],
        "one axis less": array.ravel() if array.ndim > 1 else np.array(array[0]),
        "other type": array.astype(other),
        "other byte order": swapped,
        "text": array.astype("U"),
    }


@pytest.mark.parametrize(("kind", "key"), ARRAYS)
def test_an_array_of_another_shape_or_type_is_named(
    artifacts: Artifacts, replaced: Callable[[str, Any], Artifact], kind: str, key: str
) -> None:
    content = content_of(artifacts, kind)
    for name, array in unlike(content[key]).items():
        what = "" if name == "shorter" else f"{key}: "
        refused(replaced(kind, {**content, key: array}), what)


def changed(content: Any, keys: tuple[int | str, ...], value: Any) -> Any:
    """A copy with another value at some place."""
    key, *others = keys
    copy: Any = list(content) if isinstance(content, list) else dict(content)
    copy[key] = changed(content[key], tuple(others), value) if others else value
    return copy


VALUES: list[tuple[str, tuple[int | str, ...], Any]] = [
    ("features", ("frame_count",), 0),
    ("features", ("height_px",), 10**9),
    ("features", ("components",), {}),
    ("exemplars", ("widths",), [5]),
    ("exemplars", ("scales",), [float("nan")]),
    ("exemplars", ("gated",), [True, False, True]),
    ("merged", ("sequences",), ["Train0"]),
    ("merged", ("components",), []),
    ("score_details", ("cell_width_px",), 0),
    ("explanations", ("frame_count",), 10**9),
    ("explanations", ("frame_scores",), [0.5]),
    ("explanations", ("frames_per_second",), 0),
    ("explanations", ("detections", 0, "last_frame"), 10**9),
    ("explanations", ("detections", 0, "peak_frame"), 0),
    ("explanations", ("detections", 0, "boxes_xyxy_px"), []),
    ("explanations", ("detections", 0, "boxes_xyxy_px", 0), [0, 0, 10]),
    ("explanations", ("detections", 0, "boxes_xyxy_px", 0), [10, 10, 5, 5]),
    ("explanations", ("detections", 0, "peak", "box_xyxy_px"), [0, 0, 10**9, 5]),
    ("explanations", ("detections", 0, "nearest", "box_xyxy_px"), [5000, 0, 5010, 5]),
    ("explanations", ("detections", 0, "nearest", "box_xyxy_px"), [0, 0, 10, 5000]),
    ("explanations", ("detections", 0, "nearest", "last_frame"), 10**8),
    ("explanations", ("detections", 0, "peak", "region"), -1),
    ("frame_labels", ("regions", "Test0", "frame"), [1]),
    ("frame_labels", ("anomalous_frames", "Test0"), [[1]]),
    ("summary", ("counts",), {}),
]


@pytest.mark.parametrize(("kind", "keys", "value"), VALUES)
def test_values_that_fit_nothing_are_refused(
    artifacts: Artifacts,
    replaced: Callable[[str, Any], Artifact],
    kind: str,
    keys: tuple[int | str, ...],
    value: Any,
) -> None:
    refused(replaced(kind, changed(content_of(artifacts, kind), keys, value)), "")


def far(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array = array.copy()
    array.flat[0] = 1_000_000
    return array


@pytest.mark.parametrize(
    ("kind", "key"),
    [("features", "index"), ("exemplars", "offsets"), ("merged", "sequence")],
)
def test_a_place_that_is_not_there_is_refused(
    artifacts: Artifacts, replaced: Callable[[str, Any], Artifact], kind: str, key: str
) -> None:
    content = content_of(artifacts, kind)
    refused(replaced(kind, {**content, key: far(content[key])}), "")
    refused(replaced(kind, {**content, key: content[key] - 1}), "")


@pytest.mark.parametrize(
    ("kind", "key", "least"),
    [
        ("features", "first_frame", 0),
        ("exemplars", "counts", 1),
        ("merged", "sequence", 0),
        ("merged", "first_frame", 0),
        ("calibration", "alarms", 0),
    ],
)
def test_a_number_that_is_too_small_is_refused(
    artifacts: Artifacts, replaced: Callable[[str, Any], Artifact], kind: str, key: str, least: int
) -> None:
    content = content_of(artifacts, kind)
    array = content[key].copy()
    array[-1] = least - 1
    refused(replaced(kind, {**content, key: array}), f"{key}: expected values of at least {least}")


def test_a_region_without_exemplars_is_refused(
    artifacts: Artifacts, replaced: Callable[[str, Any], Artifact]
) -> None:
    content = content_of(artifacts, "merged")
    offsets = np.insert(content["offsets"], 1, 0)
    refused(replaced("merged", {**content, "offsets": offsets}), "the offsets do not rise")


def test_numbers_that_are_none_are_refused(
    artifacts: Artifacts, replaced: Callable[[str, Any], Artifact]
) -> None:
    scores = content_of(artifacts, "scores")
    refused(replaced("scores", np.where(scores == scores.max(), np.nan, scores)), "finite")
    refused(replaced("scores", scores[0]), "shape")


def shifted(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "first_frame": content["first_frame"] + 1}


def wider(content: dict[str, Any]) -> dict[str, Any]:
    """Features of one column more."""
    columns = np.hstack([content["features"], content["features"][:, :1]])
    return {**content, "features": columns, "widths": [columns.shape[1]]}


def one_region_less(content: dict[str, Any]) -> dict[str, Any]:
    offsets = np.delete(content["offsets"], 1)
    return {**content, "offsets": offsets}


def one_region_less_features(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "index": np.ascontiguousarray(content["index"][:, 1:])}


def other_name(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "components": {"other": content["components"]["momentum"]}}


def unknown_region(content: dict[str, Any]) -> dict[str, Any]:
    detail: dict[str, Any] = changed(content, ("detections", 0, "peak", "region"), 5000)
    return detail


def unknown_sequence(content: dict[str, Any]) -> dict[str, Any]:
    detail: dict[str, Any] = changed(content, ("detections", 0, "nearest", "sequence"), "<b>")
    return detail


def fewer_frames(content: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return content[:-1]


STAGES: list[tuple[str, Callable[[Any], Any], Any, str, str]] = [
    ("features", shifted, select_exemplars, "Train0", "do not cover"),
    ("features", one_region_less_features, select_exemplars, "Train0", "regions, a frame has"),
    ("features", other_name, select_exemplars, "Train0", "lack components 'momentum'"),
    ("exemplars", wider, merge_exemplars, "tiny", "another distance"),
    ("exemplars", one_region_less, merge_exemplars, "tiny", "of other regions"),
    ("merged", wider, score_anomalies, "Test0", "columns, exemplars of"),
    ("merged", one_region_less, score_anomalies, "Test0", "regions, a frame has"),
    ("merged", wider, explain_anomalies, "Test0", "columns, exemplars of"),
    ("scores", fewer_frames, explain_anomalies, "Test0", "a score map of shape"),
    ("scores", fewer_frames, write_report, "tiny", "a score map of shape"),
    ("explanations", unknown_region, write_report, "tiny", "of another model"),
    ("explanations", unknown_sequence, write_report, "tiny", "of another model"),
]


@pytest.mark.parametrize(("kind", "change", "stage", "unit", "message"), STAGES)
def test_files_that_do_not_fit_each_other_are_refused(
    artifacts: Artifacts,
    replaced: Callable[[str, Any], Artifact],
    kind: str,
    change: Callable[[Any], Any],
    stage: Any,
    unit: str,
    message: str,
) -> None:
    replaced(kind, change(content_of(artifacts, kind)))
    outputs = {file.path: file.path.read_bytes() for file in stage.outputs(artifacts, unit)}
    for path in outputs:
        path.unlink()
    try:
        with pytest.raises(VadlocError, match=message) as caught:
            stage.STAGE.run(artifacts, unit)
        assert not any(path.exists() for path in outputs)
    finally:  # the next test needs them
        for path, data in outputs.items():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
    assert "--overwrite" in str(caught.value)
