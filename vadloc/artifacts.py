"""Every file under ``results/``: its name and the command that makes it.

No other module knows a file name. The stamp of a file covers what it depends on, see
`vadloc.stamps`.

Features have one file for each extractor and sequence, and not one for each sequence. So existing
files stay valid when a component or a version is added.
"""

import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from vadloc.artifact import Artifact
from vadloc.errors import UsageError
from vadloc.files import storage
from vadloc.inputs import Split
from vadloc.stamps import Stamps
from vadloc.versions import VERSIONS, learning_of
from vadloc.video.frames import frame_files

EVALUATE = "evaluation.evaluate_scores"
TRUTH_CLAIM = "ground_truth.json"
TRUTH_HASH = 6
"""Number of digits of the hash in the name of a folder."""


@dataclass(frozen=True)
class Artifacts(Stamps):
    """The result files of one config and version."""

    def features(self, extractor: str, split: Split, sequence: str) -> Artifact:
        """Features of one sequence by one extractor.

        Raises:
            UsageError: The file does not exist yet, and the network's weights are missing.
            VadlocError: The file does not exist yet, and the names of the pictures do not give
                their order.
        """
        place = self.place(split)
        path = self.folder / "features" / extractor / place / f"{sequence}.joblib"
        if not path.is_file():  # find errors early that need no frames
            self._extractor_settings(extractor)
            listing = self.sequence(split, sequence)
            self._once(("listed", place, sequence), lambda: len(frame_files(listing)))
        named = self.mined.folder if self.mined and place not in ("train", "test") else place
        return Artifact(
            path,
            partial(self._features_stamp, extractor, split, sequence),
            self.at_round(0)._command(
                "feature_extraction.extract_features", "--split", named, "--sequence", sequence
            ),
            "features",
        )

    def learnt(self, extractor: str) -> Artifact:
        """What an extractor learns from the training sequences before it extracts features."""
        kind = learning_of(extractor).kind
        return Artifact(
            self.folder / "features" / extractor / f"{kind}.joblib",
            partial(self._learnt_stamp, extractor),
            self._command("feature_extraction.extract_features", "--split", "train"),
            kind,
        )

    def scales(self) -> Artifact:
        """The divisors Z_k of the distance, from the features of all training sequences.

        Raises:
            UsageError: The version's detector has no exemplars.
        """
        self._check_exemplars()
        return Artifact(
            self._trained("scales.joblib"),
            self._scales_stamp,
            self.at_round(0)._command("exemplar_selection.select_exemplars"),
            "scales",
        )

    def exemplars(self, sequence: str) -> Artifact:
        """Exemplars of one training sequence.

        Raises:
            UsageError: The version's detector has no exemplars.
        """
        self._check_exemplars()
        return Artifact(
            self._trained(f"{sequence}.joblib"),
            partial(self._exemplars_stamp, sequence),
            self.at_round(0)._command(
                "exemplar_selection.select_exemplars", "--sequence", sequence
            ),
            "exemplars",
        )

    def merged(self) -> Artifact:
        """The model: the merged exemplars of all training sequences, and those that were mined.

        Raises:
            UsageError: The version's detector has no exemplars.
        """
        self._check_exemplars()
        return Artifact(
            self._versioned("exemplars", "merged.joblib"),
            self._merged_stamp,
            self._command("exemplar_selection.merge_exemplars"),
            "merged",
        )

    def divisors(self) -> Artifact:
        """The divisors of the distances of a version's parts, which mining does not change."""
        return Artifact(
            self._trained("divisors.joblib"),
            self._divisors_stamp,
            self.at_round(0)._command("exemplar_selection.merge_exemplars"),
            "divisors",
        )

    def sightings(self) -> Artifact:
        """What training video, and what was mined, shows in each region, of a version of parts."""
        return Artifact(
            self._versioned("exemplars", "sightings.joblib"),
            self._sightings_stamp,
            self._command("exemplar_selection.merge_exemplars"),
            "sightings",
        )

    def model(self) -> Artifact:
        """The record of the training of networks; it lists the files of their weights.

        Raises:
            UsageError: The version's detector trains no networks.
        """
        if not self.detector.training:
            raise UsageError(
                f"version {self.version!r}: its detector {VERSIONS[self.version].detector!r} "
                "trains no networks"
            )
        return Artifact(
            self._versioned("models", "training.json"),
            self._networks_stamp,
            self._command("anomaly_detection.train_detector"),
            "model",
        )

    def member_divisors(self) -> Artifact:
        """What the scores of each member of a combined version reach on normal video."""
        return Artifact(
            self._versioned("models", "divisors.json"),
            self._members_stamp,
            self._command("anomaly_detection.combine_scores"),
            "member_divisors",
        )

    def pseudo_anomalies(self, sequence: str) -> Artifact:
        """Pseudo-anomalies in one training sequence, the same for all versions."""
        return Artifact(
            self.folder / "pseudo_anomalies" / f"{sequence}.joblib",
            partial(self._pseudo_anomalies_stamp, sequence),
            self._command("feature_extraction.make_pseudo_anomalies", "--sequence", sequence),
            "pseudo_anomalies",
        )

    def quality(self) -> Artifact:
        """Which pseudo-anomalies the version finds at its alarm threshold."""
        return Artifact(
            self._versioned("quality", "quality.json"),
            self._quality_stamp,
            self._command("anomaly_detection.estimate_quality", *self.alarm_options),
            "quality",
        )

    def scores(self, sequence: str, split: Split = "test") -> Artifact:
        """Score map of one test sequence, float32 ``(frames, cell rows, cell columns)``.

        Args:
            sequence: Name of the sequence.
            split: ``mined`` for a sequence in which the next round mines; its scores lie in a
                folder of their own if it is no test sequence of the model.
        """
        return self._scores_file(sequence, "npy", split)

    def score_details(self, sequence: str, split: Split = "test") -> Artifact:
        """Details of a score map that it does not hold itself: cell size and frame size."""
        return self._scores_file(sequence, "json", split)

    def left_out(self, sequence: str) -> Artifact:
        """Score map of one training sequence, as if nothing had been learnt from it."""
        return Artifact(
            self._versioned("left_out", f"{sequence}.npy"),
            partial(self._left_out_stamp, sequence),
            self._command("anomaly_detection.score_left_out", "--sequence", sequence),
            "scores",
        )

    def mined_frames(self, sequence: str) -> Artifact:
        """What was mined of one sequence; see `exemplar_selection.mine_normal`."""
        return self._mined_file(f"{sequence}.joblib", "mined")

    def mined_summary(self) -> Artifact:
        """Thresholds and counts of what was mined in all sequences."""
        return self._mined_file("mined.json", "mined_summary")

    def mined_picture(self) -> Path:
        """Picture of the scores over time and of what was kept."""
        return self.mined_summary().path.with_name("mined.png")

    def _mined_file(self, name: str, kind: str) -> Artifact:
        marked = self.alarm_options if self.mined and self.mined.marks else ()
        command = self._command("exemplar_selection.mine_normal", *marked)
        return Artifact(self._versioned("mined", name), self._mined_stamp, command, kind)

    def calibration(self, sequence: str) -> Artifact:
        """Number of false alarms of one training sequence, left out of the model, by threshold."""
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

    def _marked_stamp(self, sequence: str) -> str:
        file = self.explanations(sequence)
        try:
            return storage.read_stamp(file.path) if file.path.is_file() else file.stamp
        except storage.DamagedFileError:
            return file.stamp

    def expectations(self, sequence: str) -> Artifact:
        """The alarms of a test sequence whose expectations are drawn in the picture beside it."""
        options = "--sequence", sequence, *self.alarm_options
        return Artifact(
            self._versioned("expectations", f"{sequence}.json"),
            partial(self._explanations_stamp, sequence),
            self._command("anomaly_detection.show_expectations", *options),
        )

    def views(self, sequence: str, form: Literal["video", "frames"] = "video") -> Artifact:
        """A test sequence with its scores, detections and sentences drawn on the frames.

        Args:
            sequence: Name of the sequence.
            form: ``video`` is one file; ``frames`` is a folder, and the artifact is its
                ``view.json``, which is written last.
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

        The folder ``evaluation/<version>`` belongs to the ground truth that was evaluated first;
        ``ground_truth.json`` in the folder names it. For other folders see `_truth_suffix`.
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
        """The page of the report: ``index.html`` in its folder, or a single file beside it."""
        folder = self._by_truth("report", "index.html").parent
        single = ("--single-file",) if single_file else ()
        return Artifact(
            folder.with_name(f"{folder.name}.html") if single else folder / "index.html",
            self._report_stamp,
            self._command("anomaly_detection.write_report", *single, *self.alarm_options),
        )

    def report_files(self) -> Artifact:
        """The list of all files in the report's folder, with their digests."""
        page = self.report_page()
        return Artifact(page.path.with_name("files.json"), page.make_stamp, page.command)

    def gallery(self, region: int) -> Path:
        """Picture of a region's exemplars."""
        return self._versioned("exemplars", f"region_{region}.png")

    def region_proposal(self) -> Path:
        """Picture of the moving objects in the training video, and of the proposed regions."""
        return self.folder / "proposed_regions.png"

    def report(self, command: str, unit: str) -> Path:
        """The stage report of one unit of work; an evaluation has one for each ground truth.

        Args:
            command: Module path of the command.
            unit: Name of the unit after the version, such as ``<version>/<sequence>``.
        """
        if command == EVALUATE:
            unit = unit.replace(self.label, self.label + self._truth_suffix(), 1)
        return self.folder / "reports" / command / f"{unit}.json"

    def _versioned(self, kind: str, name: str) -> Path:
        return self.folder / kind / self.label / name

    def _trained(self, name: str) -> Path:
        """A file of exemplars that mining does not change."""
        return self.folder / "exemplars" / self.version / name

    def _by_truth(self, kind: str, name: str) -> Path:
        """The same as `_versioned`, for files that depend on the ground truth."""
        return self.folder / kind / f"{self.label}{self._truth_suffix()}" / name

    def _truth_suffix(self) -> str:
        """The suffix of the version in the names of folders that depend on the ground truth.

        It is empty for the ground truth that was evaluated first, ``.<formats>-<hash>`` for any
        other, and ``.part-<hash>`` if only some of the sequences are evaluated.
        """
        if not self.config.ground_truths:
            return ""
        identity = self._truth_identity()
        if self.is_part():
            return f".part-{identity[:TRUTH_HASH]}"
        claim = self.folder / "evaluation" / self.label / TRUTH_CLAIM
        try:
            owner = storage.read_stamp(claim) if claim.is_file() else identity
        except storage.DamagedFileError:
            owner = identity
        if owner == identity:
            return ""
        formats = dict.fromkeys(source.format for source in self.config.ground_truths)
        return f".{'+'.join(formats)}-{identity[:TRUTH_HASH]}"

    def _check_exemplars(self) -> None:
        if parts := [part.version for part in VERSIONS[self.version].parts]:
            raise UsageError(
                f"version {self.version!r}: its exemplars are those of its parts; give --version "
                + " or ".join(parts)
            )
        if not self.detector.learns_exemplars:
            raise UsageError(
                f"version {self.version!r}: its detector {VERSIONS[self.version].detector!r} "
                "learns no exemplars; there are none to select, merge or show"
            )

    def _scores_file(self, sequence: str, suffix: str, split: Split) -> Artifact:
        name = "combine_scores" if self.members else "score_anomalies"
        file, options = f"{sequence}.{suffix}", ["--sequence", sequence]
        if split == "mined" and self._mines_elsewhere():
            assert self.mined is not None
            file = f"{self.mined.place}/{file}"
            options = ["--mining", *(self.mined.source_options if not self.round else []), *options]
        return Artifact(
            self._versioned("scores", file),
            partial(self._scores_stamp, sequence, split),
            self._command(f"anomaly_detection.{name}", *options),
            "scores" if suffix == "npy" else "score_details",
        )

    def _mines_elsewhere(self) -> bool:
        """Whether the sequences in which the next round mines are no test sequences."""
        assert self.mined is not None
        first_half = self.mined.protocol == "first_half" and self.round > 0
        return self.mined.protocol == "split" or first_half

    def _command(self, module: str, *options: str) -> str:
        words = ["python", "-m", module, "--config", str(self.config.path), *options]
        version = self.whole.version if self.whole else self.version
        if version != self.config.version:
            words += ["--version", version]
        words += self.mined.options if self.mined else []
        if self.results != Path("results"):
            words += ["--results", str(self.results)]
        if self.datasets != Path("datasets"):
            words += ["--datasets", str(self.datasets)]
        return shlex.join(words)
