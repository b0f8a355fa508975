"""One arm as system identification finds it and a simulation takes it: dynamics and controllers.

```yaml
dynamics:                       # names of `sinew_core.robots.arm_dynamics`; the rest stays nominal
  mass/panda_link4: 3.9
  coulomb/*: 0.4
  delay_s: 0.0073
controller:                     # of `sinew_core.robots.arm_controller`; left out: ideal drives
  mode: position
  hold: zoh                     # or linear
  gravity_compensation: true
  kp: {panda_joint1: 600.0, ...}   # each gain of the mode: by joint, a list, or one for all
  kd: 30.0
```
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from sinew_core.errors import ConfigError, suggest
from sinew_core.robots.arm_controller import GAIN_UNITS, GAINS, HOLDS, MODES, ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics, read_mapping
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel

_TOP = ("dynamics", "controller")
HIGHEST_GAIN = 1e6
"""Beyond what any joint controller has."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SimParams:
    """An arm's dynamics, and its joint controllers; without them its drives are ideal."""

    dynamics: ArmDynamics
    controller: ArmController | None = None


def read_sim_params(path: Path, robot: RobotModel) -> SimParams:
    """Read an arm from a YAML file; one with `dynamics:` only has ideal drives.

    Raises:
        ConfigError: when it cannot be read, or holds names or values that are not allowed.
    """
    return parse_sim_params(read_mapping(path, _TOP), robot, str(path))


def parse_sim_params(
    content: Mapping[str, object], robot: RobotModel, source: str = "sim_params"
) -> SimParams:
    """Return the arm that a file's content describes.

    Raises:
        ConfigError: for names or values that are not allowed.
    """
    values = content.get("dynamics")
    if not isinstance(values, dict):
        raise ConfigError(
            f"{source}: expected 'dynamics:' with names and numbers, found {values!r}"
        )
    dynamics = ArmDynamics.from_values(robot, {str(k): v for k, v in values.items()}, source)
    given = content.get("controller")
    controller = None if given is None else _controller(given, robot, f"{source}: controller")
    return SimParams(dynamics=dynamics, controller=controller)


def write_sim_params(params: SimParams, robot: RobotModel) -> str:
    """Return the text of a file that `read_sim_params` reads as the same arm, to the last bit."""
    return yaml.safe_dump(sim_params_mapping(params, robot), sort_keys=False)


def sim_params_mapping(params: SimParams, robot: RobotModel) -> dict[str, object]:
    """Return plain values of which `parse_sim_params` makes the same arm."""
    content: dict[str, object] = {"dynamics": params.dynamics.values(robot)}
    controller = params.controller
    if controller is not None:
        content["controller"] = {
            "mode": controller.mode,
            "hold": controller.hold,
            "gravity_compensation": controller.gravity_compensation,
            **{
                name: dict(zip(robot.joint_names, controller.gains[name].tolist(), strict=True))
                for name in GAINS[controller.mode]
            },
        }
    return content


def check_compensation(controller: ArmController | None, *, gravity_compensation: bool) -> None:
    """Check that who sends efforts knows whether the arm's controllers add that of gravity.

    Raises:
        ConfigError: it does not.
    """
    if controller is None or controller.mode != "effort":
        return
    if controller.gravity_compensation != gravity_compensation:
        raise ConfigError(
            f"gravity_compensation is {gravity_compensation}, but that of the controller in "
            f"sim_params is {controller.gravity_compensation}: make them equal"
        )


def _controller(given: object, robot: RobotModel, source: str) -> ArmController:
    if not isinstance(given, dict):
        raise ConfigError(f"{source} is {given!r:.60}: expected mode and gains below it")
    mode = _choice(given, "mode", MODES, None, source)
    known = ("mode", "hold", "gravity_compensation", *GAINS[mode])
    for key in given:
        if key not in known:
            raise ConfigError(
                f"{source}: unknown key '{key}' of mode '{mode}': {suggest(str(key), known)}"
            )
    compensation = given.get("gravity_compensation")
    if not isinstance(compensation, bool):
        raise ConfigError(
            f"{source}: gravity_compensation is {compensation!r}: write true where the controller "
            "adds the effort of gravity, else false"
        )
    return ArmController(
        mode=mode,
        gains={name: _gains(given.get(name), name, robot, source) for name in GAINS[mode]},
        gravity_compensation=compensation,
        hold=_choice(given, "hold", HOLDS, "zoh", source),
    )


def _choice(
    given: Mapping[str, object],
    key: str,
    allowed: tuple[str, ...],
    default: str | None,
    source: str,
) -> str:
    value = given.get(key, default)
    if value not in allowed:
        raise ConfigError(f"{source}: {key} is {value!r}: choose one of {', '.join(allowed)}")
    return str(value)


def _gains(given: object, name: str, robot: RobotModel, source: str) -> Array:
    """Return a gain for each joint, of a mapping by joint, a list, or one number."""
    joints = robot.joint_names
    if isinstance(given, list) and len(given) == len(joints):
        given = dict(zip(joints, given, strict=True))
    if not isinstance(given, dict):
        return np.full(len(joints), _gain(given, name, source))
    for joint in given:
        if joint not in joints:
            raise ConfigError(f"{source}: {name}/{joint}: {suggest(str(joint), joints)}")
    missing = [joint for joint in joints if joint not in given]
    if missing:
        raise ConfigError(f"{source}: {name} lacks {', '.join(missing)}: give every joint's")
    return np.array([_gain(given[joint], f"{name}/{joint}", source) for joint in joints])


def _gain(value: object, name: str, source: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0.0 <= value <= HIGHEST_GAIN:  # type: ignore[arg-type,operator]  # a number here
        unit = GAIN_UNITS[name.partition("/")[0]]
        raise ConfigError(
            f"{source}: {name} is {value!r}: expected a number from 0 to {HIGHEST_GAIN:g} {unit}"
        )
    return float(value)  # type: ignore[arg-type]  # a number here
