"""The settings of each feature extractor: its table ``[features.<extractor>]`` in a config."""

from typing import Literal

from pydantic import Field

from vadloc.config_table import ConfigTable


class FlowFeatures(ConfigTable):
    """Settings of the optical flow (``feature_extraction.flow``).

    Attributes:
        flow_preset: A preset of OpenCV's DIS flow, or ``balanced``, which lies between two of them.
        flow_side_px: Longest side of the frames on which the flow is computed; larger frames are
            reduced to it. Speeds stay in pixels of the video.
        flow_region_px: Frames are enlarged, up to ``flow_side_px``, until a region has this side.
    """

    flow_preset: Literal["ultrafast", "fast", "balanced", "medium"] = "balanced"
    flow_side_px: int = Field(default=640, ge=32)
    flow_region_px: int = Field(default=32, ge=0, le=128)


class MomentumFeatures(FlowFeatures):
    """Settings of measured motion (``feature_extraction.momentum``).

    Attributes:
        flow_floor_px_per_frame: Slower pixels count as still; pixels of the video.
    """

    flow_floor_px_per_frame: float = Field(default=0.8, ge=0)


class RelativeMomentumFeatures(FlowFeatures):
    """Settings of motion in units of the speed scale (``feature_extraction.relative_momentum``).

    Attributes:
        flow_floor: Slower pixels count as still; in units of the speed scale of their cell.
        scale_pairs: Pairs of training frames, at most, from which the speed scale is estimated.
        scale_shrinkage: How strongly cells with little movement take the speed scale of the whole
            scene, as a share of all movement in the scene; see
            ``feature_extraction.speed_scale``.
    """

    flow_floor: float = Field(default=1.4, ge=0)
    scale_pairs: int = Field(default=1500, ge=1)
    scale_shrinkage: float = Field(default=0.02, gt=0, le=1)


class StillFeatures(ConfigTable):
    """Settings of what is new and stands still (``feature_extraction.still``).

    Attributes:
        seconds: Something stands still if it has covered a place for most of so many seconds.
        contrast: The change of brightness that counts by half, as its natural logarithm; where
            training video itself changes, it is added to that.
        absorb_seconds: Something that has changed a place entirely belongs to the background after
            so many seconds, and anything else sooner.
        background_frames: Training frames, at most, from which the background is estimated.
    """

    seconds: float = Field(default=4.0, gt=0, le=600)
    contrast: float = Field(default=0.1, gt=0, le=5)
    absorb_seconds: float = Field(default=600.0, gt=0)
    background_frames: int = Field(default=300, ge=1)


class NetworkFeatures(ConfigTable):
    """Settings of a network's features.

    Attributes:
        weights: ``bundled`` or a ``.safetensors`` file; for appearance also ``torchvision``, the
            ImageNet weights of the backbone.
        reuse_below: Largest change in grey levels at which a region keeps its last computed
            features. The change is that of the mean of a block whose side is 1/8 of the region's
            side. 0 computes every volume. For appearance the default changes no criterion by more
            than .0004 (``benchmarks/README.md``).
    """

    weights: str = Field(default="bundled", min_length=1)
    reuse_below: float = Field(default=6.0, ge=0, le=255)


class AppearanceFeatures(NetworkFeatures):
    """Settings of the appearance network (``feature_extraction.appearance.network``)."""

    backbone: str = Field(default="mobilenet_v2", pattern=r"^[a-z0-9_]+$")


class MotionFeatures(NetworkFeatures):
    """Settings of the motion network (``feature_extraction.motion.network``)."""
