"""Stage 4: ground truth, criteria, curves and tables.

The public functions are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evaluation.api import accumulated_evaluate, evaluate, evaluate_folder
    from evaluation.visualize_annotations import visualize, visualize_dir

__all__ = ["accumulated_evaluate", "evaluate", "evaluate_folder", "visualize", "visualize_dir"]

_HOMES = {
    "accumulated_evaluate": "evaluation.api",
    "evaluate": "evaluation.api",
    "evaluate_folder": "evaluation.api",
    "visualize": "evaluation.visualize_annotations",
    "visualize_dir": "evaluation.visualize_annotations",
}


def __getattr__(name: str) -> Any:
    """Import a public function when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'evaluation' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The names of the module, including those that are not imported yet."""
    return sorted({*globals(), *__all__})
