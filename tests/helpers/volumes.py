"""The first frames of volumes."""


def volume_starts(frame_count: int, frames_per_volume: int, frame_stride: int) -> list[int]:
    """The first frame of each volume: every ``frame_stride``-th, and the last possible one.

    Raises:
        ValueError: There are fewer frames than a volume has.
    """
    last = frame_count - frames_per_volume
    if last < 0:
        raise ValueError(f"{frame_count} frames, a volume has {frames_per_volume}")
    starts = list(range(0, last + 1, frame_stride))
    return starts if starts[-1] == last else [*starts, last]
