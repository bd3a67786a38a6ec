"""Options that the definitions of the criteria leave open."""

from dataclasses import dataclass

import numpy as np

from evaluation.criteria.areas import area_rule
from evaluation.criteria.basins import check_connectivity
from evaluation.criteria.curves import check_share
from vadloc.errors import VadlocError


@dataclass(frozen=True, kw_only=True)
class CriteriaOptions:
    """Options of the criteria.

    Attributes:
        alpha: Least share of a track's regions that must be found.
        beta: Least intersection over union of a match.
        connectivity: 8 or 4, the neighbourhood by which cells form detected regions; it has no
            effect on boxes.
        pixel_share: Least share of a frame's anomalous pixels that must be detected (pixel level).
        dual_share: Least share of the detected pixels that must be anomalous (dual pixel level).
        rule: How region and track curves become areas, a key of ``areas.AREA_RULES``.
        alarm_threshold: Least score at which a frame raises an alarm, for the false alarm rate.
    """

    alpha: float = 0.1
    beta: float = 0.1
    connectivity: int = 8
    pixel_share: float = 0.4
    dual_share: float = 0.05
    rule: str = "envelope"
    alarm_threshold: float = 0.5

    def __post_init__(self) -> None:
        """Check every option."""
        for name in ("alpha", "beta", "pixel_share", "dual_share"):
            check_share(name, getattr(self, name))
        check_connectivity(self.connectivity)
        area_rule(self.rule)
        if np.isnan(self.alarm_threshold):
            raise VadlocError("alarm_threshold is NaN, expected a number")
