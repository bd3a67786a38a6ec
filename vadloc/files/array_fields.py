"""Arrays as fields of pydantic models: their type, axes and range."""

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Array:
    """An array of finite numbers, none of whose axes is empty.

    Attributes:
        types: Names of the NumPy types it may have, separated by blanks.
        axes: A word for each axis; axes of one name are equally long in all arrays of a file, and
            ``_`` has any length.
        least: Lowest value that is allowed.
        below: Name of an axis of the fields before it; each value is an index along that axis.
    """

    types: str
    axes: str
    least: float = -math.inf
    below: str = ""

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let pydantic check values by `_check`."""
        return core_schema.with_info_plain_validator_function(self._check)

    def _check(self, value: object, info: ValidationInfo) -> NDArray[Any]:
        sizes = cast("dict[str, int]", info.context)
        if not isinstance(value, np.ndarray) or value.dtype.name not in self.types.split():
            raise ValueError(f"expected an array of {' or '.join(self.types.split())}")
        if not value.dtype.isnative or not np.isfinite(value).all():
            raise ValueError("expected finite numbers in the byte order of this machine")
        names = self.axes.split()
        if len(names) != value.ndim or 0 in value.shape:
            raise ValueError(f"has shape {value.shape}, expected ({', '.join(names)}), none empty")
        for name, size in zip(names, value.shape, strict=True):
            if name != "_" and sizes.setdefault(name, size) != size:
                raise ValueError(f"has {size} {name}, other arrays {sizes[name]}")
        if self.least > -math.inf and value.min() < self.least:
            raise ValueError(f"expected values of at least {self.least:g}")
        limit = sizes.get(self.below)  # none if the array before it was refused
        if limit and value.max() >= limit:
            raise ValueError(f"expected values of at most {limit - 1}")
        return value
