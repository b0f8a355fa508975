"""What can be fitted: names, units, nominal values, starts, bounds and typical sizes.

A fit is asked for by patterns, as randomisation files name quantities (`robots.arm_dynamics`):

| pattern | fits |
|---|---|
| `mass/*` | one value per link |
| `coulomb/*`, `viscous/*`, `armature/*`, `motor_strength/*` | one value per joint |
| `viscous/panda_joint3` | one value |
| `inertia/LINK`, `inertia/*` | mass, centre and inertia of a link: ten values, as a link has them |
| `payload` | `payload/mass`, `payload/x_m`, `payload/y_m`, `payload/z_m` |
| `payload/mass` | a mass where the tool is |
| `delay_s` | the time from a command to the drive |
| `kp/*`, `kd/*`, `kp_v/*`, `ki_v/*` | gains of the controller, those of its mode |

Gains that the controller file leaves out are always fitted. What is not named keeps the value of
the robot's description.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sinew_core.errors import ConfigError, suggest
from sinew_core.robots.arm_controller import GAIN_UNITS, GAINS, ArmController
from sinew_core.robots.arm_dynamics import (
    PER_JOINT,
    PER_LINK,
    SINGLE,
    ArmDynamics,
    nominal_values,
    quantity_of,
)
from sinew_core.robots.arrays import frozen_array
from sinew_core.robots.dynamics import joint_inertia
from sinew_core.robots.inertia import carrying_links
from sinew_core.robots.link_shape import SHAPE
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.controller_file import HIGHEST_GAIN, KnownController

DEFAULT_PATTERNS = ("mass/*", "coulomb/*", "viscous/*", "armature/*", "delay_s")
PAYLOAD = ("payload/mass", "payload/x_m", "payload/y_m", "payload/z_m")
_FRICTION_SHARE = 0.01
"""A friction's typical size, as a share of the joint's effort limit."""
_ROTOR_RAD_S2 = 500.0
"""A rotor's typical size is what the joint's effort limit accelerates so: behind its gears, that of
a wrist can be hundreds of times what the wrist is."""
_BANDWIDTH_RAD_S = 25.0
"""Of the joint controller that a fit of unknown gains starts from."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One value that can be fitted.

    Attributes:
        name: of the value.
        unit: SI, empty for none.
        nominal: of the robot's description, nan for none.
        start: what a fit starts from.
        lower, upper: what is allowed.
        size: what counts as a large change, for steps and scaling.
    """

    name: str
    unit: str
    nominal: float
    start: float
    lower: float
    upper: float
    size: float


def matching_parameters(
    patterns: Sequence[str], robot: RobotModel, known: KnownController
) -> tuple[list[str], list[str]]:
    """Return the names asked for, in the order of the documents, and the links fitted whole.

    A link that is fitted whole has no `mass/LINK` of its own among the names.

    Raises:
        ConfigError: with every pattern that stands for nothing.
    """
    links = carrying_links(robot)
    choices = _choices(robot, known)
    asked: set[str] = set()
    problems = []
    for pattern in patterns:
        found = _expand(pattern, choices)
        if not found:
            problems.append(f"cannot fit '{pattern}': {_remedy(pattern, choices, known)}")
        asked.update(found)
    if problems:
        raise ConfigError("; ".join(problems))
    asked.update(_unknown_gains(robot, known))
    if not asked:
        raise ConfigError(f"nothing to fit: name some of {', '.join(DEFAULT_PATTERNS)}")
    whole = [link for link in links if f"inertia/{link}" in asked]
    covered = {f"{kind}/{link}" for link in whole for kind in ("inertia", "mass")}
    return [name for name in choices if name in asked - covered], whole


def _choices(robot: RobotModel, known: KnownController) -> list[str]:
    """Return every name that can be asked for, `inertia/LINK` for a whole link."""
    names = [n for n in nominal_values(robot) if not n.startswith("sensor_noise/")]
    names = [*names, *(f"inertia/{link}" for link in carrying_links(robot))]
    return names + [f"{gain}/{joint}" for gain in GAINS[known.mode] for joint in robot.joint_names]


def _expand(pattern: str, choices: Sequence[str]) -> list[str]:
    if pattern == "payload":
        return list(PAYLOAD)
    kind, _, place = pattern.partition("/")
    if place == "*":
        return [name for name in choices if name.startswith(f"{kind}/")]
    return [pattern] if pattern in choices else []


def _remedy(pattern: str, choices: Sequence[str], known: KnownController) -> str:
    kind = pattern.partition("/")[0]
    if kind == "sensor_noise":
        return "noise is measured, not fitted; leave it out"
    if kind in SHAPE:
        return f"name 'inertia/{pattern.partition('/')[2] or '*'}', which fits a link whole"
    if kind in GAIN_UNITS:
        gains = GAINS[known.mode]
        if kind not in gains:
            named = " and ".join(gains) if gains else "no gains"
            return f"a controller of mode '{known.mode}' has {named}"
    kinds = dict.fromkeys(name.partition("/")[0] for name in choices if "/" in name)
    patterns = [f"{k}/*" for k in kinds if k != "payload"]
    return suggest(pattern, [*choices, *patterns, "payload"] if "/" in pattern else
                   [*patterns, "payload", "delay_s"])  # fmt: skip


def _unknown_gains(robot: RobotModel, known: KnownController) -> list[str]:
    return [
        f"{gain}/{joint}"
        for gain in GAINS[known.mode]
        for joint, value in zip(
            robot.joint_names, known.gain(gain, robot.n_joints).tolist(), strict=True
        )
        if np.isnan(value)
    ]


def describe(
    names: Sequence[str], robot: RobotModel, known: KnownController, base: ArmDynamics
) -> list[Parameter]:
    """Return what is known of each name (none of whole links) of an arm that starts from `base`."""
    nominal, start = nominal_values(robot), base.values(robot)
    sizes = _sizes(robot, start)
    gains = _gain_starts(robot, known)
    has_place = any(name in PAYLOAD[1:] for name in names)
    parameters = []
    for name in names:
        if name in gains:
            parameters.append(_gain_parameter(name, gains[name]))
            continue
        quantity = quantity_of(name)
        assert quantity is not None
        value = start[name]
        if name == "payload/mass" and has_place and value == 0.0:
            # Where nothing is, a place changes nothing, and no fit would ever move it.
            value = 0.1
        parameters.append(
            Parameter(
                name=name,
                unit=quantity.unit,
                nominal=nominal[name],
                start=value,
                lower=quantity.lowest,
                upper=quantity.highest,
                size=sizes[name],
            )
        )
    return parameters


def _gain_parameter(name: str, start: float) -> Parameter:
    unit = GAIN_UNITS[name.partition("/")[0]]
    return Parameter(
        name=name, unit=unit, nominal=np.nan, start=start, lower=0.0, upper=HIGHEST_GAIN,
        size=max(start, 1e-3),
    )  # fmt: skip


def _sizes(robot: RobotModel, values: dict[str, float]) -> dict[str, float]:
    """Return a typical size of every value, positive also where the value is 0."""
    sizes = {"delay_s": 0.01, "payload/mass": 1.0}
    sizes.update(dict.fromkeys(PAYLOAD[1:], 0.1))
    friction = _FRICTION_SHARE * robot.limits.effort_nm
    per_joint = {
        "coulomb": friction,
        "viscous": friction / (0.5 * robot.limits.velocity_rad_s),
        "armature": np.maximum(0.1 * joint_inertia(robot), robot.limits.effort_nm / _ROTOR_RAD_S2),
        "motor_strength": np.ones(robot.n_joints),
    }
    for kind in PER_JOINT:
        for joint, size in zip(robot.joint_names, per_joint[kind].tolist(), strict=True):
            sizes[f"{kind}/{joint}"] = size
    for kind in PER_LINK:
        for link in carrying_links(robot):
            sizes[f"{kind}/{link}"] = values[f"{kind}/{link}"]
    for name in SINGLE:
        sizes[name] = max(sizes.get(name, 1.0), abs(values[name]))
    return sizes


def _gain_starts(robot: RobotModel, known: KnownController) -> dict[str, float]:
    """Return every gain: what is known, else that of a critically damped loop at home."""
    inertia, w = joint_inertia(robot), _BANDWIDTH_RAD_S
    guesses = {
        "kp": inertia * w * w,
        "kd": 2.0 * inertia * w,
        "kp_v": inertia * w,
        "ki_v": 0.25 * inertia * w * w,
    }
    starts: dict[str, float] = {}
    for gain in GAINS[known.mode]:
        given = known.gain(gain, robot.n_joints)
        values = np.where(np.isnan(given), guesses[gain], given).tolist()
        names = (f"{gain}/{joint}" for joint in robot.joint_names)
        starts.update(zip(names, values, strict=True))
    return starts


def guessed_controller(robot: RobotModel, known: KnownController) -> ArmController:
    """Return a controller with the gains that are known, and guesses for the rest."""
    starts = _gain_starts(robot, known)
    gains = {
        gain: frozen_array([starts[f"{gain}/{joint}"] for joint in robot.joint_names])
        for gain in GAINS[known.mode]
    }
    return ArmController(
        mode=known.mode,
        gains=gains,
        gravity_compensation=known.gravity_compensation,
        hold=known.hold,
    )
