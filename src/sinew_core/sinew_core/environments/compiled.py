"""Compiled inner loops of the environment; small numpy calls would cost more than the physics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

FloatArray = NDArray[np.float64]

_vector = numba.float64[::1]
_five = numba.types.UniTuple(numba.float64, 5)  # type: ignore[no-untyped-call]  # numba's types


def _tick_figures(
    tool: FloatArray,
    target: FloatArray,
    velocity: FloatArray,
    effort: FloatArray,
    action: FloatArray,
    previous_action: FloatArray,
) -> tuple[float, float, float, float, float]:
    """Return distance (m), RMS and peak speed (rad/s), power (W), mean square action change."""
    x = tool[0] - target[0]
    y = tool[1] - target[1]
    z = tool[2] - target[2]
    squares = peak = power = change = 0.0
    for j in range(velocity.size):
        speed = abs(velocity[j])
        squares += speed * speed
        # A speed that is not a number must not count as rest.
        if not speed <= peak:
            peak = speed
        power += abs(effort[j] * velocity[j])
    for j in range(action.size):
        step = action[j] - previous_action[j]
        change += step * step
    distance, rms = math.sqrt(x * x + y * y + z * z), math.sqrt(squares / velocity.size)
    return distance, rms, peak, power, change / action.size


tick_figures: Callable[
    [FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    tuple[float, float, float, float, float],
] = numba.njit(
    _five(*[_vector] * 6),
    cache=True,
)(_tick_figures)
