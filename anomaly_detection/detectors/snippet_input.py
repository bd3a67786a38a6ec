"""Features of snippets that lie in a folder, as instances of the videos of a config.

The folder is one that ``feature_extraction.extract_features --extractor snippets`` writes:
``<split>/<video>.npy`` (or ``.txt``, or a file of each crop ``<video>__0.npy``), and
``snippets.json``, which says how many frames a snippet has.
"""

import json
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_extraction.snippet_files import find_files, read_video
from vadloc.errors import UsageError, VadlocError, one_line
from vadloc.weak_labels import SLACK_FRAMES, Labelled

DESCRIPTION: Final = "snippets.json"


def read_snippet_instances(folder: Path, split: str, sequence: str) -> NDArray[np.float32]:
    """The instances of a video: one series for each crop, ``(crops, snippets, width)``.

    Raises:
        UsageError: The folder has no file of the video, or several.
        VadlocError: A file cannot be used.
    """
    files = find_files(folder / split, [Labelled(sequence, "", 0)], Path(f"the folder of {split}"))
    return read_video(files[sequence])


def frames_of_a_snippet(folder: Path) -> int:
    """How many frames a snippet of the folder has.

    Raises:
        UsageError: The folder does not say so.
    """
    path = folder / DESCRIPTION
    try:
        count = json.loads(path.read_text(encoding="utf-8"))["snippet_frames"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: does not say how many frames a snippet has ({one_line(error)}); expected "
            '{"snippet_frames": 16} or another number'
        ) from None
    if not isinstance(count, int) or count < 1:
        raise UsageError(f"{path}: snippet_frames is {count!r}, expected a whole number above 0")
    return count


def over_frames(
    scores: NDArray[np.float32], snippet_frames: int, frame_count: int, sequence: str
) -> NDArray[np.float32]:
    """The scores of frames from those of snippets; frames after the last one have its score.

    Args:
        scores: ``(snippets,)``.
        snippet_frames: Frames of a snippet.
        frame_count: Frames of the video.
        sequence: Its name.

    Returns:
        ``(frame_count,)``.

    Raises:
        VadlocError: The snippets do not cover about as many frames as the video has.
    """
    covered = len(scores) * snippet_frames
    if abs(covered - frame_count) > max(SLACK_FRAMES, snippet_frames):
        raise VadlocError(
            f"{sequence}: {len(scores)} snippets of {snippet_frames} frames cover {covered} "
            f"frames, the video has {frame_count}; the features are of another video or frame "
            "rate, extract them again"
        )
    at = np.minimum(np.arange(frame_count) // snippet_frames, len(scores) - 1)
    return scores[at]
