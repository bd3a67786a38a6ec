"""The settings of pseudo-anomalies in video: the table ``[pseudo_anomalies]`` of a config."""

from typing import Literal

from pydantic import Field, model_validator

from vadloc.config_table import ConfigTable
from vadloc.detector_settings import Inpainter


class PseudoAnomalyVideo(ConfigTable):
    """How pseudo-anomalies are put into training video (``make_pseudo_anomalies``).

    Attributes:
        per_sequence: Number of them in each training sequence.
        frames: Number of frames that each of them changes.
        kinds: What is done, in turn: ``inpaint`` fills a mask by the inpainter, ``patch`` with
            pixels of another place and time, ``skip`` skips frames so that everything is too fast.
        inpainter: See ``feature_extraction.pseudo_anomalies.inpainting``.
        diffusion_folder: Local folder of a diffusion model, for ``inpainter = "diffusion"``.
        seed: Seed of all that is drawn.
    """

    per_sequence: int = Field(default=6, ge=1, le=1000)
    frames: int = Field(default=16, ge=2, le=256)
    kinds: list[Literal["inpaint", "patch", "skip"]] = Field(
        default=["inpaint", "patch", "skip"], min_length=1
    )
    inpainter: Inpainter = "telea"
    diffusion_folder: str = ""
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _has_a_folder(self) -> "PseudoAnomalyVideo":
        if self.inpainter == "diffusion" and not self.diffusion_folder:
            raise ValueError('inpainter = "diffusion" needs diffusion_folder, a local folder')
        return self
