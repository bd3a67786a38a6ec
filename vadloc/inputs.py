"""What results are made from: the config, the version, the sequences and the ground truth."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from vadloc.config import Config, GroundTruthSource
from vadloc.errors import UsageError, VadlocError
from vadloc.mining import MinedModel
from vadloc.versions import VERSIONS, DetectorEntry, Part, components_of, detector_of
from vadloc.video.frames import Sequence, list_sequences

_T = TypeVar("_T")
Split = Literal["train", "anomalous", "test", "mined"]
"""The sequences of a dataset. ``anomalous`` are training videos each of which holds an anomaly
somewhere; ``mined`` are those in which a model mines normal data."""
_OF_DATA = frozenset({"frames", "learnt", "weights", "listed"})
"""What is kept of these does not depend on the model."""


@dataclass(frozen=True)
class Inputs:
    """A config and a version, and the data that the config names.

    Attributes:
        config: The config.
        results: Folder of the results of all datasets.
        datasets: Folder to which the paths of the config are relative.
        version: Version of the method; ``None`` for the version of the config.
        alarm_options: Options of the command line that override the config's ``[alarms]``.
        part: The test sequences to evaluate; empty for all. Only the evaluation uses it.
        mined: What the model has mined, or where it may mine; ``None`` if it does not.
        whole: The version of which this one is a part, as it has mined; ``None`` for no part, and
            for a part of a version that has not mined.
    """

    config: Config
    results: Path = Path("results")
    datasets: Path = Path("datasets")
    version: str = ""
    alarm_options: tuple[str, ...] = ()
    part: tuple[str, ...] = ()
    mined: MinedModel | None = None
    whole: Self | None = field(default=None, compare=False, repr=False)
    _cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Set the version to the config's if none is given, and check it."""
        object.__setattr__(self, "version", self.version or self.config.version)
        if self.version not in VERSIONS:
            raise UsageError(f"version {self.version!r}: expected one of {sorted(VERSIONS)}")
        detector_of(self.version)
        if self.mined is not None:
            self._check_mining()

    def _check_mining(self) -> None:
        """Refuse a version that cannot learn from mined video, and further video that is none."""
        if not self.detector.learns_mined:
            able = [name for name in VERSIONS if detector_of(name).learns_mined]
            raise UsageError(
                f"version {self.version!r}: its detector {self.detector_name!r} cannot learn from "
                f"what is mined; those of {', '.join(able)} can"
            )
        if self.place("mined") != "test":
            self._check_further(self.split_folder("mined"))

    def _check_further(self, path: Path, *, of_anomalies: bool = False) -> None:
        """Refuse further or anomalous video that shares a folder with normal or test video."""
        found = path.resolve()
        advice = {
            "test": "to mine in what is evaluated, say so: --mine-from transductive",
            "train": "which is learnt already; give a folder of other video",
        }
        wanted = "further video to mine in"
        if of_anomalies:
            wanted = "videos that hold an anomaly ([dataset] anomalous)"
            advice = dict.fromkeys(advice, "a video is in one of these folders only")
        for split in ("test", "train"):
            known = self.split_folder(split).resolve()
            if found == known or found in known.parents or known in found.parents:
                raise UsageError(
                    f"{path}: expected {wanted}, but this is or holds video of [dataset] {split} "
                    f"({self.split_folder(split)}); {advice[split]}"
                )

    @property
    def folder(self) -> Path:
        """Folder of all results of the dataset."""
        return self.results / self.config.dataset.name

    @property
    def inputs(self) -> Path:
        """Folder in which the digests of input files are kept; see `vadloc.files.digests`."""
        return self.folder / "inputs"

    @property
    def components(self) -> tuple[str, ...]:
        """Feature components of the version, or of its parts, in the order of their columns."""
        return components_of(self.version)

    @property
    def round(self) -> int:
        """How many rounds the model has learnt from mined data."""
        return self.mined.round if self.mined else 0

    @property
    def label(self) -> str:
        """The version in the names of folders, with what the model has mined."""
        if self.whole is not None:
            return f"{self.whole.label}/{self.version}"
        return self.version + (self.mined.suffix if self.mined else "")

    def at_round(self, number: int) -> Self:
        """The same version after so many rounds of mining; 0 for the model as it was trained."""
        if number == self.round:
            return self
        return self._once(("round", number), lambda: self._at_round(number))

    def _at_round(self, number: int) -> Self:
        assert self.mined is not None, "it is not said where the model mines"
        whole = self.whole.at_round(number) if self.whole and number else None
        kept = {key: value for key, value in self._cache.items() if key[0] in _OF_DATA}
        mined = replace(self.mined, round=number)
        return replace(self, mined=mined, whole=whole, part=(), _cache=kept)

    @property
    def parts(self) -> tuple[Self, ...]:
        """The versions that have exemplars: this one, or its parts."""
        parts = VERSIONS[self.version].parts
        if not parts:
            return (self,)
        return self._once("parts", lambda: tuple(self._part(part) for part in parts))

    @property
    def members(self) -> tuple[Self, ...]:
        """The versions whose scores this one adds; none for most versions."""

        def made() -> tuple[Self, ...]:
            names = VERSIONS[self.version].members
            return tuple(replace(self, version=name, _cache={}) for name in names)

        return self._once("members", made)

    def _part(self, part: Part) -> Self:
        """The same config and data for a part of the version."""
        scoring = self.config.scoring.model_copy(update={"neighbourhood": part.neighbourhood})
        config = self.config.model_copy(update={"scoring": scoring})
        whole = self if self.round else None
        kept = {key: value for key, value in self._cache.items() if key[0] == "frames"}
        return replace(self, config=config, version=part.version, whole=whole, _cache=kept)

    @property
    def detector(self) -> DetectorEntry:
        """The entry of the version's detector."""
        return detector_of(self.version)

    @property
    def detector_name(self) -> str:
        """The name of the version's detector in ``DETECTORS``."""
        return VERSIONS[self.version].detector

    @property
    def detector_settings(self) -> Any:
        """The table of the version's detector; only for detectors that are trained."""
        return self.config.detectors[self.detector_name]

    @property
    def reads(self) -> Literal["features", "frames", "versions"]:
        """The input of the detector; one with snippets of a folder needs no features of ours."""
        settings: Any = self.detector_settings if self.detector.settings else None
        return "frames" if getattr(settings, "features", "") else self.detector.reads

    @property
    def weights(self) -> dict[str, float]:
        """w_k of each component."""
        weights = dict.fromkeys(self.components, 1.0) | dict(VERSIONS[self.version].weights)
        given = self.config.distance.weights
        return weights | {name: w for name, w in given.items() if name in weights}

    def place(self, split: Split) -> str:
        """The name of a split in results: where video of it was mined from, its own name."""
        if split != "mined":
            return split
        assert self.mined is not None, "it is not said where the model mines"
        return self.mined.place if self.mined.protocol == "split" else "test"

    def split_folder(self, split: Split) -> Path:
        """The folder of the sequences of a split.

        Raises:
            UsageError: The config names no videos that are known to hold an anomaly.
        """
        dataset, place = self.config.dataset, self.place(split)
        if place == "anomalous":
            if dataset.anomalous is None:
                raise UsageError(
                    f"{self.config.path}: [dataset] anomalous is not set; version "
                    f"{self.version!r} needs a folder of videos that hold an anomaly somewhere, "
                    "beside the normal ones of [dataset] train"
                )
            return self.datasets / dataset.anomalous
        if place in ("train", "test"):
            return self.datasets / (dataset.train if place == "train" else dataset.test)
        assert self.mined is not None
        return self.datasets / self.mined.folder

    @property
    def training_splits(self) -> tuple[Split, ...]:
        """The splits that the version learns from."""
        return ("train", "anomalous") if self.detector.learns_anomalies else ("train",)

    def sequences(self, split: Split) -> list[Sequence]:
        """The sequences of a split in natural order.

        The test sequences of a model that has mined in the first half of them are the others.

        Raises:
            VadlocError: The folder is missing or holds no sequence; or there is only one test
                sequence, and the model mines in the first half of them.
        """
        found = self.every_sequence(split)
        halved = split in ("test", "mined") and self.mined and self.mined.protocol == "first_half"
        if not halved:
            return found
        half = len(found) // 2
        if not half:
            raise VadlocError(
                f"{self.split_folder('test')}: a single test sequence has no first half; mine with "
                "--mine-from transductive, or --mine-split with other video"
            )
        if split == "mined":
            return found[:half]
        return found[half:] if self.round else found

    def every_sequence(self, split: Split) -> list[Sequence]:
        """The sequences in the folder of a split, in natural order.

        Raises:
            UsageError: A sequence of further video is a link to training or test video.
            VadlocError: The folder is missing or holds no sequence.
        """

        def listed() -> list[Sequence]:
            found = list_sequences(self.split_folder(split))
            if self.place(split) not in ("train", "test"):
                for sequence in found:
                    of_anomalies = self.place(split) == "anomalous"
                    self._check_further(sequence.path, of_anomalies=of_anomalies)
            return found

        return self._once(("sequences", self.place(split)), listed)

    def sequence(self, split: Split, name: str) -> Sequence:
        """The sequence with a name.

        Raises:
            VadlocError: No sequence has this name; the message lists the names.
        """
        for sequence in self.every_sequence(split):
            if sequence.name == name:
                return sequence
        names = ", ".join(s.name for s in self.every_sequence(split))
        raise VadlocError(f"no {split} sequence {name!r}; there are {names}")

    @property
    def ground_truths(self) -> tuple[GroundTruthSource, ...]:
        """All ground truths of the config.

        Raises:
            VadlocError: The config names no ground truth.
        """
        if not self.config.ground_truths:
            raise VadlocError(
                f"{self.config.path}: neither [dataset] ground_truth nor [[ground_truth]] is set; "
                "there is nothing to evaluate against"
            )
        return self.config.ground_truths

    def covered(self, source: GroundTruthSource) -> list[Sequence]:
        """The test sequences that a ground truth covers, among those that are evaluated.

        Raises:
            UsageError: Its table or ``part`` names a sequence that does not exist.
        """
        sequences = self.sequences("test")
        names = [sequence.name for sequence in self.every_sequence("test")]
        for where, wanted in (
            (f"{self.config.path}: [[ground_truth]] sequences", source.sequences),
            ("--sequences", self.part),
        ):
            unknown = [name for name in wanted if name not in names]
            if unknown:
                raise UsageError(
                    f"{where}: no test sequence {unknown[0]!r}; there are {', '.join(names)}"
                )
        within = set(source.sequences or names) & set(self.part or names)
        return [sequence for sequence in sequences if sequence.name in within]

    @property
    def classes(self) -> Path | None:
        """The list of the classes of the test sequences, if the config names one."""
        given = self.config.dataset.classes
        return self.datasets / given if given else None

    def is_part(self) -> bool:
        """Whether the user chose to evaluate only some of the model's test sequences."""
        return bool(self.part) and {s.name for s in self.sequences("test")} != set(self.part)

    def evaluates_some(self) -> bool:
        """Whether some of the test sequences are not evaluated, by choice or after mining there."""
        return self.is_part() or len(self.sequences("test")) < len(self.every_sequence("test"))

    def truth_folder(self, source: GroundTruthSource) -> Path:
        """The folder of a ground truth."""
        return self.datasets / source.path

    def _once(self, key: Any, make: Callable[[], _T]) -> _T:
        if key not in self._cache:
            self._cache[key] = make()
        value: _T = self._cache[key]
        return value
