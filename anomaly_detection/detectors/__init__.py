"""Detectors: each gives every cell of every frame a score. ``detector`` defines their contract."""

from importlib import import_module

from anomaly_detection.detectors.detector import Detector
from vadloc.artifacts import Artifacts
from vadloc.features import load_features, load_fused_features
from vadloc.inputs import Split
from vadloc.sequence_input import CombinedInput, SequenceInput, load_frames
from vadloc.versions import VERSIONS


def load_detector(artifacts: Artifacts) -> Detector:
    """The detector of the version, from the module that ``vadloc.versions.DETECTORS`` names."""
    module = import_module(artifacts.detector.module)
    detector: Detector = module.load(artifacts)
    return detector


def load_input(artifacts: Artifacts, split: Split, sequence: str) -> SequenceInput:
    """The input of the version's detector: the features or the frames of a sequence.

    Raises:
        VadlocError: Features are missing, damaged or made from another config; or frames cannot be
            read.
    """
    if artifacts.reads == "versions":
        inputs = tuple(load_input(member, split, sequence) for member in artifacts.members)
        return CombinedInput.of(inputs)
    if artifacts.reads == "features":
        load = load_fused_features if VERSIONS[artifacts.version].parts else load_features
        return load(artifacts, split, sequence)
    return load_frames(artifacts, split, sequence)
