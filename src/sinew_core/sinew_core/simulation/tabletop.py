"""A box on a table before an arm, as both engines build it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tabletop:
    """A table, a box on it, and the ball at the tool that pushes it; nothing else touches.

    Friction is Coulomb's, by pair. Heights are in the base frame, whose z must point up.

    Attributes:
        table_height_m: of the table's surface, which has no end.
        object_size_m: edge of the cube.
        object_mass_kg: of the cube, evenly spread.
        table_friction: between cube and table.
        tool_friction: between cube and ball.
        tool_radius_m: of the ball around the tool's point.
    """

    table_height_m: float
    object_size_m: float
    object_mass_kg: float
    table_friction: float
    tool_friction: float
    tool_radius_m: float
