"""Explain the anomalies of a test sequence: what, where, when, and why it is unusual there.

    python -m anomaly_detection.explain_anomalies --config configs/ped2.toml
    python -m anomaly_detection.explain_anomalies --config configs/ped2.toml --threshold 0.3
    python -m anomaly_detection.explain_anomalies --config configs/ped2.toml \
        --false-alarms-per-hour 5

reads the score map, the features and the model, and writes
``explanations/<version>/<sequence>.json``: for each detection its boxes, its most anomalous volume,
the nearest exemplar, what both show, what is normal there, and a sentence. The sentences go to
stdout.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.calibration.calibrate_threshold import (
    Threshold,
    alarm_threshold,
    calibrate,
    log_threshold,
)
from anomaly_detection.detections import Detection, scores_to_detections
from anomaly_detection.explanation.comparison import Comparison
from anomaly_detection.explanation.sentences import (
    box_to_place,
    detection_to_sentence,
)
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.normality import Normal, Seen, exemplars_to_normal, speed_floor
from feature_extraction.attributes import AttributeReader
from vadloc.arguments import add_alarm_options, stage_parser
from vadloc.artifacts import SCHEMAS, Artifact, Artifacts
from vadloc.config import Config
from vadloc.errors import counted
from vadloc.features import (
    SequenceFeatures,
    check_frame_size,
    check_scores,
    load_features,
)
from vadloc.rate_checks import log_contradictions
from vadloc.regions import RegionGrid
from vadloc.stage import Stage, Work, stage_main
from vadloc.video.times import Clock

COMMAND = "anomaly_detection.explain_anomalies"


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """The explanations of a sequence."""
    return [artifacts.explanations(sequence)]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Explain the detections of one test sequence."""
    config, artifacts = work.config, work.artifacts
    calibrate(artifacts, overwrite=work.overwrite)
    threshold = alarm_threshold(config, artifacts)
    features = load_features(artifacts, "test", work.unit)
    scene = Scene.of(config, artifacts)
    scores = artifacts.scores(work.unit).load()
    check_sizes(features, scores, scene)
    content = explain(features, scores, scene, threshold)
    yield artifacts.explanations(work.unit), content
    work.count(detections=len(content["detections"]), threshold=threshold.value)


def check_sizes(features: SequenceFeatures, scores: NDArray[np.float32], scene: "Scene") -> None:
    """Refuse features and scores that are not of the model's size.

    Raises:
        VadlocError: They are not.
    """
    model = scene.model
    check_frame_size(features, model.height_px, model.width_px, "training")
    model.check_widths(features)
    check_scores(scores, (features.frame_count, *scene.grid.cells), features.sequence)


@dataclass(frozen=True)
class Scene:
    """What is normal at every place, ready to be compared with.

    Attributes:
        config: The config.
        version: Version of the method.
        model: Exemplars of all regions.
        grid: Of the frames.
        reader: Reads attributes out of features.
    """

    config: Config
    version: str
    model: Exemplars
    grid: RegionGrid
    reader: AttributeReader
    _places: dict[int, "Place"] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, config: Config, artifacts: Artifacts) -> "Scene":
        """From the merged exemplars."""
        model = Exemplars.from_content(artifacts.merged().load())
        reader = AttributeReader.of(config, artifacts.version)
        return cls(config, artifacts.version, model, model.grid(config.regions), reader)

    def place(self, region: int) -> "Place":
        """The exemplars that the volumes of a region are compared with, read once."""
        if region not in self._places:
            near = self.grid.neighbours(region, self.config.scoring.neighbourhood)
            rows = self.model.rows_of(near)
            known = self.seen(
                self.model.features[rows],
                {name: values[rows] for name, values in self.model.descriptors.items()},
            )
            normal = exemplars_to_normal(known, self.model.counts[rows])
            self._places[region] = Place(rows, known, normal)
        return self._places[region]

    def seen(
        self, features: NDArray[np.float32], descriptors: dict[str, NDArray[np.float32]]
    ) -> Seen:
        """What volumes show."""
        return Seen(self.reader(features, descriptors))


@dataclass(frozen=True)
class Place:
    """A region's exemplars.

    Attributes:
        rows: ``(m,)`` rows of the model.
        known: What they show.
        normal: The same in ranges.
    """

    rows: NDArray[np.int64]
    known: Seen
    normal: Normal


def explain(
    features: SequenceFeatures, scores: NDArray[np.float32], scene: Scene, threshold: Threshold
) -> dict[str, Any]:
    """All detections of a sequence, as they are stored.

    Args:
        features: Of the sequence.
        scores: Its score map ``(frames, cell rows, cell columns)``.
        scene: What is normal.
        threshold: Least score of a detection.
    """
    config, grid = scene.config, scene.grid
    clock = Clock.of(features.times_s, frames_per_second=config.dataset.frames_per_second)
    detections = scores_to_detections(
        scores, grid, threshold=threshold.value, connectivity=config.evaluation.connectivity
    )
    return {
        "schema": SCHEMAS["explanations"],
        "sequence": features.sequence,
        "frame_count": features.frame_count,
        "height_px": grid.height_px,
        "width_px": grid.width_px,
        **clock.to_record(),
        "cell_px": grid.stride_px,
        "region_px": grid.size_px,
        "frames_per_volume": config.regions.frames_per_volume,
        "version": scene.version,
        "components": list(scene.model.components),
        "threshold": threshold.value,
        "threshold_from": threshold.origin,
        "frame_scores": [round(float(s), 6) for s in scores.max(axis=(1, 2))],
        "detections": [
            {"id": i, **explain_detection(detection, features, scene, clock)}
            for i, detection in enumerate(detections)
        ],
    }


def explain_detection(
    detection: Detection, features: SequenceFeatures, scene: Scene, clock: Clock
) -> dict[str, Any]:
    """The record of one detection."""
    step, region, comparison = peak_volume(detection, features, scene)
    frame = detection.peak[0]
    box = detection.box_xyxy_px[frame - detection.first_frame].tolist()
    record: dict[str, Any] = {
        "score": round(detection.score, 6),
        "first_frame": detection.first_frame,
        "last_frame": detection.last_frame,
        "peak_frame": frame,
        "boxes_xyxy_px": detection.box_xyxy_px.tolist(),
        "place": box_to_place(box, scene.grid),
        "peak": {
            **_where(region, int(features.first_frame[step]), scene),
            "distance": round(comparison.nearest[1], 6),
            "shares": {k: round(share, 4) for k, share in comparison.shares.items()},
            "attributes": comparison.seen.record(0),
        },
        "nearest": _nearest(region, comparison, scene),
        "normal": comparison.normal.record(),
        "unusual": comparison.unusual(),
    }
    sentence = detection_to_sentence(
        record,
        clock=clock,
        floor_px_per_frame=speed_floor(scene.config, scene.model.components),
    )
    return {**record, "sentence": sentence}


def peak_volume(
    detection: Detection, features: SequenceFeatures, scene: Scene
) -> tuple[int, int, Comparison]:
    """The volume over the peak of the score map that is farthest from normal, the first of equals.

    Returns:
        Its time step and region, and its comparison with the region's exemplars.
    """
    frame, row, column = detection.peak
    length = scene.config.regions.frames_per_volume
    covering = (features.first_frame <= frame) & (frame < features.first_frame + length)
    volumes = [
        (int(step), region, _compare(int(step), region, features, scene))
        for step in np.flatnonzero(covering)
        for region in scene.grid.regions_over(row, column)
    ]
    return max(volumes, key=lambda volume: volume[2].nearest[1])


def _compare(step: int, region: int, features: SequenceFeatures, scene: Scene) -> Comparison:
    place = scene.place(region)
    values = features.values[step, region]
    descriptors = {name: v[step, region][None] for name, v in features.descriptors.items()}
    return Comparison(
        features=values,
        exemplars=scene.model.features[place.rows],
        distance=scene.model.distance,
        components=scene.model.components,
        seen=scene.seen(values[None], descriptors),
        normal=place.normal,
    )


def _nearest(region: int, comparison: Comparison, scene: Scene) -> dict[str, Any]:
    """The nearest exemplar: where it was seen, for how many volumes it stands, what it shows."""
    model, place, here = scene.model, scene.place(region), comparison.nearest[0]
    row = place.rows[here]
    home = model.region_of(int(row))
    return {
        "sequence": model.sequences[model.sequence[row]],
        **_where(home, int(model.first_frame[row]), scene),
        "count": int(model.counts[row]),
        "attributes": place.known.record(here),
    }


def _where(region: int, first_frame: int, scene: Scene) -> dict[str, Any]:
    """Place and time of a volume."""
    return {
        "region": region,
        "box_xyxy_px": list(scene.grid.box_xyxy_px(region)),
        "first_frame": first_frame,
        "last_frame": first_frame + scene.config.regions.frames_per_volume - 1,
    }


def sentences(artifacts: Artifacts, sequence: str) -> str:
    """Score and sentence of each detection of a sequence, a line each."""
    content = artifacts.explanations(sequence).load()
    lines = [f"  {d['score']:.3f}  {d['sentence']}" for d in content["detections"]]
    return "\n".join(lines) or f"  nothing scores {content['threshold']:.3f} or more"


def _prepare(artifacts: Artifacts, *, overwrite: bool) -> None:
    """The calibration that all units share, and what is to be said of it and of times."""
    calibrate(artifacts, overwrite=overwrite)
    log_contradictions(artifacts)
    log_threshold(artifacts.config, artifacts)


def alarms_to_text(artifacts: Artifacts) -> str:
    """How many alarms there are in all test sequences, and from which score on."""
    names = [sequence.name for sequence in artifacts.sequences("test")]
    contents = [artifacts.explanations(name).load() for name in names]
    alarms = counted(sum(len(content["detections"]) for content in contents), "alarm")
    threshold = contents[0]["threshold"]
    return f"{alarms} in {counted(len(names), 'sequence')}, from a score of {threshold:.3f} on"


STAGE = Stage(COMMAND, outputs, compute, "test", prepare=_prepare, describe=sentences)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Explain what is anomalous in test sequences.", sequences=True)
    add_alarm_options(parser)
    args = parser.parse_args(argv)
    stage_main(STAGE, args)


if __name__ == "__main__":
    main()
