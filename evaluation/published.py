"""Tables of published numbers: their files, and what stands beside each number."""

from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vadloc.config import AreaRule
from vadloc.errors import UsageError, first_problem
from vadloc.mining import MinedModel

METRICS = {
    "frame_roc_auc": "frame-level AUC, all frames together (micro)",
    "frame_macro_roc_auc": "frame-level AUC, mean over sequences (macro)",
    "frame_eer": "frame-level EER",
    "frame_average_precision": "frame-level average precision",
    "region_roc_auc": "region-based detection criterion (RBDC)",
    "track_roc_auc": "track-based detection criterion (TBDC)",
    "pixel_roc_auc": "pixel-level AUC",
    "pixel_eer": "pixel-level EER",
    "dual_pixel_roc_auc": "dual-pixel-level AUC",
}
"""Full names of the numbers in tables, by their names in ``summary.json``."""
MINED_METRICS = {
    "selected_frames": "normal frames that were mined",
    "selected_normal_frames": "those of them without an anomaly",
    "selected_normal_share": "their share",
}
"""Full names of numbers of what was mined."""
COUNTS = frozenset({"selected_frames", "selected_normal_frames"})
"""Those that are numbers of frames, and not percent."""
Metric = Literal[
    "frame_roc_auc",
    "frame_macro_roc_auc",
    "frame_eer",
    "frame_average_precision",
    "region_roc_auc",
    "track_roc_auc",
    "pixel_roc_auc",
    "pixel_eer",
    "dual_pixel_roc_auc",
    "selected_frames",
    "selected_normal_frames",
    "selected_normal_share",
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class PublishedValue(_Strict):
    """One number of a table.

    Attributes:
        dataset: Name of the dataset's config.
        row: Name of the row, if the table has several for a dataset.
        metric: A key of `METRICS` or `MINED_METRICS`.
        published_percent: The published number in percent.
        published_frames: The published number of frames, in place of percent.
        rounds: Our number is that after so many rounds of transductive mining.
        changes: Settings of the mining that differ from the config's.
        source: Address or citation of the publication that the number was read from.
        read: ``source`` if the number was read in the authors' publication, ``quoted`` if it was
            read in another one.
        not_comparable: Reason why our number cannot be compared with it; empty if it can.
        not_run: Reason why there is no number of ours; empty if there can be one.
    """

    dataset: str
    row: str = ""
    metric: Metric
    published_percent: float | None = Field(default=None, ge=0, le=100)
    published_frames: int | None = Field(default=None, ge=0)
    rounds: int = Field(default=0, ge=0)
    changes: list[str] = Field(default_factory=list)
    source: str
    read: Literal["source", "quoted"]
    not_comparable: str = ""
    not_run: str = ""

    @model_validator(mode="after")
    def _has_a_number(self) -> "PublishedValue":
        given = self.published_frames if self.metric in COUNTS else self.published_percent
        other = self.published_percent if self.metric in COUNTS else self.published_frames
        if given is None or other is not None:
            unit = "published_frames" if self.metric in COUNTS else "published_percent"
            raise ValueError(f"{self.metric} is given as {unit}")
        return self

    @property
    def published(self) -> float:
        """The number, in percent or in frames."""
        given = self.published_frames if self.metric in COUNTS else self.published_percent
        assert given is not None
        return given

    @property
    def mined(self) -> MinedModel | None:
        """What our model has mined."""
        if not self.rounds:
            return None
        return MinedModel("transductive", round=self.rounds, changes=tuple(self.changes))

    @property
    def key(self) -> str:
        """What our result is of: numbers of one key come from the same scores."""
        return self.dataset + (self.mined.suffix if self.mined else "")

    @property
    def criterion(self) -> str:
        """The criterion whose ground truth the number stands on."""
        first = self.metric.split("_")[0]
        return {"dual": "pixel", "selected": "frame"}.get(first, first)


class PublishedTable(_Strict):
    """A published table.

    Attributes:
        title: Title of the publication.
        citation: Authors, venue and year of the publication.
        rule: The area rule that is closest to that of the publication.
        version: Our version beside it, unless ``--version`` names one; empty for the config's.
        note: What a reader must know before comparing.
        command: The command that makes rows whose datasets have no config, since they are features
            that only the reader has; such rows are "not run".
        values: The numbers of the table.
    """

    title: str
    citation: str
    rule: AreaRule
    version: str = ""
    note: str = ""
    command: str = ""
    values: list[PublishedValue]


def list_tables() -> dict[str, Path]:
    """The tables that come with the package, by name."""
    folder = Path(str(files("evaluation") / "tables"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read_table(path: Path) -> PublishedTable:
    """Read and check a table.

    Raises:
        UsageError: The file is missing, no TOML, or has a wrong key or value.
    """
    import tomli

    try:
        return PublishedTable(**tomli.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:  # a ValidationError is a ValueError
        what = first_problem(error) if isinstance(error, ValidationError) else error
        raise UsageError(f"{path}: not a table of published values: {what}") from None
