"""What a certified filter keeps apart, from a collision model and the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sinew_core.safety import equations as eq
from sinew_core.safety.certificate import Certificate
from sinew_core.safety.certified_equations import HOLD
from sinew_core.safety.hull import brake_extents
from sinew_core.safety.pair_memory import Array
from sinew_core.safety.parameters import SafetyParameters

if TYPE_CHECKING:
    from sinew_core.collision import CollisionModel

_CAUSES = {
    "self": eq.BY_SELF_COLLISION,
    "floor": eq.BY_FLOOR,
    "workspace": eq.BY_WORKSPACE,
    "forbidden": eq.BY_FORBIDDEN,
}


def watches_pairs(parameters: SafetyParameters) -> bool:
    """Tell whether any parameter asks for distances."""
    return bool(
        parameters.self_collision
        or parameters.floor
        or parameters.forbidden_boxes_m
        or parameters.workspace_lower_m
    )


def make_certificate(
    distances: CollisionModel | None,
    parameters: SafetyParameters,
    joints: Sequence[eq.Row],
    model: eq.Row,
) -> Certificate | None:
    """Return what proves whole arms clear; None where no pair is watched."""
    if distances is None or not distances.pairs:
        return None
    kinds = [pair.kind.value for pair in distances.pairs]
    keep_m = [0.0 if kind == "workspace" else parameters.clearance_m for kind in kinds]
    allowance_m = recovery_allowance_m(distances.levers_m, joints, model)
    causes = [_CAUSES[kind] for kind in kinds]
    return Certificate(distances, keep_m, allowance_m, causes, joints, model)


def recovery_allowance_m(
    levers_m: Sequence[eq.Row], joints: Sequence[eq.Row], model: eq.Row
) -> Array:
    """Return what a proof loses (pairs,) m while all joints move at the recovery speed.

    Args:
        levers_m: (pairs, n) m.
        joints: (11, n) constants of the joints, as in `certified_equations`.
        model: (12,) constants of the arm.
    """
    lost = []
    for j in range(len(joints[0])):
        speed = min(model[eq.RECOVERY], joints[eq.SPEED][j])
        _, above, periods = brake_extents(joints, model, j, speed, speed)
        spread = 1.0 - model[eq.MOTION_LEAST] / model[eq.MOTION_MOST]
        # From its middle a manoeuvre is proven at once; three quarters, as that is not exact.
        lost.append(
            (0.75 + 0.5 * spread) * above
            + (model[eq.EDGE] + model[HOLD]) * speed
            + model[eq.DRIFT] * (periods + 1.0)
        )
    allowance: Array = (np.array(levers_m) * np.array(lost)).sum(axis=1)
    return allowance
