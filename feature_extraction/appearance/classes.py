"""The classes that the appearance network tells apart."""

from typing import Final

CLASSES: Final = ("person", "car", "cyclist", "dog", "tree", "house", "skyscraper", "bridge")
"""Outputs of the appearance network, in this order."""

BACKGROUND: Final = len(CLASSES)
"""Label of crops that show none of the classes."""

LABELS: Final = (*CLASSES, "background")
"""Names of the labels: ``LABELS[label]``."""
