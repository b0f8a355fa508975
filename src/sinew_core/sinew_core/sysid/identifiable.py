"""How well a value has to be known to count as identified, and what is not known, in words.

A standard deviation may be at most

| value | of itself | of what the robot's description tells | or |
|---|---|---|---|
| `mass/LINK` | | 2 % of the link's mass | |
| `centre_x/LINK` … | | | 1 cm |
| `inertia_xx/LINK` … | | 10 % of the link's largest moment of inertia | |
| `coulomb/JOINT` | 5 % | 0.1 % of the effort limit | |
| `viscous/JOINT` | 10 % | 0.1 % of the effort limit at half the velocity limit | |
| `armature/JOINT` | 10 % | 1 % of the inertia that the joint moves at home | |
| `motor_strength/JOINT` | | | 0.02 |
| `kp/JOINT`, `kd/JOINT`, `kp_v/JOINT`, `ki_v/JOINT` | 5 % | | |
| `payload/mass` | 5 % | | 0.05 kg |
| `payload/x_m` … | | | 2 cm |
| `stribeck/stiction` | | | 0.05 |
| `stribeck/velocity_rad_s` | 20 % | | |
| `delay_s` | | | 0.5 ms |

whichever is the largest. A friction of nothing at all is identified when it is known to be small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sinew_core.robots.arm_controller import GAIN_UNITS
from sinew_core.robots.arrays import Array
from sinew_core.robots.dynamics import joint_inertia
from sinew_core.robots.inertia import carried_bodies, carrying_links
from sinew_core.robots.model import RobotModel

_OF_ITSELF = {"coulomb": 0.05, "viscous": 0.1, "armature": 0.1, "payload/mass": 0.05}
_OF_ITSELF["stribeck/velocity_rad_s"] = 0.2
_OF_ITSELF.update(dict.fromkeys(GAIN_UNITS, 0.05))
_ABSOLUTE = {
    "motor_strength": 0.02,
    "payload/mass": 0.05,
    "payload/x_m": 0.02,
    "payload/y_m": 0.02,
    "payload/z_m": 0.02,
    "stribeck/stiction": 0.05,
    "delay_s": 5e-4,
    "centre_x": 0.01,
    "centre_y": 0.01,
    "centre_z": 0.01,
}
_LEAST = 1e-9
_MINOR = 0.15
"""Share of the largest coefficient below which a value has no part in a combination."""
_ALONE = 0.95
"""Share of a value's unit that lies in what is undetermined, above which it is alone in it."""


def accepted_sigma(robot: RobotModel, names: Sequence[str], values: Array) -> Array:
    """Return the deviations (p,) that are small enough for values (p,) of these names."""
    described = _described(robot)
    rows = []
    for name, value in zip(names, values.tolist(), strict=True):
        kind = name.partition("/")[0]
        share = _OF_ITSELF.get(name, _OF_ITSELF.get(kind, 0.0))
        absolute = _ABSOLUTE.get(name, _ABSOLUTE.get(kind, 0.0))
        rows.append(max(share * abs(value), absolute, described.get(name, 0.0), _LEAST))
    return np.array(rows)


def _described(robot: RobotModel) -> dict[str, float]:
    links, bodies = carrying_links(robot), carried_bodies(robot)
    effort, speed = robot.limits.effort_nm, robot.limits.velocity_rad_s
    found = {}
    for link, body in zip(links, bodies, strict=True):
        found[f"mass/{link}"] = 0.02 * body.mass
        largest = 0.1 * float(np.diag(body.inertia).max())
        for axes in ("xx", "xy", "xz", "yy", "yz", "zz"):
            found[f"inertia_{axes}/{link}"] = largest
    inertia = joint_inertia(robot)
    for i, joint in enumerate(robot.joint_names):
        found[f"coulomb/{joint}"] = 1e-3 * float(effort[i])
        found[f"viscous/{joint}"] = 1e-3 * float(effort[i] / (0.5 * speed[i]))
        found[f"armature/{joint}"] = 0.01 * float(inertia[i])
    return found


def combinations(undetermined: Array, accepted: Array) -> tuple[tuple[int, ...], list[Array]]:
    """Return which values are unknown by themselves, and combinations (p,) in units of the values.

    Args:
        undetermined: (d, p) orthonormal, in accepted deviations; any basis of their space.
        accepted: (p,) deviations.
    """
    if not undetermined.size:
        return (), []
    share = (undetermined**2).sum(axis=0)
    alone = np.flatnonzero(share > _ALONE)
    rest = undetermined.copy()
    rest[:, alone] = 0.0
    _, singular, turned = np.linalg.svd(rest, full_matrices=False)
    return tuple(int(i) for i in alone), _sparse(turned[singular > 0.5], accepted)


def _sparse(basis: Array, accepted: Array) -> list[Array]:
    """Return a basis (d, p) in which each vector names few values: Gauss-Jordan with pivots."""
    basis = basis.copy()
    for row in range(len(basis)):
        left = np.abs(basis[row:])
        best, pivot = np.unravel_index(int(left.argmax()), left.shape)
        if left[best, pivot] == 0.0:
            return []
        basis[[row, row + best]] = basis[[row + best, row]]
        basis[row] /= basis[row, pivot]
        others = [k for k in range(len(basis)) if k != row]
        basis[others] -= np.outer(basis[others, pivot], basis[row])
    found = []
    for vector in basis:
        kept = np.where(np.abs(vector) >= _MINOR * np.abs(vector).max(), vector, 0.0)
        found.append(kept * accepted)
    return found


def in_words(direction: Array, names: Sequence[str], values: Array) -> str:
    """Tell what of the values (p,) is not determined when they may move along a direction (p,)."""
    places = np.flatnonzero(direction).tolist()
    named = [names[i] for i in places]
    if len(named) == 1:
        return f"{named[0]} by itself"
    relative = direction[places] / np.where(values[places] != 0.0, values[places], np.inf)
    if np.abs(relative).min() > 0.0 and np.ptp(relative) < 0.2 * np.abs(relative).max():
        if len(named) == 2:
            return f"{_listed(named)} only as a ratio"
        return f"{_listed(named)} only up to one common factor"
    if len(named) == 2:
        return _pair(named, direction[places])
    return f"{_listed(named)} only in combinations: one of them has to be known"


def _pair(named: Sequence[str], direction: Array) -> str:
    """Tell what of two values is known: what does not change along the direction."""
    weight = -float(direction[0] / direction[1])
    # a + weight b stays the same.
    word = "sum" if weight > 0.0 else "difference"
    if 0.8 < abs(weight) < 1.25:
        return f"{named[0]} and {named[1]} only as a {word}"
    sign = "+" if weight > 0.0 else "-"
    return f"{named[0]} and {named[1]} only as {named[0]} {sign} {abs(weight):.3g} {named[1]}"


def _listed(named: Sequence[str], most: int = 6) -> str:
    if len(named) > most:
        return f"{', '.join(named[: most - 1])} and {len(named) - most + 1} more"
    return f"{', '.join(named[:-1])} and {named[-1]}"
