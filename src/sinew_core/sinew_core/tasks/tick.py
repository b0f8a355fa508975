"""What success and reward of a control tick depend on, in the environment as over the graph."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = Sequence[float] | NDArray[np.float64]
TickFigures = tuple[float, float, float, float, float]
"""Distance (m), RMS and peak speed (rad/s), power (W), mean square change of the action."""


def tick_figures(
    achieved: Values,
    target: Values,
    velocity: Values,
    effort: Values,
    action: Values,
    previous_action: Values,
) -> TickFigures:
    """Return the figures of one control tick; `environments.compiled` compiles this very function.

    Args:
        achieved: (3,) m, of the tool or the object.
        target: (3,) m.
        velocity: (n,) rad/s after the control period.
        effort: (n,) N m after the control period.
        action: (m,) of the control period that ends here.
        previous_action: (m,) of the one before.
    """
    x = achieved[0] - target[0]
    y = achieved[1] - target[1]
    z = achieved[2] - target[2]
    squares = peak = power = change = 0.0
    for j in range(len(velocity)):
        speed = abs(velocity[j])
        squares += speed * speed
        # A speed that is not a number must not count as rest.
        if not speed <= peak:
            peak = speed
        power += abs(effort[j] * velocity[j])
    for j in range(len(action)):
        step = action[j] - previous_action[j]
        change += step * step
    distance, rms = math.sqrt(x * x + y * y + z * z), math.sqrt(squares / len(velocity))
    return distance, rms, peak, power, change / len(action)
