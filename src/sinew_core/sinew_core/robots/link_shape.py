"""Where a link's mass is: centre and inertia, for links that were measured.

| name | what | unit |
|---|---|---|
| `centre_x/LINK`, `centre_y/LINK`, `centre_z/LINK` | centre of mass, in the link's frame | m |
| `inertia_xx/LINK`, `_xy`, `_xz`, `_yy`, `_yz`, `_zz` | about that centre, link's axes | kg m² |

The link is the one that a joint moves, with all that is fixed to it. A link has all nine or none;
one with none has the shape of the robot's description, and its inertia grows with its mass. A link
can exist when its mass is positive and half the trace of the inertia, less the inertia, is positive
definite: Wensing, Kim, Slotine: Linear matrix inequalities for physically consistent inertial
parameter identification, RA-L 2018.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sinew_core.errors import ConfigError
from sinew_core.robots.arrays import Array
from sinew_core.robots.inertia import Body, steiner

CENTRE = ("centre_x", "centre_y", "centre_z")
INERTIA = ("inertia_xx", "inertia_xy", "inertia_xz", "inertia_yy", "inertia_yz", "inertia_zz")
SHAPE = (*CENTRE, *INERTIA)
"""The nine kinds, in the order of a row of shapes."""


def shape_of(body: Body) -> Array:
    """Return centre and inertia (9,) of a body."""
    centre = body.moment / body.mass
    inertia = body.inertia - body.mass * steiner(centre)
    return np.concatenate([centre, inertia[np.triu_indices(3)]])


def body_of(mass_kg: float, shape: Array) -> Body:
    """Return the body of a mass and a shape (9,)."""
    centre, upper = shape[:3], shape[3:]
    inertia = upper[[0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(3, 3)
    return Body(mass=mass_kg, moment=mass_kg * centre, inertia=inertia + mass_kg * steiner(centre))


def can_exist(shape: Array) -> bool:
    """Tell whether a distribution of positive mass has this shape (9,)."""
    inertia = shape[3:][[0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(3, 3)
    spread = 0.5 * np.trace(inertia) * np.eye(3) - inertia
    return bool(np.linalg.eigvalsh(spread)[0] > 0.0)


def read_shapes(values: Mapping[str, float], links: Sequence[str], source: str) -> Array | None:
    """Return the shapes (n, 9), nan for links that have none among the values; None without any.

    Raises:
        ConfigError: when a link has some of the nine only, or a shape that cannot exist.
    """
    rows = np.full((len(links), len(SHAPE)), np.nan)
    for row, link in zip(rows, links, strict=True):
        names = [f"{kind}/{link}" for kind in SHAPE]
        missing = [name for name in names if name not in values]
        if len(missing) == len(names):
            continue
        if missing:
            raise ConfigError(
                f"{source}: {missing[0]} is missing: give all of {', '.join(SHAPE)} of link "
                f"'{link}', or none"
            )
        row[:] = [values[name] for name in names]
        if not can_exist(row):
            raise ConfigError(
                f"{source}: the inertia of link '{link}' is {row[3:].tolist()} kg m²: no body has "
                "it; each principal moment must be less than the sum of the other two"
            )
    return None if np.isnan(rows).all() else rows
