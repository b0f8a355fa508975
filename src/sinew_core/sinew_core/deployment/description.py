"""Whether the robot's own description, the robot file, the filter and the bundle agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sinew_core.bundle.fit import check_fits
from sinew_core.bundle.reader import Bundle
from sinew_core.deployment.checks import Check, unknown
from sinew_core.errors import RobotError
from sinew_core.robots.model import RobotModel
from sinew_core.robots.urdf import UrdfJoint, parse_urdf

_ROUNDING = 1e-3
"""Relative difference of limits that counts as equal: descriptions are written in degrees, too."""
_ANGLE_SLACK_RAD = 1e-3
_SHOWN = 3
_FROM_URDF = (
    ("position_lower_rad", "lower", "rad"),
    ("position_upper_rad", "upper", "rad"),
    ("velocity_rad_s", "velocity", "rad/s"),
)


def check_description(
    description: str | None, robot: RobotModel, joint_prefix: str = ""
) -> list[Check]:
    """Compare `robot_description` with the robot that filter and policy run.

    A robot file may be narrower than the description, never wider: the arm would refuse a command
    that the filter lets through.

    Args:
        description: text of the topic, None where there is none.
        robot: its joints are named without the prefix.
        joint_prefix: in front of the names in the description.
    """
    what, wanted = "robot_description", f"the {robot.n_joints} joints of '{robot.name}'"
    if description is None:
        return [
            Check(
                what=what,
                found="none on the topic (transient local)",
                expected=wanted,
                remedy="start robot_state_publisher or the driver, or check namespace and remaps",
                passed=False,
            )
        ]
    try:
        urdf = parse_urdf(description, "robot_description")
    except RobotError as error:
        return [
            Check(
                what=what,
                found=str(error),
                expected=wanted,
                remedy="publish an expanded URDF",
                passed=False,
            )
        ]
    by_name = {joint.name: joint for joint in urdf.joint_by_child.values()}
    names = [joint_prefix + name for name in robot.joint_names]
    missing = [name for name in names if name not in by_name]
    described = Check(
        what=what,
        found=f"lacks {_some(missing)}" if missing else f"{len(names)} joints found",
        expected=wanted + (f" with prefix '{joint_prefix}'" if joint_prefix else ""),
        remedy="check robot:= and joint_prefix:=, and that the driver runs this arm",
        passed=not missing,
    )
    if missing:
        return [described]
    return [described, *_check_limits([by_name[name] for name in names], robot)]


def _check_limits(joints: Sequence[UrdfJoint], robot: RobotModel) -> list[Check]:
    wider: list[str] = []
    narrower = 0
    for field, attribute, unit in _FROM_URDF:
        ours = getattr(robot.limits, field)
        for joint, own in zip(joints, ours, strict=True):
            if attribute not in joint.limits or (
                joint.kind == "continuous" and attribute != "velocity"
            ):
                continue
            theirs = joint.limits[attribute]
            slack = _ANGLE_SLACK_RAD if attribute != "velocity" else 0.0
            if math.isclose(own, theirs, rel_tol=_ROUNDING, abs_tol=slack):
                continue
            if (own < theirs) if attribute == "lower" else (own > theirs):
                wider.append(f"{attribute} of {joint.name}: ours {own:g}, its {theirs:g} {unit}")
            else:
                narrower += 1
    found = _some(wider) if wider else (f"{narrower} of ours narrower" if narrower else "equal")
    return [
        Check(
            what="limits of the description",
            found=found,
            expected="no limit of the robot file wider than the description's",
            remedy="narrow the limits in a robot file of your own, or correct the description",
            passed=not wider,
        )
    ]


def check_bundle(
    bundle: Bundle, robot: RobotModel, *, filter_rate_hz: int, mode: str
) -> list[Check]:
    """Compare a bundle with the robot, the filter's rate and what is commanded."""
    fit = check_fits(
        bundle,
        robot,
        control_rate_hz=bundle.specification.rates.control_rate_hz,
        filter_rate_hz=filter_rate_hz,
        mode=mode,
    )
    joints = [p for p in fit.problems if p.startswith("joint_names")]
    limits = [p for p in fit.problems if " of " in p.partition(":")[0]]
    others = [p for p in fit.problems if p not in joints and p not in limits]
    remarks = f"; remarks: {_some(fit.remarks)}" if fit.remarks else ""
    rows = (
        ("joints of the bundle", joints, f"{robot.n_joints} joints in the trained order"),
        ("limits trained under", limits, "no limit of the robot wider than trained under"),
        ("rates and command mode", others, "as trained, or a faster filter"),
    )
    return [
        Check(
            what=what,
            found=_some(problems) if problems else "agree" + (remarks if i == 1 else ""),
            expected=expected,
            remedy="use the robot trained on, narrow its limits, or train again for this arm",
            passed=not problems,
        )
        for i, (what, problems, expected) in enumerate(rows)
    ]


def check_filter_limits(section: Mapping[str, object] | None, robot: RobotModel) -> list[Check]:
    """Compare the robot that the filter says it runs with the one that the bundle was checked for.

    Args:
        section: `robot` of the filter's configuration, None where the filter has not published any.
        robot: as loaded here.
    """
    what, expected = "robot of the filter", f"joints and limits of '{robot.name}' as loaded here"
    remedy = "give robot:= and urdf:= to the launch file, so that all nodes load the same"
    if section is None:
        return [unknown(what, "no configuration was published", expected, remedy)]
    names = section.get("joint_names")
    own_names, own_limits = list(robot.joint_names), robot.limits.to_mapping()
    limits = section.get("limits")
    found = "equal"
    if not isinstance(names, list) or [str(n) for n in names] != own_names:
        found = f"joints {names}"
    elif limits != own_limits:
        given = limits if isinstance(limits, Mapping) else {}
        found = f"other {_some([k for k in own_limits if given.get(k) != own_limits[k]])}"
    return [
        Check(what=what, found=found, expected=expected, remedy=remedy, passed=found == "equal")
    ]


def _some(items: Sequence[str]) -> str:
    """Return the first few items, and how many more there are."""
    shown = "; ".join(items[:_SHOWN])
    return shown if len(items) <= _SHOWN else f"{shown}; and {len(items) - _SHOWN} more"
