"""Functions with the names of py-ssvad-metrics: programs for it need to change only the import.

    import evaluation.ssvad as ssvad_metrics

    result = ssvad_metrics.metrics.accumulated_evaluate(
        "ground_truth", "predictions", gt_name_suffix="_gt", pred_name_suffix="_pred")

The functions have the arguments of py-ssvad-metrics, with the same names and order. They return its
eight numbers by its definitions (rule ``ssvad``, boxes painted to maps). `evaluation.evaluate` and
the other functions of `evaluation` return more numbers, by vadloc's definitions. Other modules of
py-ssvad-metrics than ``metrics``, ``data_schema`` and ``visualizer`` (accumulators and painting
helpers) are not available.
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
