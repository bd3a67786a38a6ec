"""A watch from the options of its command: puts all parts together, and ends them in order."""

import argparse
import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from anomaly_detection.calibration.calibrate_threshold import alarm_threshold, log_threshold
from anomaly_detection.detectors import load_detector
from anomaly_detection.detectors.detector import Detector
from anomaly_detection.detectors.frame_stream import start_frame_stream
from anomaly_detection.watching.access import read_token
from anomaly_detection.watching.alarm_log import AlarmLog
from anomaly_detection.watching.anomalies import Anomalies
from anomaly_detection.watching.clips import ClipRecorder, ClipSettings
from anomaly_detection.watching.explaining import Explainer
from anomaly_detection.watching.feed import Feed
from anomaly_detection.watching.health import Health, Limits, is_black
from anomaly_detection.watching.live_state import LiveState
from anomaly_detection.watching.meter import Meter
from anomaly_detection.watching.records import Watch
from anomaly_detection.watching.reporter import Outlets, Reporter
from anomaly_detection.watching.segment import Scored
from anomaly_detection.watching.senders import Sender
from anomaly_detection.watching.source_names import SourceName
from anomaly_detection.watching.sources import Source
from anomaly_detection.watching.tracker import AlarmTracker
from anomaly_detection.watching.watcher import Model, Watcher
from vadloc.arguments import artifacts_of
from vadloc.artifacts import Artifacts
from vadloc.errors import UsageError, VadlocError
from vadloc.regions import RegionGrid
from vadloc.video.view import View, training_view

logger = logging.getLogger(__name__)
QUEUE_S = 2.0
"""Frames of so many seconds may wait to be scored."""
LIVE_FROZEN_S = 10.0
LONGEST_CLIP_S = 60.0
SAME_SIGNAL_S = 1.0
"""Signals that follow so soon are one: GNU timeout sends each to the process and to its group."""
CLOSING_S = 10.0
"""What is not written or sent so long after the end is lost."""


@dataclass(frozen=True)
class Scene:
    """What is known of the scene before the first frame.

    Attributes:
        artifacts: The results.
        detector: The detector of the version.
        threshold: Least score of an alarm.
        view: The background of the training video.
    """

    artifacts: Artifacts
    detector: Detector
    threshold: float
    view: View

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the training frames."""
        height, width = self.view.background.shape
        return height, width

    @property
    def grid(self) -> RegionGrid:
        """Regions and cells of the frames."""
        regions = self.artifacts.config.regions
        return RegionGrid(*self.size_px, regions.size_px, regions.stride_px)

    @classmethod
    def of(cls, artifacts: Artifacts) -> "Scene":
        """Load the model of a version.

        Raises:
            VadlocError: Results are missing, or the version cannot score frames as they come.
        """
        log_threshold(artifacts.config, artifacts)
        threshold = alarm_threshold(artifacts.config, artifacts).value
        view = training_view(artifacts.sequences("train"))
        scene = cls(artifacts, load_detector(artifacts), threshold, view)
        _check_online(artifacts, scene.detector)
        start_frame_stream(artifacts, *scene.size_px, detector=scene.detector)  # finds what lacks
        return scene


def _check_online(artifacts: Artifacts, detector: Detector) -> None:
    """Refuse a version that scores a frame only when the whole sequence is known.

    Raises:
        UsageError: It, or one of its members, is such a version.
    """
    members = zip(artifacts.members, getattr(detector, "detectors", ()), strict=True)
    for part, of_part in members if artifacts.members else [(artifacts, detector)]:
        if getattr(of_part, "waits_for_end", False):
            raise UsageError(
                f"version {part.version!r}: its head looks at all time steps of a sequence at "
                "once, so that it cannot score frames as they come; train it with head = "
                '"sultani", "conv1d", "causal" or "arnet", or give another --version'
            )


def watch(args: argparse.Namespace, *, on_scored: Callable[[Scored], None] | None = None) -> None:
    """Watch a source.

    Args:
        args: The options of ``anomaly_detection.watch_camera``.
        on_scored: Called for each frame with its scores.

    Raises:
        VadlocError: An option, the source or the results cannot be used.
    """
    artifacts = artifacts_of(args)
    name = SourceName.of(args.source, short=args.name)
    rate = artifacts.config.dataset.frames_per_second
    source = Source(name, rate, timeout_s=args.timeout)
    source.check()
    scene = Scene.of(artifacts)
    if not source.is_live:
        rate = source.clock.frames_per_second
        _check_size(source, scene)
    with ExitStack() as closing, _stopped_by_signals() as is_stopped:
        watcher, feed = _put_together(args, scene, source, rate, closing, on_scored)
        logger.info(
            "watching %s with version %s, alarms from a score of %.3f on",
            name.shown,
            artifacts.label,
            scene.threshold,
        )
        started_s = time.monotonic()

        def until() -> bool:
            is_over = args.duration is not None and time.monotonic() - started_s >= args.duration
            return is_over or is_stopped()

        with feed:
            watcher.run(until=until)


def _put_together(
    args: argparse.Namespace,
    scene: Scene,
    source: Source,
    rate: float,
    closing: ExitStack,
    on_scored: Callable[[Scored], None] | None,
) -> tuple[Watcher, Feed]:
    """The loop, and what feeds it; what has to be ended is added to ``closing``."""
    config = scene.artifacts.config
    paced = source.is_live or args.real_time
    drops = paced if args.drop is None else args.drop
    state = LiveState(
        name=source.name.short, threshold=scene.threshold, cell_px=scene.grid.stride_px
    )
    meter = Meter(state, source.name.short)
    watch_ = Watch(source.name.short, config.dataset.name, scene.artifacts.label)
    log = AlarmLog(args.out / "alarms.jsonl")
    senders = _senders(args, meter)
    reporter = Reporter(watch_, Outlets(log, state, senders), meter)
    closing.callback(reporter.close, CLOSING_S)
    recorder = _recorder(args, rate, meter, waits=not drops)
    if recorder:
        closing.callback(recorder.close, CLOSING_S)
    _serve(args, state, closing)
    anomalies = Anomalies(
        AlarmTracker(
            scene.grid, threshold=scene.threshold, connectivity=config.evaluation.connectivity
        ),
        Explainer(
            scene.detector,
            scene.grid,
            frames_per_volume=config.regions.frames_per_volume,
            reads_features=scene.artifacts.reads == "features",
        ),
        reporter,
        recorder,
        meter,
        alarm_after_s=args.alarm_after,
        frame_s=1 / rate,
    )
    length = config.regions.frames_per_volume
    feed = Feed(
        source,
        room=max(length, round(QUEUE_S * rate)),
        least=length,
        drops=drops,
        paced=args.real_time,
        loops=args.loop,
    )
    model = Model(scene.artifacts, scene.detector, args.device)
    health = Health(_limits(args, scene, source))
    watcher = Watcher(model, feed, health, anomalies, reporter, state, meter, on_scored)
    return watcher, feed


def _limits(args: argparse.Namespace, scene: Scene, source: Source) -> Limits:
    """What counts as a fault of the picture."""
    frozen_s = args.frozen_after
    if frozen_s is None:
        frozen_s = LIVE_FROZEN_S if source.is_live else 0.0
    return Limits(
        size_px=scene.size_px,
        view=None if args.no_view_check else scene.view,
        least_shift_px=scene.artifacts.config.regions.stride_px,
        frozen_s=frozen_s,
        can_be_black=is_black(scene.view.background),
    )


def _check_size(source: Source, scene: Scene) -> None:
    """Refuse a file whose frames cannot be scored.

    Raises:
        VadlocError: The frames have another size than those of the training video.
    """
    grey, _ = next(source.frames())
    if grey.shape != scene.size_px:
        height, width = scene.size_px
        raise VadlocError(
            f"{source.name.shown}: frames of {grey.shape[1]} x {grey.shape[0]} px, those of the "
            f"training video have {width} x {height}; a model is of one camera view"
        )


def _recorder(
    args: argparse.Namespace, rate: float, meter: Meter, *, waits: bool
) -> ClipRecorder | None:
    if args.no_clips:
        return None
    settings = ClipSettings(
        args.out / "clips", args.clip_before, args.clip_after, LONGEST_CLIP_S, rate, waits
    )
    return ClipRecorder(settings, lambda: meter.count("clips_failed"))


def _senders(args: argparse.Namespace, meter: Meter) -> list[Sender]:
    """What sends alarms elsewhere."""
    found: list[Sender] = []
    for option, module, name in (
        (args.webhook, "anomaly_detection.watching.webhook", "Webhook"),
        (args.mqtt, "anomaly_detection.watching.mqtt", "Mqtt"),
    ):
        if option:
            make: Any = getattr(_part(module), name)
            found.append(make(option, on_failure=lambda: meter.count("sends_failed")))
    return found


def _part(module: str) -> Any:
    """A module that is needed for some options only."""
    return import_module(module)


def _serve(args: argparse.Namespace, state: LiveState, closing: ExitStack) -> None:
    """Serve the page."""
    if args.no_page:
        return
    host, _, port = args.page.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"--page {args.page}: expected [HOST:]PORT")
    token = read_token(args.token_file) if args.token_file else None
    server = _part("anomaly_detection.watching.server").serve(
        state,
        host=host or "127.0.0.1",
        port=int(port),
        token=token,
        clips=args.out / "clips",
        marks=args.out / "marks.json",
    )
    closing.callback(server.close)
    logger.info("page: %s", server.url)


@contextmanager
def _stopped_by_signals() -> Iterator[Callable[[], bool]]:
    """Let SIGTERM and ctrl-C end the loop at the next frame; a later one ends it at once."""
    got: list[float] = []

    def stop(_number: int, _frame: object) -> None:
        if got and time.monotonic() - got[0] < SAME_SIGNAL_S:
            return
        if got:
            raise KeyboardInterrupt
        got.append(time.monotonic())
        logger.info("stopping; what is open is written")

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(got)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
