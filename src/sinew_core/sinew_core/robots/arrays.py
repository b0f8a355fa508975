"""Read-only arrays from plain lists: shared by limits, boxes and chains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def frozen_array(values: Sequence[float] | Array) -> Array:
    """Copy into a float64 array that cannot be written to."""
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


def as_numbers(value: object) -> list[float] | None:
    """Return a list of floats, or None when `value` is not a list of numbers (booleans are not)."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, list | tuple):
        return None
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in value):
        return None
    try:
        return [float(v) for v in value]
    except OverflowError:
        return None
