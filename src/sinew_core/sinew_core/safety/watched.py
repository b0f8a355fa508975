"""What a certified filter keeps apart, from a collision model and the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sinew_core.safety import equations as eq
from sinew_core.safety.certificate import Certificate
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
    return Certificate(distances, keep_m, [_CAUSES[kind] for kind in kinds], joints, model)
