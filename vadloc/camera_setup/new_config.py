"""The text of a new dataset's config, with comments for users who change it."""

from dataclasses import dataclass

from vadloc.camera_setup.moving_objects import Proposal
from vadloc.config import Alarms, Regions
from vadloc.errors import one_line
from vadloc.versions import VERSIONS

FRAMES_PER_VOLUME, FRAME_STRIDE = (
    Regions.model_fields[name].default for name in ("frames_per_volume", "frame_stride")
)


@dataclass(frozen=True)
class NewConfig:
    """The content of the config.

    Attributes:
        name: Name of the dataset.
        origin: The command line that made it.
        frames_per_second: Frame rate of all sequences.
        rate_from: Text that says where the rate comes from.
        proposal: Size and stride of regions.
        ground_truth_format: Format of the annotation; ``None`` without annotation.
    """

    name: str
    origin: str
    frames_per_second: float
    rate_from: str
    proposal: Proposal
    ground_truth_format: str | None


def to_toml(new: NewConfig) -> str:
    """The config as TOML."""
    volume_s = FRAMES_PER_VOLUME / new.frames_per_second
    alarms = Alarms().false_alarms_per_hour
    versions = ", ".join(name for name in VERSIONS if name != "momentum")
    return f"""\
# The camera "{new.name}". Made by
# {one_line(new.origin, limit=2000)}

version = "momentum"  # measured motion alone, the fastest; others: {versions}

[dataset]
name = "{new.name}"
train = "{new.name}/Train"  # below --datasets (datasets/): normal video, nothing else
test = "{new.name}/Test"    # video in which to look for what is not normal
{_ground_truth(new)}
frames_per_second = {new.frames_per_second:g}  # {new.rate_from}

[regions]  # squares that are compared with the same place in training video
size_px = {new.proposal.size_px}  # {_size_reason(new.proposal)}
stride_px = {new.proposal.stride_px}  # half the size: neighbours overlap; also a cell of the scores
frames_per_volume = {FRAMES_PER_VOLUME}  # a region is judged over so many frames: {volume_s:.2g} s
frame_stride = {FRAME_STRIDE}  # frames from one volume to the next

[alarms]
false_alarms_per_hour = {alarms}  # what normal video may cause; fewer make alarms rarer, and surer
"""


def _ground_truth(new: NewConfig) -> str:
    if new.ground_truth_format is None:
        return (
            "# No annotation: scores, reasons and a report, but no evaluation. To add one:\n"
            f'# ground_truth = "{new.name}/ground_truth"\n'
            '# ground_truth_format = "frame_labels"'
        )
    return (
        f'ground_truth = "{new.name}/ground_truth"\n'
        f'ground_truth_format = "{new.ground_truth_format}"'
    )


def _size_reason(proposal: Proposal) -> str:
    if proposal.object_px is None:
        return "too little moves to tell; set it to the height of a person, in pixels"
    if proposal.limit:
        return f"objects are about {proposal.object_px:.0f} px high, but {proposal.limit}"
    return f"about the height of what moves, {proposal.object_px:.0f} px where it stands alone"
