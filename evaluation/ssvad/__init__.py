"""The names of py-ssvad-metrics, for programs written for it: one import line changes.

    import evaluation.ssvad as ssvad_metrics

    result = ssvad_metrics.metrics.accumulated_evaluate(
        "ground_truth", "predictions", gt_name_suffix="_gt", pred_name_suffix="_pred")

Functions take its arguments, by its names and in its order, and give its eight numbers by its
definition (rule ``ssvad``, boxes painted to maps). `evaluation.evaluate` and the other functions of
that package give more, by definitions of their own. What py-ssvad-metrics has beside ``metrics``,
``data_schema`` and ``visualizer`` (its accumulators and painting helpers) is not offered.
"""

from evaluation.ssvad import data_schema, metrics, visualizer
from evaluation.ssvad.metrics import accumulated_evaluate, evaluate
from evaluation.ssvad.visualizer import visualize, visualize_dir

__all__ = [
    "accumulated_evaluate",
    "data_schema",
    "evaluate",
    "metrics",
    "visualize",
    "visualize_dir",
    "visualizer",
]
