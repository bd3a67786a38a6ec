"""Reads the video that networks learn from, reduced, in a trained and a held-out set."""

import logging

from anomaly_detection.detectors.held_out import read_footage, training_video
from anomaly_detection.training.tasks import TrainingData
from feature_extraction.footage import flow_limit_px
from feature_extraction.training_frames import training_size
from vadloc.artifacts import Artifacts

logger = logging.getLogger(__name__)


def read_video(artifacts: Artifacts) -> TrainingData:
    """The training video of the results' dataset.

    Raises:
        VadlocError: A sequence cannot be read, or frames differ in size.
    """
    settings = artifacts.detector_settings
    video = training_video(artifacts)
    most = settings.training_frames
    trained = list(read_footage(artifacts, video.trained, most_frames=most))
    held_out = list(read_footage(artifacts, video.held_out, most_frames=max(2, most // 4)))
    counts = [sum(len(part) for part in parts) for parts in (trained, held_out)]
    logger.info(
        "%d frames to train on, %d held out: %s",
        *counts,
        ", ".join(dict.fromkeys(part.sequence for part in held_out)),
    )
    height, width = trained[0].frames.shape[1:3]
    _, video_height, _ = training_size(artifacts.sequences("train"), limit=None)
    region_px = max(4, round(artifacts.config.regions.size_px * height / video_height))
    logger.info("frames reduced to %d x %d px, a region to %d px", width, height, region_px)
    return TrainingData(trained, held_out, region_px, flow_limit_px(trained))
