"""Videos."""

from pathlib import Path

from fuzzing.reader import Reader
from vadloc.video.frames import list_sequences, read_frames


def make_videos(folder: Path) -> None:
    """Six frames in every container."""
    from tiny_scene import film, save_video

    for suffix, codec in ((".mp4", "mpeg4"), (".mp4", "libx264"), (".avi", "ffv1"),
                          (".avi", "mpeg4"), (".mkv", "ffv1"), (".mkv", "libx264"),
                          (".mov", "libx264"), (".webm", "libvpx-vp9"), (".ts", "libx264"),
                          (".wmv", "wmv2"), (".flv", "flv")):  # fmt: skip
        save_video(folder / f"{codec}{suffix}" / f"a{suffix}", film(seed=0)[:6], codec=codec)


VIDEOS = Reader(make_videos, lambda folder: [list(read_frames(s)) for s in list_sequences(folder)])
