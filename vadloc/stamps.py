"""Stamps: a hash of exactly what each result file depends on.

A stamp covers the schema of the file's kind, the config tables that its stage reads, and the stamps
of its inputs, down to the names and the content of the files of frames, annotation and weights. It
is computed from the config and the dataset alone, so that every stage can tell whether a file is
the one that it would make. Only marks are of explanations as they lie in the results: their
threshold may have been an option, which the commands that learn from them need not know.

The digests of the dataset's files are kept under ``inputs/``, see `vadloc.files.digests`. A stamp
is computed only when a file is compared with it. So missing files can be listed without reading any
frame.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel

from vadloc.annotations.places import annotation_files
from vadloc.config import GroundTruthSource
from vadloc.errors import UsageError, VadlocError
from vadloc.files import storage
from vadloc.files.digests import digests_of
from vadloc.inputs import Inputs, Split
from vadloc.mining import FORGETTING
from vadloc.setting_files import content_of, named_file_digest, named_files
from vadloc.versions import (
    EXEMPLARS,
    EXTRACTORS,
    VERSIONS,
    extractors_of,
    fixed_scales,
    learning_of,
)
from vadloc.video.frames import Sequence, frame_files
from vadloc.weights import weights_digest

SCHEMAS = {
    "video": 1,
    "features": 6,
    "speed_scale": 4,
    "background": 3,
    "scales": 2,
    "exemplars": 2,
    "merged": 2,
    "divisors": 3,
    "sightings": 1,
    "model": 1,
    "pseudo_anomalies": 1,
    "quality": 2,
    "member_divisors": 1,
    "scores": 1,
    "evaluation": 3,
    "ground_truth": 1,
    "report": 4,
    "calibration": 2,
    "explanations": 2,
    "views": 1,
    "mined": 1,
    "left_out": 1,
}
"""Schema number of each kind. Raise it whenever the content of the kind or its computation changes.
That of ``video`` is raised when decoding changes; the features of pictures stay valid."""


@dataclass(frozen=True)
class Stamps(Inputs):
    """The stamps of all result files; the method ``_<kind>_stamp`` gives that of a kind."""

    def _features_stamp(self, extractor: str, split: Split, sequence: str) -> str:
        settings, entry = self._extractor_settings(extractor), EXTRACTORS[extractor]
        frames = self.frames_stamp(split, sequence)
        more: list[Any] = [self._learnt_stamp(extractor)] if entry.learning else []
        if entry.uses_frame_rate:
            more.append(self.config.dataset.frames_per_second)
        if entry.revision > 1:  # the first one is not named, so that older features stay valid
            more.append({"revision": entry.revision})
        tables = self.config.camera, self.config.regions, settings
        return _hash("features", extractor, frames, *tables, *more)

    def _learnt_stamp(self, extractor: str) -> str:
        """The stamp of what an extractor learns from training video."""

        def hashed() -> str:
            learning = learning_of(extractor)
            frames = [self.frames_stamp("train", s.name) for s in self.sequences("train")]
            settings = self._extractor_settings(extractor)
            used = {key: settings[key] for key in learning.settings}
            stride_px = self.config.regions.stride_px
            return _hash(learning.kind, extractor, frames, self.config.camera, stride_px, used)

        return self._once(("learnt", extractor), hashed)

    def _extractor_settings(self, extractor: str) -> dict[str, Any]:
        settings: dict[str, Any] = self.config.features[extractor].model_dump()
        if "weights" in settings:  # the content counts, not the path
            settings["weights"] = self._weights_digest(extractor, settings["weights"])
        return settings

    def _weights_digest(self, network: str, weights: str) -> str:
        return self._once(("weights", network), lambda: weights_digest(weights, network))

    def frames_stamp(self, split: Split, sequence: str) -> str:
        """The stamp of the frames of a sequence, as they are stored."""
        key = "frames", self.place(split), sequence
        return self._once(key, lambda: self._hash_frames(split, sequence))

    def _hash_frames(self, split: Split, sequence: str) -> str:
        found = self.sequence(split, sequence)
        files = {file.name: file for file in frame_files(found)}
        digests = digests_of(files, self._input_record("frames", self.place(split), sequence))
        return _hash("video" if found.is_video else "frames", *digests.items())

    def check_frames(self, split: Split, sequence: str) -> None:
        """Check, after the frames of a sequence have been read, that they fit its stamp.

        Raises:
            VadlocError: The frames have changed since the stamp was computed.
        """
        if self._hash_frames(split, sequence) != self.frames_stamp(split, sequence):
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
        """The stamp of the detector's input for a sequence."""
        if self.reads == "versions":
            return _hash("input", *(m._input_stamp(split, sequence) for m in self.members))
        if self.reads == "features":
            return self._all_features_stamp(split, sequence)
        tables = self.config.camera, self.config.regions
        return _hash("input", self.frames_stamp(split, sequence), *tables)

    def _learned_stamp(self) -> str:
        """The stamp of exemplars or trained networks; without them, of the training sequences."""
        if self.detector.learns_exemplars:
            return self._model_stamp()
        if self.members:
            return self._members_stamp()
        if self.detector.training:
            return self._networks_stamp()
        train = self.sequences("train")
        return self._once("train", lambda: _hash("train", *self._train_inputs(train)))

    def _networks_stamp(self) -> str:
        """The stamp of the networks of a version whose detector is trained."""

        def hashed() -> str:
            train = self._train_inputs(self.sequences("train"))
            if self.detector.learns_anomalies:
                names = [s.name for s in self.sequences("anomalous")]
                found = [[name, self._input_stamp("anomalous", name)] for name in names]
                train.append(_hash("anomalous", found))
            name, revision, settings = self._detector_identity()
            unused = self.detector_settings.unused(self.round)
            used = {key: value for key, value in settings.items() if key not in unused}
            if self.round:
                train += [self.at_round(self.round - 1)._networks_stamp(), self._mined_stamp()]
            return _hash("model", *train, name, revision, used)

        return self._once("networks", hashed)

    def _members_stamp(self) -> str:
        """The stamp of the divisors of a combined version."""
        learned = [(m._learned_stamp(), m._detector_identity()) for m in self.members]
        return _hash("member_divisors", learned, self.config.scoring)

    def _pseudo_anomalies_stamp(self, sequence: str) -> str:
        settings = self._by_content(self.config.pseudo_anomalies)
        tables = self.config.camera, self.config.regions, settings
        return _hash("pseudo_anomalies", self.frames_stamp("train", sequence), *tables)

    def _by_content(self, table: BaseModel) -> dict[str, Any]:
        """Settings of which the content of the files that they name counts, not their paths.

        Raises:
            UsageError: A file or folder that they name is missing or empty.
        """
        idle = getattr(table, "idle", None)
        settings = table.model_dump(exclude=idle(self.round) if idle else None)
        for key in named_files(settings):
            settings[key] = self._content_of(key, settings[key])
        if settings.get("discriminator"):  # it reads features of another network
            settings["discriminator"] = self._extractor_settings("appearance")
        return settings

    def _content_of(self, key: str, path: str) -> Any:
        record = self._input_record(key, Path(path).name)
        return self._once(("weights", key, path), lambda: content_of(key, path, record))

    def _quality_stamp(self) -> str:
        inputs = self._learned_stamp(), self.config.scoring, self.config.alarms
        identity = self._detector_identity()
        pseudo = [self._pseudo_anomalies_stamp(s.name) for s in self.sequences("train")]
        dataset, evaluation = self.config.dataset, self.config.evaluation
        of_threshold = evaluation.connectivity, dataset.frames_per_second
        return _hash("quality", *inputs, *identity, *pseudo, *of_threshold)

    def _train_inputs(self, train: list[Sequence]) -> list[str]:
        return [self._input_stamp("train", sequence.name) for sequence in train]

    def _detector_identity(self) -> list[Any]:
        """Name, revision and settings; empty for ``exemplars``, so that old results fit."""
        name = VERSIONS[self.version].detector
        has_settings = bool(self.detector.settings)
        settings = [self._by_content(self.detector_settings)] if has_settings else []
        return [] if name == EXEMPLARS else [name, self.detector.revision, *settings]

    def _scales_stamp(self) -> str:
        def hashed() -> str:
            train = [self._all_features_stamp("train", s.name) for s in self.sequences("train")]
            settings = self.config.distance.model_dump(exclude={"weights"})
            return _hash("scales", *train, settings, fixed_scales(self.version))

        return self._once("scales", hashed)

    def _exemplars_stamp(self, sequence: str) -> str:
        features = self._all_features_stamp("train", sequence)
        inputs = features, self._scales_stamp(), self.weights
        return _hash("exemplars", *inputs, self.config.exemplars)

    def _trained_stamp(self) -> str:
        """The stamp of the merged exemplars of the training sequences."""

        def hashed() -> str:
            train = self.sequences("train")
            return _hash("merged", *(self._exemplars_stamp(s.name) for s in train))

        return self._once("trained", hashed)

    def _merged_stamp(self) -> str:
        """The stamp of the merged exemplars, with those that were mined."""
        if not self.round:
            return self._trained_stamp()

        def hashed() -> str:
            mined = (self.whole or self)._mined_stamp()
            before = self.at_round(self.round - 1)._merged_stamp()
            forgetting = self.config.mining.model_dump(include={*FORGETTING})
            return _hash("merged", before, mined, forgetting)

        return self._once("merged", hashed)

    def _mined_stamp(self) -> str:
        """The stamp of what was mined by the model of the round before."""

        def hashed() -> str:
            assert self.mined is not None
            before = self.at_round(self.round - 1)
            names = [sequence.name for sequence in self.sequences("mined")]
            scores = [before._scores_stamp(name, "mined") for name in names]
            left_out = self.config.mining.scale == "train_quantile"
            scale = [before._left_out_stamp(s.name) for s in self.sequences("train")]
            settings = self.config.mining.model_dump(exclude={*FORGETTING})
            where = self.mined.protocol, self.mined.folder, names
            inputs = where, scores, scale if left_out else [], self._marks_stamps()
            return _hash("mined", *inputs, settings)

        return self._once("mined", hashed)

    def _marks_stamps(self) -> list[str]:
        """The digest of the marks, and the stamps of the explanations that were marked."""
        assert self.mined is not None
        if self.mined.marks is None:
            return []
        try:
            digest = hashlib.sha256(self.mined.marks.read_bytes()).hexdigest()
        except OSError as error:
            raise UsageError(
                f"{self.mined.marks}: cannot read the marks ({error.strerror}); the report of "
                f"{self.version} exports them"
            ) from None
        marked = self.at_round(0)
        explained = [marked._marked_stamp(s.name) for s in marked.sequences("test")]
        return [digest, *explained]

    def _marked_stamp(self, sequence: str) -> str:
        """The stamp of the explanations of a sequence that has marks."""
        return self._explanations_stamp(sequence)

    def _left_out_stamp(self, sequence: str) -> str:
        inputs = sequence, self._learned_stamp(), self.config.scoring
        return _hash("left_out", *inputs, *self._detector_identity())

    def _divisors_stamp(self) -> str:
        """The stamp of the divisors of a version's parts."""

        def hashed() -> str:
            parts = [
                (made.version, part.neighbourhood, made._trained_stamp(), part.least_divisor)
                for made, part in zip(self.parts, VERSIONS[self.version].parts, strict=True)
            ]
            return _hash("divisors", *parts)

        return self._once("divisors", hashed)

    def _sightings_stamp(self) -> str:
        """The stamp of what training video shows, of a version of parts."""

        def hashed() -> str:
            train = [self._all_features_stamp("train", s.name) for s in self.sequences("train")]
            parts = [part.version for part in self.parts]
            inputs = parts, train, self.config.distance.stationary
            before = [self.at_round(number) for number in range(1, self.round + 1)]
            return _hash("sightings", *inputs, *(model._mined_stamp() for model in before))

        return self._once("sightings", hashed)

    def _model_stamp(self) -> str:
        """The stamp of what comes last of exemplars: the model, or the divisors of the parts."""
        if not VERSIONS[self.version].parts:
            return self._merged_stamp()
        if not self.round:
            return self._divisors_stamp()
        merged = [part._merged_stamp() for part in self.parts]
        return _hash("mined_model", self._divisors_stamp(), *merged)

    def _scores_stamp(self, sequence: str, split: Split = "test") -> str:
        inputs = self._input_stamp(split, sequence), self._learned_stamp()
        return _hash("scores", *inputs, self.config.scoring, *self._detector_identity())

    def _calibration_stamp(self, sequence: str) -> str:
        connectivity = self.config.evaluation.connectivity
        inputs = sequence, self._learned_stamp(), connectivity
        identity = self._detector_identity()
        return _hash("calibration", *inputs, self.config.scoring, *identity)

    def _explanations_stamp(self, sequence: str) -> str:
        alarms, dataset = self.config.alarms, self.config.dataset
        inputs = [self._scores_stamp(sequence), self.config.evaluation.connectivity]
        if VERSIONS[self.version].parts:
            inputs.append(self._sightings_stamp())
        return _hash("explanations", *inputs, dataset.frames_per_second, alarms)

    def _views_stamp(self, sequence: str) -> str:
        return _hash("views", self._explanations_stamp(sequence), self._truth_stamp())

    def _truth_stamp(self) -> str | None:
        """The stamp of the evaluation; ``None`` without ground truth."""
        return self._evaluation_stamp() if self.config.ground_truths else None

    def _evaluation_stamp(self) -> str:
        def hashed() -> str:
            inputs = []
            for source in self.ground_truths:
                names = [sequence.name for sequence in self.covered(source)]
                scores = [self._scores_stamp(name) for name in names]
                inputs += [scores, self._truth_digests(source, names), source.model_dump()]
            classes = [named_file_digest("classes", self.classes)] if self.classes else []
            return _hash("evaluation", *inputs, self.config.evaluation, *classes)

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
        explained = [self._explanations_stamp(s.name) for s in self.sequences("test")]
        truth = self._truth_stamp()
        rate = self.config.dataset.frames_per_second
        inputs = [*explained, self._learned_stamp(), truth, rate]
        return _hash("report", *inputs, self.config.report)

    def _truth_identity(self) -> str:
        """Hash of the ground truths, their criteria and the sequences that are evaluated."""
        sources = sorted(
            (sorted(source.criteria), source.path, source.format, sorted(source.sequences))
            for source in self.config.ground_truths
        )
        return _hash("ground_truth", sources, sorted(self.part) if self.is_part() else [])


def _hash(kind: str, *parts: Any) -> str:
    """Short hash of a kind, its schema number and JSON-able parts or config tables."""
    plain = [part.model_dump() if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps([kind, SCHEMAS.get(kind, 0), plain], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[: storage.STAMP_LENGTH]
