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

A file that is for any robot gives what depends on it by its size: `scale:` has factors on nominal
values, by the same names, and a controller may have a bandwidth in place of gains, and any mode:

```yaml
scale: {mass/*: 1.08}
controller: {mode: as_commanded, bandwidth_hz: 20.0, gravity_compensation: true}
```

Both poles of each joint, with its inertia at home and its rotor, are then at the bandwidth.

A file of identified values has `description:`, too, and is refused for a robot of another one, see
`sinew_core.robots.described_by`.
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
from sinew_core.robots.arm_dynamics import (
    ArmDynamics,
    checked_number,
    matching_names,
    nominal_values,
    read_mapping,
)
from sinew_core.robots.arrays import Array
from sinew_core.robots.described_by import DESCRIPTION, check_description
from sinew_core.robots.dynamics import joint_inertia
from sinew_core.robots.model import RobotModel

AS_COMMANDED = "as_commanded"
"""Mode of controllers that take whatever the driver is sent."""

_TOP = ("dynamics", "scale", "controller", DESCRIPTION)
_FOLDER = Path(__file__).resolve().parent / "sim_params_config"
_HIGHEST_BANDWIDTH_HZ = 1000.0
HIGHEST_GAIN = 1e6
"""Beyond what any joint controller has."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SimParams:
    """An arm's dynamics, and its joint controllers; without them its drives are ideal."""

    dynamics: ArmDynamics
    controller: ArmController | None = None


def sim_params_names() -> tuple[str, ...]:
    """Return the names of arms that `load_sim_params` knows without a path."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_sim_params(name: str, robot: RobotModel, commands: str = "") -> SimParams:
    """Read an arm by its name, or from the YAML file at a path; see `read_sim_params`.

    Raises:
        ConfigError: for an unknown name, and as there.
    """
    if name in sim_params_names():
        return read_sim_params(_FOLDER / f"{name}.yaml", robot, commands)
    path = Path(name).expanduser()
    if path.suffix or path.parent != Path() or path.exists():
        return read_sim_params(path, robot, commands)
    raise ConfigError(
        f"sim_params '{name}': {suggest(name, sim_params_names())} Or give the path of a YAML file"
    )


def read_sim_params(path: Path, robot: RobotModel, commands: str = "") -> SimParams:
    """Read an arm from a YAML file; one with `dynamics:` only has ideal drives.

    What the driver sends, one of the controllers' modes, decides for those of any mode.

    Raises:
        ConfigError: when it cannot be read, holds names or values that are not allowed, or was
            identified with another description of the robot.
    """
    content = read_mapping(path, _TOP)
    params = parse_sim_params(content, robot, str(path), commands)
    loaded = params.dynamics.payload_mass_kg > 0.0
    check_description(content.get(DESCRIPTION), robot, path, payload=loaded)
    return params


def parse_sim_params(
    content: Mapping[str, object],
    robot: RobotModel,
    source: str = "sim_params",
    commands: str = "",
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
    own = {str(k): v for k, v in values.items()}
    scaled = _scaled(content.get("scale", {}), robot, f"{source}: scale")
    dynamics = ArmDynamics.from_values(robot, {**own, **_apart(scaled, own, source)}, source)
    given = content.get("controller")
    if given is None:
        return SimParams(dynamics=dynamics)
    controller = _controller(given, robot, dynamics, f"{source}: controller", commands)
    return SimParams(dynamics=dynamics, controller=controller)


def _scaled(given: object, robot: RobotModel, source: str) -> dict[str, float]:
    """Return nominal values times their factors."""
    if not isinstance(given, dict):
        raise ConfigError(f"{source} is {given!r:.60}: expected names and factors")
    nominal, scaled = nominal_values(robot), dict[str, float]()
    for pattern, factor in given.items():
        number = checked_number(str(pattern), factor, source)
        for name in matching_names(str(pattern), nominal, source):
            if nominal[name] == 0.0:
                raise ConfigError(f"{source}: {name} is 0 nominally: give it below dynamics")
            if name in scaled:
                raise ConfigError(f"{source}: {name} is given twice: keep one")
            scaled[name] = number * nominal[name]
    return scaled


def _apart(
    scaled: Mapping[str, float], own: Mapping[str, object], source: str
) -> Mapping[str, float]:
    """Return what is scaled, which has no name with the values in common."""
    for name in scaled:
        if name in own:
            raise ConfigError(f"{source}: {name} is below dynamics and below scale: keep one")
    return scaled


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


def _controller(
    given: object, robot: RobotModel, dynamics: ArmDynamics, source: str, commands: str
) -> ArmController:
    if not isinstance(given, dict):
        raise ConfigError(f"{source} is {given!r:.60}: expected mode and gains below it")
    mode = _choice(given, "mode", (*MODES, AS_COMMANDED), None, source)
    general, by_bandwidth = ("mode", "hold", "gravity_compensation"), "bandwidth_hz" in given
    if mode == AS_COMMANDED:
        if not by_bandwidth:
            raise ConfigError(f"{source}: mode '{mode}' has no gains: give bandwidth_hz")
        if commands not in MODES:
            raise ConfigError(
                f"{source}: mode '{mode}' takes what is sent, which nobody says: give the mode, "
                f"one of {', '.join(MODES)}"
            )
        mode = commands
    known = (*general, "bandwidth_hz") if by_bandwidth else (*general, *GAINS[mode])
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
        gains=(
            _gains_of(mode, given["bandwidth_hz"], robot, dynamics, source)
            if by_bandwidth
            else {name: _gains(given.get(name), name, robot, source) for name in GAINS[mode]}
        ),
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


def _gains_of(
    mode: str, bandwidth_hz: object, robot: RobotModel, dynamics: ArmDynamics, source: str
) -> dict[str, Array]:
    """Return the gains of a mode that put both poles of each joint at a bandwidth."""
    number = checked_number("bandwidth_hz", bandwidth_hz, source)
    if not 0.0 < number <= _HIGHEST_BANDWIDTH_HZ:
        raise ConfigError(
            f"{source}: bandwidth_hz is {number:g}: allowed above 0 to {_HIGHEST_BANDWIDTH_HZ:g} Hz"
        )
    inertia, w = joint_inertia(robot) + dynamics.armature_kg_m2, 2.0 * math.pi * number
    stiffness, damping = inertia * w * w, 2.0 * inertia * w
    by_mode = {
        "position": {"kp": stiffness, "kd": damping},
        "velocity": {"kp_v": damping, "ki_v": stiffness},
        "effort": {},
    }
    return by_mode[mode]


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
