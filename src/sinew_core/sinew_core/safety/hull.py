"""Where an arm may be while it brakes, and the cheap proofs that it is clear there.

Scalar functions as in `equations`. A pair's distance changes by no more than its levers times the
joints' motion, so a distance once measured at a posture bounds it on a whole box of postures.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

from sinew_core.safety.certified_equations import (
    HOLD,
    HULL_LOWER,
    HULL_UPPER,
    JERK_STEP,
    RADIUS,
    ROUNDING,
    WISH,
)
from sinew_core.safety.equations import (
    COMMAND,
    DRIFT,
    EDGE,
    MOTION_LEAST,
    MOTION_MOST,
    REST_LOWER,
    REST_UPPER,
    SPEED_STEP,
    Row,
    Rows,
)
from sinew_core.safety.jerk import brake_lobes

SURE = 1.0 - 1e-9
"""The sum of weights below which a proof holds, rounding included."""


def brake_extents(
    joints: Sequence[Row], model: Row, joint: int, before: float, command: float
) -> tuple[float, float, float]:
    """Return how far below and above its rest interval a joint may get, and for how many periods.

    Under a period of `command` after `before` and the braking law; drift is left out.
    """
    speed_step, jerk_step = joints[SPEED_STEP][joint], joints[JERK_STEP][joint]
    step = command - before
    if jerk_step >= 2.0 * speed_step:
        x = command if command > 0.0 else -command
        p = float(math.floor(x / speed_step))
        ahead = model[MOTION_MOST] * ((p + 1.0) * x - 0.5 * speed_step * p * (p + 1.0))
        ahead += model[HOLD] * x
        back, periods, positive = 0.0, p + 1.0 if x > 0.0 else 0.0, command > 0.0
    else:
        area, first, peak, area_back, second, peak_back = brake_lobes(
            command, step, speed_step, jerk_step, model[ROUNDING]
        )
        periods = first + second
        ahead = model[MOTION_MOST] * area + model[HOLD] * peak
        back = model[MOTION_MOST] * area_back - model[MOTION_LEAST] * area
        back = (back if back > 0.0 else 0.0) + model[HOLD] * peak_back
        positive = command > 0.0 or (command == 0.0 and step > 0.0)
    below, above = (back, ahead) if positive else (ahead, back)
    if before > 0.0:
        below = max(below, model[EDGE] * before)
    else:
        above = max(above, -model[EDGE] * before)
    return below, above, periods


def write_hull(joints: Sequence[Row], model: Row, state: Rows) -> None:
    """Write the box that surely holds the arm from now until it has come to rest after WISH."""
    command, wish = state[COMMAND], state[WISH]
    lower, upper = state[HULL_LOWER], state[HULL_UPPER]
    longest = 0.0
    for j in range(len(command)):
        below, above, periods = brake_extents(joints, model, j, command[j], wish[j])
        lower[j] = state[REST_LOWER][j] - below
        upper[j] = state[REST_UPPER][j] + above
        if periods > longest:
            longest = periods
    around = model[RADIUS] + model[DRIFT] * (longest + 1.0)
    for j in range(len(command)):
        lower[j] -= around
        upper[j] += around


def is_near(state: Rows, reference: Row, weights: Row) -> bool:
    """Tell whether the hull is so near to `reference` (n,) that no pair can get too close.

    `weights` (n,) are, over all pairs, the greatest lever over the distance to spare there.
    """
    lower, upper = state[HULL_LOWER], state[HULL_UPPER]
    total = 0.0
    if weights[0] == math.inf:
        return False
    for j in range(len(reference)):
        above, below = upper[j] - reference[j], reference[j] - lower[j]
        total += weights[j] * (above if above > below else below)
    return total <= SURE


def is_covered(state: Rows, levers: Rows, anchors: Rows, distances: Row, enough: Row) -> bool:
    """Tell whether each pair's last measured distance proves it clear on the whole hull.

    Args:
        state: of the arm.
        levers: (n, pairs) m.
        anchors: (n, pairs) rad, the posture that each pair was measured at.
        distances: (pairs,) m.
        enough: (pairs,) m, the distances to keep.
    """
    lower, upper = state[HULL_LOWER], state[HULL_UPPER]
    for pair in range(len(distances)):
        moved = 0.0
        for j in range(len(lower)):
            above, below = upper[j] - anchors[j][pair], anchors[j][pair] - lower[j]
            moved += levers[j][pair] * (above if above > below else below)
        if not distances[pair] - moved >= enough[pair]:
            return False
    return True


def recentre(
    state: Rows,
    levers: Rows,
    anchors: Rows,
    distances: Row,
    enough: Row,
    reference: MutableSequence[float],
    weights: MutableSequence[float],
) -> None:
    """Move `reference` to the middle of the hull, and weigh the joints anew."""
    for j in range(len(reference)):
        reference[j] = 0.5 * (state[HULL_LOWER][j] + state[HULL_UPPER][j])
        weights[j] = 0.0
    for pair in range(len(distances)):
        moved = 0.0
        for j in range(len(reference)):
            moved += levers[j][pair] * abs(reference[j] - anchors[j][pair])
        spare = distances[pair] - moved - enough[pair]
        for j in range(len(reference)):
            weight = levers[j][pair] / spare if spare > 0.0 else math.inf
            if weight > weights[j]:
                weights[j] = weight
