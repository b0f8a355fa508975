"""Whether a running safety filter is the one that a motion was tried in."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from sinew_core.robots.model import RobotModel
from sinew_core.sysid.excitation.trial import FilterSetting


def differences(text: str, setting: FilterSetting, robot: RobotModel) -> list[str]:
    """Return what differs, one phrase each, between a setting and what a filter's node published.

    Args:
        text: of its `~/configuration`.
        setting: that plans are tried in.
        robot: that plans are made for.
    """
    try:
        content = yaml.safe_load(text)
        node = content["safety_filter"]["ros__parameters"]
        limits, joints = content["robot"]["limits"], content["robot"]["joint_names"]
        safety = node["safety"]
    except (yaml.YAMLError, KeyError, TypeError):
        return ["its configuration cannot be read"]
    expected = {
        "mode": setting.mode,
        "pace": "lockstep" if setting.lockstep else "realtime",
        "speed_scale": 1.0,
        **setting.rates.to_mapping(),
    }
    if setting.mode == "joint_effort":
        expected["gravity_compensation"] = setting.gravity_compensation
    return [
        *_unequal("", expected, node),
        *_unequal("safety.", setting.safety.to_mapping(), safety),
        *_unequal("limits of the robot: ", robot.limits.to_mapping(), limits),
        *_unequal("", {"joint_names": list(robot.joint_names)}, {"joint_names": joints}),
    ]


def _unequal(prefix: str, expected: Mapping[str, object], found: Mapping[str, object]) -> list[str]:
    return [
        f"{prefix}{name} is {found.get(name)!r} there and {value!r} here"
        for name, value in expected.items()
        if found.get(name) != value
    ]
