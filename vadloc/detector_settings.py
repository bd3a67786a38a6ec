"""The settings of each detector that is trained: its table ``[detectors.<name>]`` in a config."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, model_validator

from vadloc.feature_settings import FlowFeatures

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=1e6)]
Inpainter = Literal["patch", "telea", "diffusion"]

PUBLISHED_WEIGHTS: Final = {
    "ped2": (0.65, 0.25, 0.10),
    "avenue": (0.45, 0.50, 0.05),
    "shanghaitech": (0.85, 0.13, 0.02),
    "ubnormal": (0.40, 0.50, 0.10),
}
"""Weights of appearance, motion and semantics in equation 4 of the pseudo-anomaly paper, which its
authors tuned by hand for each dataset."""


class TrainedDetector(FlowFeatures):
    """What all detectors that train networks have in common.

    Attributes:
        held_out: Training sequences that are left out of the training. They choose the checkpoint,
            and give the scale of errors and the alarm threshold. If there is one sequence only, its
            last quarter is held out.
        seed: Seed of the choice of the held-out sequences and of the training.
        region_px: Frames are reduced until a region (``[regions] size_px``) has this side; they are
            never enlarged.
        square_px: Side of the square to which frames are resized instead; 0 for none.
        crop_px: Side of the squares that networks are trained on, cut where something moves; 0 for
            whole frames. They are applied to whole frames.
        colour: Whether networks see frames in colour instead of grey.
        training_frames: Frames of training video, at most, that are kept in memory; of held-out
            video a quarter as many, and of mined video as many.
        checks: How often, during a training, the error on held-out video is measured and a
            checkpoint is written.
        threshold_quantile: Share of the errors of held-out video below the error that counts as 1.
    """

    SCORING: ClassVar[frozenset[str]] = frozenset()
    """Keys that change scores but not the trained networks."""
    MINING: ClassVar[frozenset[str]] = frozenset()
    """Keys that only count where networks learn from what was mined."""

    held_out: int = Field(default=2, ge=1, le=1000)
    seed: int = Field(default=0, ge=0)
    region_px: int = Field(default=16, ge=8, le=512)
    square_px: int = Field(default=0, ge=0, le=2048)
    crop_px: int = Field(default=64, ge=0, le=2048)
    colour: bool = False
    training_frames: int = Field(default=12_000, ge=2)
    checks: int = Field(default=10, ge=1, le=1000)
    threshold_quantile: float = Field(default=0.995, gt=0, lt=1)

    @property
    def frame_channels(self) -> int:
        """Channels of the frames that networks see."""
        return 3 if self.colour else 1

    def idle(self, round_: int) -> frozenset[str]:
        """Keys on which nothing depends, after so many rounds of mining."""
        return frozenset() if round_ else self.MINING

    def unused(self, round_: int) -> frozenset[str]:
        """Keys on which the networks do not depend, after so many rounds of mining."""
        return self.SCORING | self.idle(round_)

    @property
    def side_multiple(self) -> int:
        """Networks take pictures whose sides are multiples of this; others are continued."""
        return 1

    @model_validator(mode="after")
    def _whole_blocks(self) -> "TrainedDetector":
        for name in ("square_px", "crop_px"):
            if getattr(self, name) % 32:
                raise ValueError(
                    f"{name} = {getattr(self, name)} must be a multiple of 32, since networks "
                    "halve the sides of pictures up to five times"
                )
        return self


class PseudoAnomalies(TrainedDetector):
    """Settings of the autoencoders that are trained with pseudo-anomalies.

    Attributes:
        channels: Output channels of the four layers of the encoder.
        clip_frames: Frames of a clip, a multiple of 8.
        clip_stride: Frames from one scored clip to the next.
        block_px: Side of the squares of reduced frames over which errors are averaged.
        steps: Steps of the training of each autoencoder.
        batch_size: Clips of a step.
        learning_rate: Highest learning rate of Adam, in one cycle.
        appearance_probability: Share of clips with a pseudo-anomaly in the training of the
            autoencoder of frames (p_s).
        motion_probability: The same for the autoencoder of optical flow (p_t).
        appearance_kinds: The pseudo-anomalies of frames.
        motion_kinds: The pseudo-anomalies of flow.
        inpainter: How masks are filled; see ``feature_extraction.pseudo_anomalies.inpainting``.
        diffusion_folder: Local folder of a diffusion model, for ``inpainter = "diffusion"``.
        discriminator: Whether a discriminator of appearance features is the third indicator.
        discriminator_clips: Clips with a pseudo-anomaly, drawn evenly from the training video, from
            which it learns, at most 1,000 of a sequence; of held-out video a quarter as many.
        discriminator_steps: Steps of its training.
        discriminator_stride: Frames from one that it looks at to the next.
        weights: Weights of appearance, motion and semantics (the discriminator): ``equal``, the
            ``errors`` alone, or those that the paper gives for a dataset.
        form: ``maps`` scores cells. ``published`` scores whole frames as the paper does.
        normalise: ``train`` divides errors by what held-out video reaches. ``video_minmax`` takes
            smallest and largest score of the test video, as the paper does; it uses the future, and
            every video then has a frame of the highest score. Only with ``form = "published"``.
    """

    SCORING = frozenset({"weights", "form", "normalise"})

    channels: list[Annotated[int, Field(ge=1, le=1024)]] = Field(
        default=[24, 32, 64, 64], min_length=4, max_length=4
    )
    clip_frames: int = Field(default=16, ge=8, le=64, multiple_of=8)
    clip_stride: int = Field(default=8, ge=1, le=64)
    block_px: int = Field(default=8, ge=1, le=256)
    steps: int = Field(default=10000, ge=1)
    batch_size: int = Field(default=4, ge=1, le=1024)
    learning_rate: Positive = 3e-3
    appearance_probability: Probability = 0.4
    motion_probability: Probability = 0.5
    appearance_kinds: list[Literal["inpaint", "patch", "skip"]] = Field(
        default=["inpaint", "patch", "skip"], min_length=1
    )
    motion_kinds: list[Literal["mix", "skip"]] = Field(default=["mix", "skip"], min_length=1)
    inpainter: Inpainter = "patch"
    diffusion_folder: str = ""
    discriminator: bool = True
    discriminator_clips: int = Field(default=800, ge=1, le=100_000)
    discriminator_steps: int = Field(default=2000, ge=1)
    discriminator_stride: int = Field(default=4, ge=1, le=64)
    weights: Literal["errors", "equal", "ped2", "avenue", "shanghaitech", "ubnormal"] = "errors"
    form: Literal["maps", "published"] = "maps"
    normalise: Literal["train", "video_minmax"] = "train"

    def idle(self, round_: int) -> frozenset[str]:
        """See `TrainedDetector.idle`; without a discriminator its keys do not count."""
        of_it = {"discriminator_clips", "discriminator_steps", "discriminator_stride"}
        return super().idle(round_) | (frozenset() if self.discriminator else of_it)

    @property
    def spatial_kinds(self) -> list[str]:
        """The pseudo-anomalies of frames that change pictures, and not only their order."""
        return [kind for kind in self.appearance_kinds if kind != "skip"]

    @property
    def side_multiple(self) -> int:
        """Four layers of the encoder halve the sides."""
        return 16

    @model_validator(mode="after")
    def _fits_together(self) -> "PseudoAnomalies":
        if self.clip_stride > self.clip_frames:
            raise ValueError(
                f"clip_stride = {self.clip_stride} exceeds clip_frames = {self.clip_frames}: "
                "frames in between would have no score"
            )
        if self.normalise == "video_minmax" and self.form != "published":
            raise ValueError('normalise = "video_minmax" needs form = "published"')
        if self.inpainter == "diffusion" and not self.diffusion_folder:
            raise ValueError('inpainter = "diffusion" needs diffusion_folder, a local folder')
        if self.discriminator and not self.spatial_kinds:
            raise ValueError(
                'discriminator = true needs "inpaint" or "patch" among appearance_kinds: it learns '
                "from pictures with a pseudo-anomaly, and skipped frames have none"
            )
        return self


class Mlad(TrainedDetector):
    """Settings of the conditional GANs that predict flow from frames and frames from flow.

    Attributes:
        levels: 0 are the pictures themselves; every further level l are the codes that layer l of
            the denoising autoencoders gives them, for which there are two more GANs. The paper has
            0 and 3.
        autoencoder: Output channels of the layers of the denoising autoencoders.
        noise: Standard deviation of the noise on their inputs, which reach from -1 to 1.
        channels: Output channels of the first layer of the generators; they double up to eight
            times as many.
        layers: Layers of the encoder of the generators, each of which halves the sides.
        discriminator_channels: Output channels of the first layer of the discriminators.
        dropout: Share of values that the three innermost layers of the decoder drop in training.
        steps: Steps of the training of each direction.
        batch_size: Pictures of a step.
        learning_rate: Learning rate of Adam.
        l1_weight: Weight of the absolute error beside the adversarial loss.
        flow_weight: Weight of the error of the predicted flow beside that of the frame (alpha).
        still_px_per_frame: Slower pixels of the video count as still; their errors are dropped.
        block_px: Side of the squares of reduced frames over which errors are averaged.
        smoothing_frames: Scores are averaged over so many frames.
        event_threshold: Cells of a lower score belong to no event (beta).
        least_lifespan: Events of fewer frames are dropped; 1 keeps all.
        cap_events: Whether scores are capped at twice the event threshold, as in the paper.
        mined_start: Where the training with mined data begins: ``continue`` with the networks of
            the round before, or from ``scratch``. The mining paper does not say which.
        mined_steps: Steps of a training that continues.
    """

    SCORING = frozenset(
        {"flow_weight", "smoothing_frames", "event_threshold", "least_lifespan", "cap_events"}
    )
    MINING = frozenset({"mined_start", "mined_steps"})
    OF_LEVELS: ClassVar[frozenset[str]] = frozenset({"levels", "autoencoder", "noise"})
    """Keys that only count with further levels."""

    levels: list[Annotated[int, Field(ge=0, le=5)]] = Field(default=[0], min_length=1)
    autoencoder: list[Annotated[int, Field(ge=1, le=1024)]] = Field(
        default=[32, 16, 8], min_length=1, max_length=5
    )
    noise: float = Field(default=0.2, ge=0, le=2)
    channels: int = Field(default=16, ge=1, le=512)
    layers: int = Field(default=5, ge=2, le=10)
    discriminator_channels: int = Field(default=16, ge=1, le=512)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    steps: int = Field(default=1500, ge=1)
    batch_size: int = Field(default=16, ge=1, le=1024)
    learning_rate: Positive = 5e-4
    l1_weight: Positive = 100.0
    flow_weight: Positive = 2.0
    still_px_per_frame: float = Field(default=0.3, ge=0)
    block_px: int = Field(default=8, ge=1, le=256)
    smoothing_frames: int = Field(default=5, ge=1, le=1000)
    event_threshold: float = Field(default=0.8, ge=0)
    least_lifespan: int = Field(default=5, ge=1, le=10_000)
    cap_events: bool = False
    mined_start: Literal["continue", "scratch"] = "continue"
    mined_steps: int = Field(default=300, ge=1)

    @property
    def side_multiple(self) -> int:
        """Each layer of an encoder halves the sides."""
        return 1 << max(self.layers, *self.levels)

    def idle(self, round_: int) -> frozenset[str]:
        """See `TrainedDetector.idle`."""
        return super().idle(round_) | (frozenset() if self.levels[1:] else self.OF_LEVELS)

    @model_validator(mode="after")
    def _has_levels(self) -> "Mlad":
        if self.levels != sorted({0, *self.levels}) or self.levels[-1] > len(self.autoencoder):
            raise ValueError(
                f"levels = {self.levels}: expected 0, then layers of the denoising autoencoders "
                f"in ascending order, which has {len(self.autoencoder)}; such as levels = [0, 1]"
            )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> "Mlad":
        if self.crop_px % self.side_multiple:
            raise ValueError(
                f"crop_px = {self.crop_px} must be a multiple of {self.side_multiple}, since each "
                f"of the {self.layers} layers halves the sides; 0 trains on whole frames"
            )
        return self
