"""The config of a dataset: one TOML file, read and checked once, then never changed."""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

import tomli
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    RootModel,
    SerializeAsAny,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import PydanticKnownError

from vadloc.annotations import MODULES
from vadloc.config_table import ConfigTable
from vadloc.errors import UsageError, one_line
from vadloc.mining import Mining
from vadloc.pseudo_settings import PseudoAnomalyVideo
from vadloc.versions import DETECTORS, EXTRACTORS, VERSIONS, all_components


def _inside(path: str) -> str:
    """Check that a path lies below the datasets folder; a config must not reach outside it."""
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts:
        raise ValueError("expected a path below the datasets folder; move that with --datasets")
    return path


InsidePath = Annotated[str, AfterValidator(_inside)]


CURVES = {
    "frame": ("frame",),
    "pixel": ("pixel", "dual_pixel"),
    "region": ("region",),
    "track": ("track",),
}
"""The criteria that can be computed from a ground truth, and the curves of each criterion.

Each criterion is a module of the same name in ``evaluation/criteria/``.
"""
CRITERIA = tuple(CURVES)
if TYPE_CHECKING:
    Criterion: TypeAlias = str
    GroundTruthFormat: TypeAlias = str
else:  # checked when the config is read
    Criterion = Literal[CRITERIA]
    GroundTruthFormat = Literal[tuple(MODULES)]
AreaRule = Literal["envelope", "ssvad", "grid100", "hold"]


def _component(name: str) -> str:
    """Check that an extractor makes a component of this name."""
    *others, last = (repr(component) for component in all_components())
    if name not in all_components():
        expected = " or ".join([", ".join(others), last]) if others else last
        raise PydanticKnownError("literal_error", {"expected": expected})
    return name


Component = Annotated[str, AfterValidator(_component)]
SHOWN_PROBLEMS = 10


class GroundTruthSource(ConfigTable):
    """One annotation of the test sequences, and the criteria that are computed from it.

    Attributes:
        path: Folder of the annotation, relative to the datasets folder.
        format: Name of the annotation format.
        derived: Whether the annotated regions or tracks were computed from masks. Files of rows
            cannot say this, and the results are not comparable with published ones.
        criteria: The criteria that are computed from it.
        sequences: The test sequences that it covers; empty for all.
        mask_threshold: Least level at which a pixel of a mask is anomalous. Without it, masks of
            more than two levels are refused.
    """

    path: InsidePath
    format: GroundTruthFormat = "street_scene"
    derived: bool = False
    criteria: list[Criterion] = Field(default=list(CRITERIA), min_length=1)
    sequences: list[str] = Field(default_factory=list)
    mask_threshold: float | None = None


class Dataset(ConfigTable):
    """Where the video and its annotation lie, relative to the datasets folder.

    Attributes:
        anomalous: Folder of training videos each of which holds an anomaly somewhere, for versions
            that learn from labels of whole videos; those of ``train`` are normal.
        classes: List of the test sequences with the classes of their anomalies, see
            ``vadloc.weak_labels``; the evaluation then also gives the frame AUC of each class.
        ground_truth: Folder of the annotation. This key and the three after it are the short form
            of a single ``[[ground_truth]]`` table for all criteria.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    train: InsidePath
    test: InsidePath
    anomalous: InsidePath | None = None
    classes: InsidePath | None = None
    ground_truth: InsidePath | None = None
    ground_truth_format: GroundTruthFormat = "street_scene"
    ground_truth_derived: bool = False
    ground_truth_mask_threshold: float | None = None
    frames_per_second: float = Field(ge=0.001, le=1000)


class Camera(ConfigTable):
    """What is done about a camera that is not quite fixed; see ``vadloc.video.camera_motion``.

    Attributes:
        undo_shake: Whether small shakes and slow drifts are undone before features are extracted.
    """

    undo_shake: bool = True


class Regions(ConfigTable):
    """The video volumes: square regions of the frame over a few frames."""

    size_px: int = Field(gt=0, le=4096)
    stride_px: int = Field(gt=0, le=4096)
    frames_per_volume: int = Field(default=10, ge=2, le=1000)
    frame_stride: int = Field(default=5, ge=1, le=1000)

    @model_validator(mode="after")
    def _whole_cells(self) -> "Regions":
        if self.size_px % self.stride_px:
            raise ValueError(
                f"size_px = {self.size_px} must be a multiple of stride_px = {self.stride_px}, "
                "since a region is a square of whole cells"
            )
        if self.frame_stride > self.frames_per_volume:
            raise ValueError(
                f"frame_stride = {self.frame_stride} exceeds frames_per_volume = "
                f"{self.frames_per_volume}: frames in between would belong to no volume"
            )
        return self


class _Tables(RootModel[dict[str, SerializeAsAny[ConfigTable]]]):
    """Tables of settings, one for each entry that has settings."""

    model_config = ConfigDict(frozen=True)

    def __getitem__(self, name: str) -> Any:
        """The settings of an entry, an instance of its model."""
        return self.root[name]

    @classmethod
    def models(cls) -> dict[str, type[ConfigTable]]:
        """The model of each table; every key of a model has a default."""
        raise NotImplementedError

    @classmethod
    def table(cls) -> type[ConfigTable]:
        """A model with all tables that there may be; each of them has defaults."""
        tables: Any = {name: (model, model()) for name, model in cls.models().items()}
        return create_model(cls.__name__, __base__=ConfigTable, **tables)

    @model_validator(mode="wrap")
    @classmethod
    def _of_entries(cls, value: Any, _handler: Any) -> Any:
        if isinstance(value, cls):
            return value
        checked = cls.table().model_validate(value)
        return cls.model_construct({name: getattr(checked, name) for name in cls.models()})


class Features(_Tables):
    """Settings of the feature extractors: one table for each of ``vadloc.versions.EXTRACTORS``."""

    @classmethod
    def models(cls) -> dict[str, type[ConfigTable]]:
        """The model of the table of each extractor."""
        return {name: entry.settings for name, entry in EXTRACTORS.items()}


class DetectorTables(_Tables):
    """Settings of the detectors that are trained: one table for each in ``DETECTORS``."""

    @classmethod
    def models(cls) -> dict[str, type[ConfigTable]]:
        """The model of the table of each detector that has settings."""
        return {name: entry.settings for name, entry in DETECTORS.items() if entry.settings}


class Distance(ConfigTable):
    """How the distance between two volumes is computed from the components of their features.

    Attributes:
        pairs: Number of random pairs of training volumes from which the divisors Z_k come.
        seed: Seed of the random pairs.
        stationary: How volumes in which nothing moves are treated. ``zero`` sets their features of
            motion networks to zero. With ``gate``, motion counts only between two moving volumes,
            and 3 is added between a moving volume and one that does not move. ``keep`` changes
            nothing.
        weights: w_k of components, by name; the others have the weights of the version
            (``vadloc.versions.VERSIONS``).
    """

    pairs: int = Field(default=20_000, ge=1)
    seed: int = Field(default=0, ge=0)
    stationary: Literal["zero", "gate", "keep"] = "zero"
    weights: dict[Component, Annotated[float, Field(ge=0, le=1e6)]] = Field(default_factory=dict)


class Exemplars(ConfigTable):
    """Settings of the greedy selection."""

    threshold: float = Field(default=0.05, ge=0)


class Scoring(ConfigTable):
    """How distances to exemplars become a score map."""

    combine: Literal["mean", "max"] = "mean"
    neighbourhood: int = Field(default=0, ge=0, le=100)


class Evaluation(ConfigTable):
    """Options of the criteria; see ``evaluation.criteria.options``."""

    alpha: float = Field(default=0.1, gt=0, le=1)
    beta: float = Field(default=0.1, gt=0, le=1)
    connectivity: Literal[4, 8] = 8
    pixel_share: float = Field(default=0.4, gt=0, le=1)
    dual_share: float = Field(default=0.05, gt=0, le=1)
    rule: AreaRule = "envelope"
    alarm_threshold: float = 0.5


class Alarms(ConfigTable):
    """The threshold of alarms, which are the detections that are explained.

    Attributes:
        threshold: Least score of an alarm; if it is not given, it is calibrated on training
            sequences.
        false_alarms_per_hour: Largest number of false alarms per hour of normal video, for which
            the threshold is calibrated.
    """

    threshold: float | None = None
    false_alarms_per_hour: float = Field(default=5.0, ge=0)


class Report(ConfigTable):
    """Length, rate and size of the pictures in the report, which decide its size on disk.

    Attributes:
        clip_seconds: Largest length of a clip; a longer detection is shown around its peak.
        clip_frames_per_second: Highest frame rate of clips; frames above it are left out.
        clip_side_px: Longest side of the frames in clips; larger frames are reduced to it.
    """

    clip_seconds: float = Field(default=20, gt=0, le=600)
    clip_frames_per_second: float = Field(default=12.5, gt=0)
    clip_side_px: int = Field(default=480, ge=64, le=2048)


class Config(ConfigTable):
    """All settings of one dataset.

    Attributes:
        path: The file that it was read from, for messages only.
    """

    path: Path = Field(exclude=True)
    version: str = "fused"
    dataset: Dataset
    ground_truth: list[GroundTruthSource] = Field(default_factory=list)
    camera: Camera = Camera()
    regions: Regions
    features: Features = Field(default_factory=lambda: Features.model_validate({}))
    detectors: DetectorTables = Field(default_factory=lambda: DetectorTables.model_validate({}))
    pseudo_anomalies: PseudoAnomalyVideo = PseudoAnomalyVideo()
    distance: Distance = Distance()
    exemplars: Exemplars = Exemplars()
    scoring: Scoring = Scoring()
    evaluation: Evaluation = Evaluation()
    alarms: Alarms = Alarms()
    report: Report = Report()
    mining: Mining = Mining()

    @model_validator(mode="after")
    def _known_version(self) -> "Config":
        if self.version not in VERSIONS:
            raise ValueError(f"version = {self.version!r}: expected one of {sorted(VERSIONS)}")
        return self

    @model_validator(mode="after")
    def _one_ground_truth_a_criterion(self) -> "Config":
        if self.ground_truth and self.dataset.ground_truth is not None:
            raise ValueError(
                "ground truth is named twice, by [dataset] ground_truth and by [[ground_truth]]; "
                "keep one of them"
            )
        served = [criterion for source in self.ground_truth for criterion in source.criteria]
        for criterion in CRITERIA:
            if served.count(criterion) > 1:
                raise ValueError(
                    f"[[ground_truth]] criteria: {criterion!r} is served {served.count(criterion)} "
                    "times; each criterion stands on one ground truth"
                )
        return self

    @property
    def ground_truths(self) -> tuple[GroundTruthSource, ...]:
        """All ground truths in the order of the config; empty if there is none."""
        dataset = self.dataset
        if dataset.ground_truth is None:
            return tuple(self.ground_truth)
        return (
            GroundTruthSource(
                path=dataset.ground_truth,
                format=dataset.ground_truth_format,
                derived=dataset.ground_truth_derived,
                mask_threshold=dataset.ground_truth_mask_threshold,
            ),
        )


def load_config(path: Path) -> Config:
    """Read and check a config file.

    Raises:
        UsageError: The file is missing, is not TOML, or has a wrong key or value; the message
            names file, key, value and what was expected.
    """
    try:
        # Windows editors put a byte order mark before the text.
        content = tomli.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(
            f"{path}: cannot read the config ({error.strerror}); the shipped ones are in configs/"
        ) from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path}: not a TOML file in UTF-8, as byte {error.start} shows; save it in UTF-8"
        ) from None
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, too many digits
        raise UsageError(f"{path}: not a TOML file: {one_line(error)}") from None
    if "path" in content:
        raise UsageError(f"{path}: path: unknown key; known: {_known_keys(())}")
    try:
        return Config(path=path, **content)
    except ValidationError as error:
        raise UsageError(_first_line(path, error)) from None


def _first_line(path: Path, error: ValidationError) -> str:
    """The problems of a config in one line: key, value, expectation."""
    problems = []
    for item in error.errors():
        keys = tuple(one_line(key, limit=80) for key in item["loc"])
        name = _key_name(keys) or "the whole"
        if item["type"] == "extra_forbidden":
            problems.append(f"{name}: unknown key; known: {_known_keys(keys[:-1])}")
        elif item["type"] == "missing":
            problems.append(f"{name}: missing, it has no default")
        else:
            shown = one_line(repr(item["input"]), limit=80)
            got = "" if isinstance(item["input"], dict) else f"{shown}: "
            problems.append(f"{name}: {got}{item['msg'].removeprefix('Value error, ')}")
    more = f"; and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
    return f"{path}: " + "; ".join(problems[:SHOWN_PROBLEMS]) + more


def _key_name(keys: tuple[str, ...]) -> str:
    """The name of a key as in the file; tables of a list are counted from 1."""
    if len(keys) > 1 and keys[1].isdecimal():
        return f"[[{keys[0]}]] number {int(keys[1]) + 1}: {'.'.join(keys[2:])}".rstrip(": ")
    return f"[{keys[0]}] {'.'.join(keys[1:])}" if len(keys) > 1 else ".".join(keys)


def _known_keys(table: tuple[str, ...]) -> str:
    model: Any = Config
    for key in (key for key in table if not key.isdecimal()):
        annotation = model.model_fields[key].annotation
        if annotation in (Features, DetectorTables):
            annotation = annotation.table()
        model = next((a for a in get_args(annotation) if hasattr(a, "model_fields")), annotation)
    return ", ".join(key for key in model.model_fields if (*table, key) != ("path",))
