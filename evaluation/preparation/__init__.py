"""Bring official downloads into the layout of `evaluation.preparation.layout`.

Each dataset has one module.
"""

from evaluation.preparation import avenue, ped1, ped2, shanghaitech, street_scene, ubnormal
from evaluation.preparation.layout import DatasetLayout

LAYOUTS: dict[str, DatasetLayout] = {
    module.LAYOUT.name: module.LAYOUT
    for module in (avenue, ped1, ped2, shanghaitech, street_scene, ubnormal)
}
"""The datasets that can be prepared, by name."""
