"""Which description of a robot the absolute values of a file belong to.

A mass says how heavy a link is, not where: centres, inertias and frames are the description's, and
gravity compensation goes by its masses. So a file of identified values holds what a simulation
takes of the description that they were found with, and is refused for a robot of another one:

```yaml
description:
  urdf: robot.urdf            # beside the file: to be given as urdf:=
  links:                      # mass kg; first moment x y z kg m; inertia xx xy xz yy yz zz kg m²,
    panda_link1: [4.97, …]    # of all that a joint carries, in its frame, which turns about z
  frames:                     # from the joint before: rotation row by row, translation m
    panda_joint1: [1.0, …]
  gravity: [0.0, 0.0, -9.81]  # m/s² in the base frame
  tool: [0.0, …]              # position m, then rotation row by row, from the last joint
```

How a URDF is written, its meshes, its limits, and the last digits of its numbers do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import yaml

from sinew_core.errors import ConfigError
from sinew_core.robots.arrays import Array, as_numbers
from sinew_core.robots.dynamics import dynamics_rows
from sinew_core.robots.inertia import carrying_links
from sinew_core.robots.model import RobotModel

DESCRIPTION = "description"
"""Key of a file."""
URDF_FILE = "robot.urdf"
_KEYS = ("urdf", "links", "frames", "gravity", "tool")
_Scale: TypeAlias = Callable[[Array], Array]
_DIGITS, _NOTHING = 9, 1e-15
_SHARE = 1e-4
"""Of a mass or an inertia that makes no difference; of a rotation, and of a metre likewise."""
_ARM_M = 0.1
"""By which a difference of a centre counts, beside a centre's own distance."""


def description_of(robot: RobotModel) -> dict[str, object]:
    """Return what a file of values that were found with this robot says of it."""
    chain, bodies, gravity = dynamics_rows(robot)
    n, tool = robot.n_joints, robot.chain.tool
    links = np.reshape(bodies, (n, 10))
    frames = np.reshape(chain, (n, 12))
    return {
        "urdf": URDF_FILE,
        "links": dict(zip(carrying_links(robot), map(_rounded, links), strict=True)),
        "frames": dict(zip(robot.joint_names, map(_rounded, frames), strict=True)),
        "gravity": _rounded(gravity),
        "tool": _rounded([*tool[:3, 3], *tool[:3, :3].ravel()]),
    }


def description_text(robot: RobotModel) -> str:
    """Return the lines of a YAML file that `check_description` reads."""
    content = {DESCRIPTION: description_of(robot)}
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)


def check_description(given: object, robot: RobotModel, path: Path, *, payload: bool) -> None:
    """Refuse a robot of another description than that which the values of a file belong to.

    Args:
        given: what the file has below `description`; None where it does not tell.
        robot: the values are loaded for.
        path: of the file.
        payload: whether they have a payload, whose place is in the frame of the tool.

    Raises:
        ConfigError: it is another one, with the remedy; or the key holds something else.
    """
    if given is None:
        return
    if not isinstance(given, Mapping) or sorted(map(str, given)) != sorted(_KEYS):
        raise ConfigError(f"{path}: description is {given!r:.60}: expected {', '.join(_KEYS)}")
    other = difference(given, description_of(robot), payload=payload)
    if other:
        raise ConfigError(
            f"{path} was identified with another description of '{robot.name}' than this one "
            f"({other}), so its values are of another arm: {_remedy(path, given)}"
        )


def difference(there: Mapping[str, object], here: Mapping[str, object], *, payload: bool) -> str:
    """Return the first difference of two descriptions that matters, in words; empty for none."""
    scales: dict[str, _Scale] = {"links": _body_scale, "frames": np.ones_like}
    for key, scale in scales.items():
        ours, theirs = _named(here[key]), _named(there[key])
        if list(ours) != list(theirs):
            return f"{key} are {', '.join(theirs)}, not {', '.join(ours)}"
        for name, row in ours.items():
            if not _alike(theirs[name], row or [], scale):
                return _in_words(key, name, theirs[name], row or [])
    for key in ("gravity", *(("tool",) if payload else ())):
        if not _alike(as_numbers(there[key]), as_numbers(here[key]) or [], np.ones_like):
            return f"{key} is {there[key]}, not {here[key]}"
    return ""


def _in_words(key: str, name: str, there: Sequence[float] | None, here: Sequence[float]) -> str:
    if key == "frames" or there is None or len(there) != len(here):
        return f"{name} is in another place"
    if not np.isclose(there[0], here[0], rtol=_SHARE, atol=0.0):
        return f"{name} carries {there[0]:.4g} kg, not {here[0]:.4g} kg"
    return f"{name} carries its {here[0]:.4g} kg in another place, or of another shape"


def _remedy(path: Path, given: Mapping[str, object]) -> str:
    file = path.parent / str(given["urdf"])
    if file.is_file():
        return f"give the one that it was identified with, urdf:={file}"
    return f"give the {given['urdf']} that was written beside it, urdf:=FILE"


def _alike(there: Sequence[float] | None, here: Sequence[float], scale: _Scale) -> bool:
    if there is None or len(there) != len(here):
        return False
    a, b = np.array(there), np.array(here)
    return bool((np.abs(a - b) <= _SHARE * scale(b)).all())


def _body_scale(row: Array) -> Array:
    """Return by what a difference of a body (10,) counts: its mass, moment and inertia."""
    mass, moment = row[0], np.linalg.norm(row[1:4])
    scale: Array = np.repeat([mass, moment + mass * _ARM_M, np.abs(row[4:]).max()], [1, 3, 6])
    return scale


def _named(rows: object) -> dict[str, list[float] | None]:
    if not isinstance(rows, Mapping):
        return {}
    return {str(name): as_numbers(row) for name, row in rows.items()}


def _rounded(values: Sequence[float] | Array) -> list[float]:
    exact = [float(f"{float(value):.{_DIGITS}g}") for value in values]
    return [0.0 if abs(value) < _NOTHING else value for value in exact]
