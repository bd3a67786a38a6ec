"""Every file under ``results/``: its name, what it depends on, and the command that makes it.

No other module knows a file name. A *stamp* is a hash of exactly what an artifact depends on: the
schema of its kind, the config tables that its stage reads, and the stamps of its inputs, down to
the names and the content of the files of frames, annotation and weights. It is computed from config
and dataset alone, so that every stage can tell whether what it finds is what it would make, without
trusting the file.

What is in the files of the dataset is remembered under ``inputs/``, see `vadloc.files.digests`. A
stamp is computed when something is compared with it: what is missing needs none, and no frame is
read to list it.

Features are kept one file an extractor and sequence (and not one file a sequence), so that adding
a component, or a version that needs another one, leaves all that exists valid.
"""

import hashlib
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from vadloc.annotations.places import annotation_files
from vadloc.config import Config, GroundTruthSource
from vadloc.errors import UsageError, VadlocError
from vadloc.files import storage
from vadloc.files.digests import digests_of
from vadloc.versions import (
    EXEMPLARS,
    VERSIONS,
    DetectorEntry,
    detector_of,
    extractors_of,
)
from vadloc.video.frames import (
    Sequence,
    frame_files,
    list_sequences,
)
from vadloc.weights import weights_digest

_T = TypeVar("_T")
Split = Literal["train", "test"]
State = Literal["done", "missing", "stale", "damaged"]
SCHEMAS = {
    "video": 1,
    "features": 4,
    "scales": 2,
    "exemplars": 2,
    "merged": 2,
    "scores": 1,
    "evaluation": 2,
    "ground_truth": 1,
    "report": 2,
    "calibration": 1,
    "explanations": 1,
    "views": 1,
}
"""Raise the number of a kind whenever its content or the computation behind it changes; that of
``video`` when videos are decoded otherwise, which leaves the features of pictures valid."""

EVALUATE = "evaluation.evaluate_scores"
TRUTH_CLAIM = "ground_truth.json"
TRUTH_HASH = 6
"""Digits of a hash in the name of a folder."""
_READERS: dict[str, Callable[[Path], Any]] = {
    ".joblib": storage.read_joblib,
    ".npy": storage.read_array,
    ".json": storage.read_json,
}
_WRITERS: dict[str, Callable[..., None]] = {
    ".joblib": storage.write_joblib,
    ".npy": storage.write_array,
    ".json": storage.write_json,
    ".html": storage.write_page,
}


@dataclass(frozen=True)
class Artifact:
    """One file of results.

    Attributes:
        path: Where it is or will be.
        make_stamp: Computes `stamp`; not called as long as the file is missing.
        command: The command line that makes it.
        kind: What it holds, a key of ``contents.CONTENTS``; empty if no program reads it again.
    """

    path: Path
    make_stamp: Callable[[], str]
    command: str
    kind: str = ""

    @cached_property
    def stamp(self) -> str:
        """What its stamp must be under the present config and dataset."""
        return self.make_stamp()

    def is_done(self, *, overwrite: bool = False) -> bool:
        """Whether it exists as the present config would make it.

        Args:
            overwrite: Count a file that is damaged or was made otherwise as not done; the whole
                file is read for that, not only its stamp.

        Raises:
            VadlocError: It is damaged or was made otherwise, and ``overwrite`` is off.
        """
        state, detail = self.state(verify=overwrite)
        if state == "damaged" and not overwrite:
            raise VadlocError(f"{detail}; make it again: {self.command} --overwrite")
        if state == "stale" and not overwrite:
            raise VadlocError(
                f"{self.path}: made from another config, other frames or annotation, or by "
                f"another release ({detail}); to replace it: {self.command} --overwrite"
            )
        return state == "done"

    def state(self, *, verify: bool = False) -> tuple[State, str]:
        """What is at the path now, and a detail for what is stale or damaged.

        Args:
            verify: Read the whole file and compare its digest, not the stamp alone.
        """
        if not self.path.is_file():
            return "missing", ""
        try:
            stamp = storage.read_stamp(self.path)
            if verify:
                storage.verify(self.path)
        except storage.DamagedFileError as error:
            return "damaged", str(error)
        if stamp != self.stamp:
            return "stale", f"stamp {stamp}, expected {self.stamp}"
        return "done", ""

    def load(self) -> Any:
        """The content, checked against digest and stamp.

        Returns:
            A dict (``.joblib``, ``.json``) or an array (``.npy``).

        Raises:
            VadlocError: It is missing, damaged, was made from another config, or holds something
                else than its kind.
        """
        from vadloc.files.contents import check_content  # not for --help, which reads nothing

        if not self.is_done():
            raise VadlocError(f"{self.path}: missing; make it first: {self.command}")
        try:
            content = _READERS[self.path.suffix](self.path)
            check_content(content, self.kind, self.path)
        except storage.DamagedFileError as error:
            raise VadlocError(f"{error}; make it again: {self.command} --overwrite") from None
        return content

    def save(self, content: Any) -> Path:
        """Write the content under the expected stamp, atomically."""
        write = _WRITERS[self.path.suffix]
        write(self.path, content, stamp=self.stamp)
        return self.path


@dataclass(frozen=True)
class Artifacts:
    """The results of one config and version.

    Attributes:
        config: The config.
        results: Root of all results.
        datasets: Folder below which the paths of the config lie.
        version: Version of the method; ``None`` takes the config's.
        alarm_options: Options on the command line that stand above the config's ``[alarms]``.
        part: Test sequences that alone are evaluated; empty for all. No other stage looks at it.
    """

    config: Config
    results: Path = Path("results")
    datasets: Path = Path("datasets")
    version: str = ""
    alarm_options: tuple[str, ...] = ()
    part: tuple[str, ...] = ()
    _cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Settle the version."""
        object.__setattr__(self, "version", self.version or self.config.version)
        if self.version not in VERSIONS:
            raise UsageError(f"version {self.version!r}: expected one of {sorted(VERSIONS)}")
        detector_of(self.version)

    @property
    def folder(self) -> Path:
        """All results of the dataset."""
        return self.results / self.config.dataset.name

    @property
    def inputs(self) -> Path:
        """Where the digests of input files are remembered; see `vadloc.files.digests`."""
        return self.folder / "inputs"

    @property
    def components(self) -> tuple[str, ...]:
        """Feature components of the version, in the order of their columns."""
        return VERSIONS[self.version].components

    @property
    def detector(self) -> DetectorEntry:
        """What the stages must know of the version's detector."""
        return detector_of(self.version)

    @property
    def weights(self) -> dict[str, float]:
        """w_k of each component."""
        weights = dict.fromkeys(self.components, 1.0) | dict(VERSIONS[self.version].weights)
        given = self.config.distance.weights
        return weights | {name: w for name, w in given.items() if name in weights}

    def split_folder(self, split: Split) -> Path:
        """Where the sequences of a split lie."""
        dataset = self.config.dataset
        return self.datasets / (dataset.train if split == "train" else dataset.test)

    def sequences(self, split: Split) -> list[Sequence]:
        """Sequences of a split in natural order."""
        folder = self.split_folder(split)
        return self._once(("sequences", split), lambda: list_sequences(folder))

    def sequence(self, split: Split, name: str) -> Sequence:
        """A sequence by name.

        Raises:
            VadlocError: There is none; the message lists the names.
        """
        for sequence in self.sequences(split):
            if sequence.name == name:
                return sequence
        names = ", ".join(s.name for s in self.sequences(split))
        raise VadlocError(f"no {split} sequence {name!r}; there are {names}")

    @property
    def ground_truths(self) -> tuple[GroundTruthSource, ...]:
        """All annotation of the config.

        Raises:
            VadlocError: The config names none.
        """
        if not self.config.ground_truths:
            raise VadlocError(
                f"{self.config.path}: neither [dataset] ground_truth nor [[ground_truth]] is set; "
                "there is nothing to evaluate against"
            )
        return self.config.ground_truths

    def covered(self, source: GroundTruthSource) -> list[Sequence]:
        """The test sequences that an annotation covers, of the part that is evaluated.

        Raises:
            UsageError: Its table or the part names a sequence that is not there.
        """
        sequences = self.sequences("test")
        names = [sequence.name for sequence in sequences]
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

    def is_part(self) -> bool:
        """Whether less than all test sequences are evaluated, by choice."""
        return bool(self.part) and {s.name for s in self.sequences("test")} != set(self.part)

    def truth_folder(self, source: GroundTruthSource) -> Path:
        """Where an annotation lies."""
        return self.datasets / source.path

    def features(self, extractor: str, split: Split, sequence: str) -> Artifact:
        """Features of one sequence by one extractor.

        Raises:
            UsageError: There are none yet, and the network's weights are missing.
            VadlocError: There are none yet, and it is not certain which frame a picture is.
        """
        path = self.folder / "features" / extractor / split / f"{sequence}.joblib"
        if not path.is_file():  # what can be seen without reading frames is seen before any work
            self._extractor_settings(extractor)
            listing = self.sequence(split, sequence)
            self._once(("listed", split, sequence), lambda: len(frame_files(listing)))
        return Artifact(
            path,
            partial(self._features_stamp, extractor, split, sequence),
            self._command(
                "feature_extraction.extract_features", "--split", split, "--sequence", sequence
            ),
            "features",
        )

    def scales(self) -> Artifact:
        """The divisors Z_k of the distance, from the features of all training sequences.

        Raises:
            UsageError: The version's detector learns no exemplars, so that there are none.
        """
        self._check_exemplars()
        return Artifact(
            self._versioned("exemplars", "scales.joblib"),
            self._scales_stamp,
            self._command("exemplar_selection.select_exemplars"),
            "scales",
        )

    def exemplars(self, sequence: str) -> Artifact:
        """Exemplars of one training sequence.

        Raises:
            UsageError: As `scales`.
        """
        self._check_exemplars()
        return Artifact(
            self._versioned("exemplars", f"{sequence}.joblib"),
            partial(self._exemplars_stamp, sequence),
            self._command("exemplar_selection.select_exemplars", "--sequence", sequence),
            "exemplars",
        )

    def merged(self) -> Artifact:
        """The model: exemplars of all training sequences.

        Raises:
            UsageError: As `scales`.
        """
        self._check_exemplars()
        return Artifact(
            self._versioned("exemplars", "merged.joblib"),
            self._merged_stamp,
            self._command("exemplar_selection.merge_exemplars"),
            "merged",
        )

    def scores(self, sequence: str) -> Artifact:
        """Score map of one test sequence, float32 ``(frames, cell rows, cell columns)``."""
        return self._scores_file(sequence, "npy")

    def score_details(self, sequence: str) -> Artifact:
        """What the score map does not say: cell and frame size."""
        return self._scores_file(sequence, "json")

    def calibration(self, sequence: str) -> Artifact:
        """False alarms of one training sequence at every threshold, by the other sequences."""
        return Artifact(
            self._versioned("calibration", f"{sequence}.joblib"),
            partial(self._calibration_stamp, sequence),
            self._command("anomaly_detection.calibration", "--sequence", sequence),
            "calibration",
        )

    def explanations(self, sequence: str) -> Artifact:
        """The detections of one test sequence and why they are unusual."""
        options = "--sequence", sequence, *self.alarm_options
        return Artifact(
            self._versioned("explanations", f"{sequence}.json"),
            partial(self._explanations_stamp, sequence),
            self._command("anomaly_detection.explain_anomalies", *options),
            "explanations",
        )

    def views(self, sequence: str, form: Literal["video", "frames"] = "video") -> Artifact:
        """A test sequence with its scores, detections and sentences on it.

        Args:
            sequence: Its name.
            form: ``video`` is one file; ``frames`` a folder, of which the artifact is the
                ``view.json`` that is written last.
        """
        words = ["--sequence", sequence, *self.alarm_options]
        words += ["--frames-out"] if form == "frames" else []
        return Artifact(
            self._by_truth(
                "views", f"{sequence}.mp4" if form == "video" else f"{sequence}/view.json"
            ),
            partial(self._views_stamp, sequence),
            self._command("anomaly_detection.visualize_anomalies", *words),
        )

    def evaluation(self, name: str) -> Artifact:
        """A file of the evaluation: ``summary.json`` or a curve.

        The folder ``evaluation/<version>`` belongs to the ground truth that was evaluated into it
        first, which its ``ground_truth.json`` says; see `_truth_suffix`.
        """
        part = ["--sequences", *self.part] if self.is_part() else []
        claim = name == TRUTH_CLAIM
        return Artifact(
            self._by_truth("evaluation", name),
            self._truth_identity if claim else self._evaluation_stamp,
            self._command(EVALUATE, *part),
            "" if claim else name.removesuffix(".json"),
        )

    def report_page(self, *, single_file: bool = False) -> Artifact:
        """The report: ``index.html`` of a folder that is made as a whole, or one file beside it."""
        folder = self._by_truth("report", "index.html").parent
        single = ("--single-file",) if single_file else ()
        return Artifact(
            folder.with_name(f"{folder.name}.html") if single else folder / "index.html",
            self._report_stamp,
            self._command("anomaly_detection.write_report", *single, *self.alarm_options),
        )

    def report_files(self) -> Artifact:
        """The list of all files of the report's folder, with their digests."""
        page = self.report_page()
        return Artifact(page.path.with_name("files.json"), page.make_stamp, page.command)

    def gallery(self, region: int) -> Path:
        """Picture of a region's exemplars."""
        return self._versioned("exemplars", f"region_{region}.png")

    def region_proposal(self) -> Path:
        """Picture of what moves in training video, and of the regions that fit it."""
        return self.folder / "proposed_regions.png"

    def report(self, command: str, unit: str) -> Path:
        """The stage report of one unit of work, ``<version>/...``; its own for each evaluation."""
        if command == EVALUATE:
            unit = unit.replace(self.version, self.version + self._truth_suffix(), 1)
        return self.folder / "reports" / command / f"{unit}.json"

    def _versioned(self, kind: str, name: str) -> Path:
        return self.folder / kind / self.version / name

    def _by_truth(self, kind: str, name: str) -> Path:
        """As `_versioned`, for what depends on the ground truth."""
        return self.folder / kind / f"{self.version}{self._truth_suffix()}" / name

    def _truth_suffix(self) -> str:
        """What follows the version in the folders of what depends on the ground truth.

        Nothing for the ground truth that was evaluated first, ``.<formats>-<hash>`` for any other,
        and ``.part-<hash>`` where only some sequences are evaluated.
        """
        if not self.config.ground_truths:
            return ""
        identity = self._truth_identity()
        if self.is_part():
            return f".part-{identity[:TRUTH_HASH]}"
        claim = self.folder / "evaluation" / self.version / TRUTH_CLAIM
        try:
            owner = storage.read_stamp(claim) if claim.is_file() else identity
        except storage.DamagedFileError:
            owner = identity
        if owner == identity:
            return ""
        formats = dict.fromkeys(source.format for source in self.config.ground_truths)
        return f".{'+'.join(formats)}-{identity[:TRUTH_HASH]}"

    def _truth_identity(self) -> str:
        """Hash of which ground truth is evaluated for what, on which sequences."""
        sources = sorted(
            (sorted(source.criteria), source.path, source.format, sorted(source.sequences))
            for source in self.config.ground_truths
        )
        return _hash("ground_truth", sources, sorted(self.part) if self.is_part() else [])

    def _check_exemplars(self) -> None:
        if not self.detector.learns_exemplars:
            raise UsageError(
                f"version {self.version!r}: its detector {VERSIONS[self.version].detector!r} "
                "learns no exemplars; there are none to select, merge or show"
            )

    def _scores_file(self, sequence: str, suffix: str) -> Artifact:
        return Artifact(
            self._versioned("scores", f"{sequence}.{suffix}"),
            partial(self._scores_stamp, sequence),
            self._command("anomaly_detection.score_anomalies", "--sequence", sequence),
            "scores" if suffix == "npy" else "score_details",
        )

    def _command(self, module: str, *options: str) -> str:
        words = ["python", "-m", module, "--config", str(self.config.path), *options]
        if self.version != self.config.version:
            words += ["--version", self.version]
        if self.results != Path("results"):
            words += ["--results", str(self.results)]
        if self.datasets != Path("datasets"):
            words += ["--datasets", str(self.datasets)]
        return shlex.join(words)

    def _features_stamp(self, extractor: str, split: Split, sequence: str) -> str:
        settings = self._extractor_settings(extractor)
        frames = self._frames_stamp(split, sequence)
        return _hash("features", extractor, frames, self.config.regions, settings)

    def _extractor_settings(self, extractor: str) -> dict[str, Any]:
        settings: dict[str, Any] = self.config.features[extractor].model_dump()
        if "weights" in settings:  # what is in the file counts, not where it lies
            settings["weights"] = self._weights_digest(extractor, settings["weights"])
        return settings

    def _weights_digest(self, network: str, weights: str) -> str:
        return self._once(("weights", network), lambda: weights_digest(weights, network))

    def _frames_stamp(self, split: Split, sequence: str) -> str:
        return self._once(("frames", split, sequence), lambda: self._hash_frames(split, sequence))

    def _hash_frames(self, split: Split, sequence: str) -> str:
        found = self.sequence(split, sequence)
        files = {file.name: file for file in frame_files(found)}
        digests = digests_of(files, self._input_record("frames", split, sequence))
        return _hash("video" if found.is_video else "frames", *digests.items())

    def check_frames(self, split: Split, sequence: str) -> None:
        """Compare the frames of a sequence with those of its stamp, after they have been read.

        Raises:
            VadlocError: They are others by now.
        """
        if self._hash_frames(split, sequence) != self._frames_stamp(split, sequence):
            raise VadlocError(
                f"{self.sequence(split, sequence).path}: changed while it was read; give the "
                "command again when nothing writes to it"
            )

    def _input_record(self, kind: str, *names: str) -> Path:
        return self.inputs.joinpath(kind, *names[:-1], f"{names[-1]}.json")

    def _all_features_stamp(self, split: Split, sequence: str) -> str:
        extractors = extractors_of(self.version)
        stamps = [self._features_stamp(extractor, split, sequence) for extractor in extractors]
        return _hash("version", *self.components, *stamps)

    def _input_stamp(self, split: Split, sequence: str) -> str:
        """The stamp of what the detector is given of a sequence."""
        if self.detector.reads == "features":
            return self._all_features_stamp(split, sequence)
        return _hash("input", self._frames_stamp(split, sequence), self.config.regions)

    def _learned_stamp(self) -> str:
        """The stamp of what is learnt; of the training sequences if that is nothing."""
        if self.detector.learns_exemplars:
            return self._merged_stamp()
        train = self.sequences("train")
        return self._once("train", lambda: _hash("train", *self._train_inputs(train)))

    def _train_inputs(self, train: list[Sequence]) -> list[str]:
        return [self._input_stamp("train", sequence.name) for sequence in train]

    def _detector_identity(self) -> list[Any]:
        """Which detector scores; nothing for exemplars, whose stamps older results have."""
        name = VERSIONS[self.version].detector
        return [] if name == EXEMPLARS else [name, self.detector.revision]

    def _scales_stamp(self) -> str:
        def hashed() -> str:
            train = [self._all_features_stamp("train", s.name) for s in self.sequences("train")]
            settings = self.config.distance.model_dump(exclude={"weights"})
            return _hash("scales", *train, settings)

        return self._once("scales", hashed)

    def _exemplars_stamp(self, sequence: str) -> str:
        features = self._all_features_stamp("train", sequence)
        inputs = features, self._scales_stamp(), self.weights
        return _hash("exemplars", *inputs, self.config.exemplars)

    def _merged_stamp(self) -> str:
        def hashed() -> str:
            train = self.sequences("train")
            return _hash("merged", *(self._exemplars_stamp(s.name) for s in train))

        return self._once("merged", hashed)

    def _scores_stamp(self, sequence: str) -> str:
        inputs = [self._input_stamp("test", sequence)]
        if self.detector.learns_exemplars:
            inputs.append(self._merged_stamp())
        return _hash("scores", *inputs, self.config.scoring, *self._detector_identity())

    def _calibration_stamp(self, sequence: str) -> str:
        connectivity = self.config.evaluation.connectivity
        inputs = sequence, self._learned_stamp(), connectivity
        identity = self._detector_identity()
        return _hash("calibration", *inputs, self.config.scoring, *identity)

    def _explanations_stamp(self, sequence: str) -> str:
        alarms, dataset = self.config.alarms, self.config.dataset
        inputs = self._scores_stamp(sequence), self.config.evaluation.connectivity
        return _hash("explanations", *inputs, dataset.frames_per_second, alarms)

    def _views_stamp(self, sequence: str) -> str:
        return _hash("views", self._explanations_stamp(sequence), self._truth_stamp())

    def _truth_stamp(self) -> str | None:
        """The stamp of the evaluation; ``None`` if there is none."""
        return self._evaluation_stamp() if self.config.ground_truths else None

    def _evaluation_stamp(self) -> str:
        def hashed() -> str:
            inputs = []
            for source in self.ground_truths:
                names = [sequence.name for sequence in self.covered(source)]
                scores = [self._scores_stamp(name) for name in names]
                inputs += [scores, self._truth_digests(source, names), source.model_dump()]
            return _hash("evaluation", *inputs, self.config.evaluation)

        return self._once(("evaluation", self.part), hashed)

    def _truth_digests(
        self, source: GroundTruthSource, sequences: list[str]
    ) -> list[tuple[str, str]]:
        """Names and digests of the files of an annotation that are read."""
        folder = self.truth_folder(source)
        record = self._input_record(
            "ground_truth", source.format, *PurePosixPath(source.path).parts
        )
        return list(digests_of(annotation_files(source.format, folder, sequences), record).items())

    def _report_stamp(self) -> str:
        explained = [self.explanations(s.name).stamp for s in self.sequences("test")]
        truth = self._truth_stamp()
        rate = self.config.dataset.frames_per_second
        inputs = [*explained, self._learned_stamp(), truth, rate]
        return _hash("report", *inputs, self.config.report)

    def _once(self, key: Any, make: Callable[[], _T]) -> _T:
        if key not in self._cache:
            self._cache[key] = make()
        value: _T = self._cache[key]
        return value


def _hash(kind: str, *parts: Any) -> str:
    """Short hash of a kind, its schema number and JSON-able parts or config tables."""
    plain = [part.model_dump() if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps([kind, SCHEMAS.get(kind, 0), plain], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[: storage.STAMP_LENGTH]
