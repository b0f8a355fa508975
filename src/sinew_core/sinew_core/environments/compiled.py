"""Compiled inner loops of the environment; small numpy calls would cost more than the physics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np
from numpy.typing import NDArray

from sinew_core.tasks import tick

if TYPE_CHECKING:
    from collections.abc import Callable

FloatArray = NDArray[np.float64]

_vector = numba.float64[::1]
_five = numba.types.UniTuple(numba.float64, 5)  # type: ignore[no-untyped-call]  # numba's types

tick_figures: Callable[
    [FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    tick.TickFigures,
] = numba.njit(
    _five(*[_vector] * 6),
    cache=True,
)(tick.tick_figures)
