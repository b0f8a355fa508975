"""What is known of a real arm's joint controllers, read from a `controller.yaml`.

```yaml
mode: position              # what commands are: position, velocity or effort
kp: 600.0                   # one number for every joint,
kd: [50, 50, 50, 20, 20, 20, 10]     # or a list in the order of the robot's joints,
# kp: {panda_joint1: 600}            # or some joints by name; those left out are unknown
gravity_compensation: true  # default: false
hold: zoh                   # zoh (default) or linear: see sinew_core.robots.arm_controller
```

`kp` (N m/rad) and `kd` (N m s/rad) belong to `position`, `kp_v` (N m s/rad) and `ki_v` (N m/rad) to
`velocity`. A gain that is not given is unknown: it is fitted, or reported as unidentifiable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from sinew_core.errors import ConfigError, suggest
from sinew_core.robots.arm_controller import GAINS, HOLDS, MODES
from sinew_core.robots.arrays import Array, as_numbers, frozen_array
from sinew_core.robots.model import RobotModel

_ALL_GAINS = tuple(name for names in GAINS.values() for name in names)
_KEYS = ("mode", "hold", "gravity_compensation", *_ALL_GAINS)
HIGHEST_GAIN = 1e6


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownController:
    """What is known of the joint controllers of an arm of n joints.

    Attributes:
        mode: what the commands are.
        hold: what is done between two commands.
        gravity_compensation: whether the nominal arm's gravity effort is added.
        gains: (n,) for each gain of the mode, nan for joints of which it is unknown; None where
            it is unknown of all.
    """

    mode: str
    hold: str = "zoh"
    gravity_compensation: bool = False
    gains: dict[str, Array | None]

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        frozen = {k: None if v is None else frozen_array(v) for k, v in self.gains.items()}
        object.__setattr__(self, "gains", frozen)

    def gain(self, name: str, n_joints: int) -> Array:
        """Return a gain (n,), nan where it is unknown."""
        values = self.gains.get(name)
        return np.full(n_joints, np.nan) if values is None else values


def unknown_controller(mode: str) -> KnownController:
    """Return a controller of which only the mode is known."""
    return KnownController(mode=mode, gains=dict.fromkeys(GAINS[mode]))


def read_controller(path: Path, robot: RobotModel) -> KnownController:
    """Read what is known of a robot's joint controllers.

    Raises:
        ConfigError: when the file cannot be read; or with all that is wrong in it.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected 'mode:' and gains on top, found {content!r:.60}")
    return parse_controller({str(k): v for k, v in content.items()}, robot, str(path))


def parse_controller(
    content: Mapping[str, object], robot: RobotModel, source: str
) -> KnownController:
    """Return what the content of such a file says.

    Raises:
        ConfigError: with all that is wrong.
    """
    problems = [f"unknown key '{k}': {suggest(k, _KEYS)}" for k in content if k not in _KEYS]
    mode = _word(content, "mode", MODES, problems)
    hold = _word({"hold": "zoh", **content}, "hold", HOLDS, problems)
    gravity = content.get("gravity_compensation", False)
    if not isinstance(gravity, bool):
        problems.append(f"gravity_compensation is {gravity!r}: expected true or false")
    gains = {name: _gain(content[name], name, robot, problems) for name in _ALL_GAINS
             if content.get(name) is not None}  # fmt: skip
    if mode:
        problems += [
            f"{name} is no gain of mode '{mode}': "
            + (f"give {' and '.join(GAINS[mode])}" if GAINS[mode] else "leave it out")
            for name in gains
            if name not in GAINS[mode]
        ]
    if problems:
        raise ConfigError(f"{source}: {'; '.join(problems)}")
    return KnownController(
        mode=mode,
        hold=hold,
        gravity_compensation=bool(gravity),
        gains={name: gains.get(name) for name in GAINS[mode]},
    )


def _word(
    content: Mapping[str, object], key: str, allowed: tuple[str, ...], problems: list[str]
) -> str:
    """Return one of the allowed words, or note the problem and return an empty one."""
    value = content.get(key)
    if isinstance(value, str) and value in allowed:
        return value
    found = f"{key} is missing" if value is None else f"{key} is {value!r:.40}"
    problems.append(f"{found}: choose one of {', '.join(allowed)}")
    return ""


def _gain(value: object, name: str, robot: RobotModel, problems: list[str]) -> Array:
    """Return a gain (n,) with nan for joints that are not named, or note what is wrong."""
    result = np.full(robot.n_joints, np.nan)
    if isinstance(value, dict):
        by_name = {str(joint): number for joint, number in value.items()}
    elif isinstance(value, list):
        if len(value) != robot.n_joints:
            problems.append(
                f"{name} has {len(value)} numbers: expected {robot.n_joints}, one for each of "
                f"{', '.join(robot.joint_names)}"
            )
            return result
        by_name = dict(zip(robot.joint_names, value, strict=True))
    else:
        by_name = dict.fromkeys(robot.joint_names, value)
    for joint, number in by_name.items():
        if joint not in robot.joint_names:
            problems.append(f"{name}: unknown joint '{joint}': {suggest(joint, robot.joint_names)}")
        elif number is not None:
            _set_gain(result, robot.joint_names.index(joint), number, f"{name}/{joint}", problems)
    return result


def _set_gain(result: Array, index: int, number: object, name: str, problems: list[str]) -> None:
    values = as_numbers([number])
    if not values or not math.isfinite(values[0]) or not 0.0 <= values[0] <= HIGHEST_GAIN:
        problem = f"{name} is {number!r:.40}: expected a number from 0 to {HIGHEST_GAIN:g}"
        if not any(p.partition(" is ")[2] == problem.partition(" is ")[2] for p in problems):
            problems.append(problem)
        return
    result[index] = values[0]
