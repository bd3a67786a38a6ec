"""Mining normal data: its settings, and which model results are of that has learnt from it.

A model scores video that nobody has labelled, and learns again from what is surely normal in it
(`exemplar_selection.mining` names the paper). This can be repeated in rounds. Results of a model
that has learnt so lie in folders of their own, such as ``scores/fused+mined1-first_half/``. So
those of different rounds and protocols are never mixed, and those of the model as it was trained
stay as they are.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from vadloc.config_table import ConfigTable
from vadloc.errors import UsageError, first_problem

Protocol = Literal["first_half", "transductive", "split"]
"""Where a model mines. ``first_half``: in the first half of the test sequences; it is evaluated on
the others. ``transductive``: in all test sequences, on which it is also evaluated. ``split``: in a
further folder of video of the camera."""
PROTOCOLS: Final = ("first_half", "transductive")
DEFAULT_PROTOCOL: Final = "first_half"


class Mining(ConfigTable):
    """How normal data are mined; the symbols are those of the paper.

    Attributes:
        scale: What brings cell scores to E, and frame means to S. ``train_quantile`` divides them
            by their ``quantile`` in training sequences that are left out of the model; it needs no
            test video. ``test_minmax`` maps them from their range in the mined video to 0 to 1, as
            the paper does, so that a single extreme frame decides what all others mean.
        quantile: Of the scale ``train_quantile``.
        frame_threshold: eta_s: a frame is abnormal if S, the mean of its E, is at least this.
        floor: eta_p: the cells above it are the possibly anomalous ones.
        cell_threshold: eta_a: only cells with E below this are learnt.
        alpha: Sensitivity of the threshold T = alpha (X - X^2), Eq. 3.
        least_run: FN_min: frames are kept in runs of at least so many.
        abnormal_mask: Which threshold masks the cells of abnormal frames. Section 3.3 of the paper
            says eta_s, Eq. 5 says eta_a: the lower one is the default, since it learns less.
        kinds: The kinds of frames that are mined: N of the paper is ``normal``, A ``abnormal``.
        most_kept: If a larger share of all frames is trusted and kept, T has separated nothing, and
            nothing is learnt. Abnormal frames do not count here, since masks hold back their cells.
        days_per_round: Days of video that a round stands for; only forgetting uses it.
        keep_days: The counts of mined exemplars halve in so many days, and one that stands for half
            a volume or less is forgotten: of what was seen once, this is after so many days.
            ``None`` forgets nothing.
        max_per_region: Largest number of mined exemplars of a region; those that stand for the
            fewest volumes are forgotten.
    """

    scale: Literal["train_quantile", "test_minmax"] = "train_quantile"
    quantile: float = Field(default=0.995, gt=0, le=1)
    frame_threshold: float = Field(default=0.85, gt=0)
    floor: float = Field(default=0.02, ge=0)
    cell_threshold: float = Field(default=0.8, gt=0)
    alpha: float = Field(default=2.0, ge=0, le=4)
    least_run: int = Field(default=10, ge=1)
    abnormal_mask: Literal["cell_threshold", "frame_threshold"] = "cell_threshold"
    kinds: list[Literal["normal", "abnormal"]] = Field(default=["normal", "abnormal"], min_length=1)
    most_kept: float = Field(default=0.9, gt=0, le=1)
    days_per_round: float = Field(default=1.0, gt=0)
    keep_days: float | None = Field(default=None, gt=0)
    max_per_region: int | None = Field(default=None, ge=1)


FORGETTING: Final = ("days_per_round", "keep_days", "max_per_region")
"""The keys of `Mining` on which only what is learnt depends, and not what is mined."""


@dataclass(frozen=True)
class MinedModel:
    """A model that has learnt from mined data.

    Attributes:
        protocol: Where it mines.
        folder: With the protocol ``split``: the folder of the video, relative to the datasets
            folder.
        round: How many rounds it has learnt; 0 for the model as it was trained.
        marks: The exported marks of a report, which say what is surely normal and what is not.
        changes: Settings that differ from those of the config, such as ``alpha=1.5``; they stand in
            the names of folders too.
    """

    protocol: Protocol = DEFAULT_PROTOCOL
    folder: str = ""
    round: int = 0
    marks: Path | None = None
    changes: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The protocol in file names; other video by the name of its folder."""
        if self.protocol == "split":
            return f"split_{self.folder.strip('/').replace('/', '_')}"
        return self.protocol

    @property
    def suffix(self) -> str:
        """What the folders of results have after the version; empty if nothing was learnt yet."""
        if not self.round:
            return ""
        changes = "".join(f"-{change.replace('=', '_')}" for change in self.changes)
        return f"+mined{self.round}-{self.place}{changes}" + ("-marks" if self.marks else "")

    @property
    def options(self) -> list[str]:
        """The words of the command line that choose this model."""
        if not self.round:
            return []
        return ["--mined", str(self.round), *self.source_options]

    @property
    def source_options(self) -> list[str]:
        """The words of the command line that say where it mines."""
        place = {"split": ["--mine-split", self.folder]}.get(
            self.protocol, ["--mine-from", self.protocol]
        )
        changes = ["--mine-set", *self.changes] if self.changes else []
        return [*place, *changes, *(["--marks", str(self.marks)] if self.marks else [])]

    @property
    def words(self) -> str:
        """What a reader of the results must know."""
        learnt = f"mined in {self.round} round{'s' if self.round > 1 else ''}"
        marks = ", with marks of a person" if self.marks else ""
        where = {
            "first_half": "from the first half of the test sequences; the others are evaluated",
            "transductive": "from the test sequences that are evaluated (transductive): the model "
            "has seen, without labels, what it is tested on",
            "split": f"from the unlabelled video in {self.folder}",
        }
        changed = f", with {', '.join(self.changes)}" if self.changes else ""
        return f"{learnt}{changed}{marks} {where[self.protocol]}"


def with_changes(settings: Mining, changes: tuple[str, ...]) -> Mining:
    """The settings with some of them changed.

    Args:
        settings: The settings of the config.
        changes: ``KEY=VALUE``; a list of words is given with commas, as in ``kinds=normal``.

    Raises:
        UsageError: A key or value is wrong.
    """
    given: dict[str, Any] = {}
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or key not in Mining.model_fields or not re.fullmatch(r"[\w.,]+", text):
            keys = ", ".join(Mining.model_fields)
            raise UsageError(f"--mine-set {change}: expected KEY=VALUE with a KEY of {keys}")
        try:
            given[key] = json.loads(text)
        except ValueError:
            given[key] = text.split(",") if key == "kinds" else text
    try:
        return Mining.model_validate({**settings.model_dump(), **given})
    except ValidationError as error:
        raise UsageError(f"--mine-set: {first_problem(error)}") from None
