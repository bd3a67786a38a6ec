"""Propose the size of regions from the moving objects in the training video, and say their speeds.

    python -m vadloc.propose_regions --config configs/ped2.toml

prints its findings and draws them; ``--write`` puts the proposed size and stride into the config.
Regions should be about as high as one person, or as another typical moving object of the scene.
"""

import logging
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tomli
from numpy.typing import NDArray

from vadloc.arguments import add_shared_options, artifacts_of
from vadloc.camera_setup.moving_objects import (
    LEAST_BLOBS,
    Blobs,
    Proposal,
    are_objects,
    moving_blobs,
    moving_pixels,
    propose,
)
from vadloc.camera_setup.scale_by_row import (
    Band,
    frame_speeds,
    perspective_of,
    scale_by_band,
    speeds_of_blobs,
)
from vadloc.console import CommandParser
from vadloc.errors import UsageError, VadlocError, counted
from vadloc.files.storage import replacing
from vadloc.process import emit, exit_status

if TYPE_CHECKING:
    from vadloc.camera_setup.frame_samples import Window
    from vadloc.video.frames import Sequence

logger = logging.getLogger(__name__)
FLOW_STEP = 4
"""Speeds are measured in every so many frames of a window, since optical flow is slow."""


@dataclass(frozen=True)
class Findings:
    """The moving objects of the training video, and the regions that fit them.

    Attributes:
        size_px: Height and width of the frames.
        frames: Number of frames that were examined.
        objects: Moving objects of all these frames, without fragments, in pixels of the video.
        speeds_px_per_frame: Speed of each object, ``(n,)``; NaN where it was not measured.
        noise_px_per_frame: Median speed of pixels that do not move; NaN if it is not known.
        example: A grey frame with many objects; a large one is reduced.
        in_example: The objects in that frame.
        proposal: Size and stride of the regions.
    """

    size_px: tuple[int, int]
    frames: int
    objects: Blobs
    speeds_px_per_frame: NDArray[np.float64]
    noise_px_per_frame: float
    example: NDArray[np.uint8]
    in_example: Blobs
    proposal: Proposal


def examine(
    sequences: list["Sequence"], frames_per_second: float, *, undo_shake: bool = True
) -> Findings:
    """Find moving objects in a few hundred frames of training video.

    Args:
        sequences: All training sequences.
        frames_per_second: Frame rate of folders of pictures.
        undo_shake: Whether shifts of the camera are undone.

    Raises:
        VadlocError: A frame cannot be read, or the frame sizes of sequences differ.
    """
    from vadloc.camera_setup.frame_samples import sample_windows

    logger.info("looking for what moves in a few hundred frames of training video")
    blobs: list[Blobs] = []
    speeds, noise, busiest, first = [], [], [], None
    for window in sample_windows(sequences, frames_per_second, undo_shake=undo_shake):
        first = first or window
        _check_size(first, window)
        moving = moving_pixels(window.frames)
        found = [moving_blobs(mask) for mask in moving]
        number = int(np.argmax([boxes[:, 4].sum() for boxes in found]))
        busiest.append((window.frames[number], len(blobs) + number))
        blobs += found
        of_blobs, of_rest = _speeds(window, moving, found)
        speeds += of_blobs
        noise += of_rest
    if first is None:
        raise VadlocError("no frames to look at; training video is empty")
    everything = np.concatenate(blobs)
    is_object = are_objects(everything)
    objects = _in_video_px(everything[is_object], first.scale)
    of_frames = np.split(is_object, np.cumsum([len(found) for found in blobs])[:-1])
    example, frame = max(busiest, key=lambda pair: int(of_frames[pair[1]].sum()))
    in_example = _in_video_px(blobs[frame][of_frames[frame]], first.scale)
    height, width = first.size_px
    proposal = propose(objects, height_px=height, width_px=width)
    return Findings(
        size_px=first.size_px,
        frames=len(blobs),
        objects=objects,
        speeds_px_per_frame=np.concatenate(speeds)[is_object],
        noise_px_per_frame=float(np.median(noise)) if noise else math.nan,
        example=example,
        in_example=in_example,
        proposal=proposal,
    )


def _speeds(
    window: "Window", moving: NDArray[np.bool_], blobs: list[Blobs]
) -> tuple[list[NDArray[np.float64]], list[float]]:
    """Speeds of the blobs of each frame, and of what does not move, in px/frame of the video.

    Args:
        window: The window.
        moving: Which pixels move, ``(n, height, width)``.
        blobs: The blobs of each frame.
    """
    speeds, noise = [np.full(len(found), np.nan) for found in blobs], []
    for index in range(0, len(window.following), FLOW_STEP):
        pixels = frame_speeds(window.frames[index], window.following[index])
        if pixels is not None:
            pixels /= window.scale
            speeds[index] = speeds_of_blobs(pixels, moving[index], blobs[index])
            noise.append(float(np.median(pixels[~moving[index]])))
    return speeds, noise


def _check_size(first: "Window", other: "Window") -> None:
    if other.size_px != first.size_px:
        sizes = [f"{w.size_px[1]} x {w.size_px[0]} px" for w in (other, first)]
        raise VadlocError(
            f"{other.sequence.path}: frames of {sizes[0]}, those of {first.sequence.path} have "
            f"{sizes[1]}; one config is one camera with frames of one size"
        )


def _in_video_px(blobs: Blobs, scale: float) -> Blobs:
    """Convert blobs of reduced frames to pixels of the video."""
    whole: Blobs = np.rint(blobs / ([scale] * 4 + [scale * scale])).astype(np.int64)
    return whole


def describe(findings: Findings) -> list[str]:
    """The findings and the proposal as lines of text."""
    proposal, (height, width) = findings.proposal, findings.size_px
    count = len(findings.objects)
    frames, objects = counted(findings.frames, "frame"), counted(count, "moving object")
    lines = [f"{frames} of {width} x {height} px: {objects}"]
    for band in scale_by_band(findings.objects, findings.speeds_px_per_frame, height):
        lines.append(_band_line(band))
    lines += _scale_lines(findings)
    if proposal.object_px is None:
        lines.append(
            f"fewer than {LEAST_BLOBS}, too few to tell: an eighth of the frame's shorter side "
            "is proposed; look at the scene, and set size_px to the height of one person"
        )
    else:
        found = f"{proposal.object_px:.0f} px high"
        lines.append(f"an object alone, half-way into the depth of the scene, is about {found}")
    if proposal.limit:
        lines.append(proposal.limit)
    lines.append(
        f"proposed: size_px = {proposal.size_px}, stride_px = {proposal.stride_px} "
        f"({counted(proposal.regions, 'region')})"
    )
    return lines


def _band_line(band: Band) -> str:
    rows = f"  lower edge in rows {band.rows[0]} to {band.rows[1]}: "
    if not band.count:
        return f"{rows}none"
    heights = " / ".join(f"{height:.0f}" for height in band.heights_px)
    text = f"{rows}{band.count}, heights {heights} px (quartiles)"
    if math.isnan(band.speeds_px_per_frame[0]):
        return text
    return f"{text}, speeds {' / '.join(f'{s:.2g}' for s in band.speeds_px_per_frame)} px/frame"


def _scale_lines(findings: Findings) -> list[str]:
    """How still the rest is, and how heights grow with the row, where these are known."""
    lines = []
    if not math.isnan(findings.noise_px_per_frame):
        noise = findings.noise_px_per_frame
        lines.append(f"where nothing moves the flow is {noise:.2f} px/frame (median): its noise")
    if perspective := perspective_of(findings.objects):
        far, near = (
            f"{perspective.height_px(row):.0f} px at row {row:.0f}" for row in perspective.rows
        )
        lines.append(
            f"the height of an object alone grows with the row: {far}, {near} "
            f"(height = {perspective.start_px:.1f} px + {perspective.growth:.2f} * row); "
            "one size of regions is a compromise"
        )
    return lines


def draw(findings: Findings, path: Path) -> None:
    """Write the picture of the findings."""
    from PIL import Image

    from vadloc.camera_setup.region_picture import region_picture

    picture = region_picture(
        findings.example,
        findings.in_example,
        findings.objects,
        scale_by_band(findings.objects, findings.speeds_px_per_frame, findings.size_px[0]),
        findings.proposal,
        findings.size_px,
    )
    with replacing(path) as file:
        Image.fromarray(picture).save(file, format="PNG")


def with_regions(text: str, proposal: Proposal) -> str:
    """Replace size and stride of the regions in the text of a config; all else stays.

    Args:
        text: TOML. Only the lines of size and stride below ``[regions]`` are changed.
        proposal: The new size and stride.
    """
    lines, table = text.splitlines(keepends=True), ""
    values = {"size_px": proposal.size_px, "stride_px": proposal.stride_px}
    for index, line in enumerate(lines):
        if header := re.match(r"\s*\[\s*([^\]]*?)\s*\]", line):
            table = header[1]
        entry = re.match(r"(\s*(size_px|stride_px)\s*=\s*)[0-9_]+", line)
        if table == "regions" and entry:
            lines[index] = f"{entry[1]}{values[entry[2]]}{line[entry.end() :]}"
    return "".join(lines)


def write_regions(path: Path, proposal: Proposal) -> None:
    """Write size and stride into a config.

    Raises:
        UsageError: The config does not have a line for each of them below ``[regions]``.
    """
    text = path.read_bytes().decode()
    wanted = tomli.loads(text)
    wanted["regions"] |= {"size_px": proposal.size_px, "stride_px": proposal.stride_px}
    written = with_regions(text, proposal)
    if tomli.loads(written) != wanted:
        raise UsageError(
            f"{path}: size_px and stride_px have no line each below [regions]; write "
            f"size_px = {proposal.size_px} and stride_px = {proposal.stride_px} by hand"
        )
    with replacing(path.resolve()) as file:
        file.write(written.encode())


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(
        description="Propose the size of regions from what moves in the training video."
    )
    add_shared_options(parser, running=False)
    parser.add_argument(
        "--write", action="store_true", help="put the two numbers into the config, nothing else"
    )
    args = parser.parse_args(argv)
    with exit_status():
        artifacts = artifacts_of(args)
        config = artifacts.config
        regions, rate = config.regions, config.dataset.frames_per_second
        undo_shake = config.camera.undo_shake
        findings = examine(artifacts.sequences("train"), rate, undo_shake=undo_shake)
        emit("\n".join(describe(findings)))
        emit(f"the config has: size_px = {regions.size_px}, stride_px = {regions.stride_px}")
        draw(findings, artifacts.region_proposal())
        emit(f"picture: {artifacts.region_proposal()}")
        if args.write:
            write_regions(args.config, findings.proposal)
            emit(f"written: {args.config}; results made before are replaced with --overwrite")


if __name__ == "__main__":
    main()
