"""Whether the robot's own description, the robot file, the filter and the bundle agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from sinew_core.bundle.fit import check_fits
from sinew_core.bundle.reader import Bundle
from sinew_core.deployment.checks import Check, unknown
from sinew_core.errors import RobotError
from sinew_core.robots.kinematics import KinematicChain
from sinew_core.robots.model import RobotModel
from sinew_core.robots.urdf import Urdf, UrdfJoint, chain_between, parse_urdf

_ROUNDING = 1e-3
"""Relative difference of limits that counts as equal: descriptions are written in degrees, too."""
_ANGLE_SLACK_RAD = 1e-3
_TOOL_SLACK_M = 0.02
"""Calibrated descriptions are off by millimetres."""
_SWING_RAD = 0.5
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
    limits = _check_limits([by_name[name] for name in names], robot)
    return [described, limits, _check_kinematics(urdf, robot, joint_prefix)]


def _check_limits(joints: Sequence[UrdfJoint], robot: RobotModel) -> Check:
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
    return Check(
        what="limits of the description",
        found=found,
        expected="no limit of the robot file wider than the description's",
        remedy="narrow the limits in a robot file of your own, or correct the description",
        passed=not wider,
    )


def _check_kinematics(described: Urdf, robot: RobotModel, prefix: str) -> Check:
    """Compare where the tool is by either: arms of one maker may name all their joints the same."""
    own = parse_urdf(robot.urdf_text, f"URDF of '{robot.name}'")
    what, expected = "kinematics of the description", f"the tool within {_TOOL_SLACK_M:g} m of ours"
    remedy = "give robot:= the arm that this is, or urdf:= the description that its driver has"
    ends = [n for n in (robot.base_link, robot.tool_link) if prefix + n in described.links]
    try:
        theirs, ours = _chain(described, robot, ends, prefix), _chain(own, robot, ends)
    except RobotError as error:
        return unknown(what, str(error), expected, remedy)
    swing = np.resize((_SWING_RAD, -_SWING_RAD), robot.n_joints)
    ways = [
        theirs.tool_position(q) - ours.tool_position(q)
        for q in (robot.home_rad, robot.home_rad + swing, robot.home_rad - swing)
    ]
    apart_m = max(float(np.linalg.norm(way)) for way in ways)
    return Check(
        what=what,
        found=f"{apart_m:.4f} m off",
        expected=expected,
        remedy=remedy,
        passed=apart_m <= _TOOL_SLACK_M,
    )


def _chain(urdf: Urdf, robot: RobotModel, ends: Sequence[str], prefix: str = "") -> KinematicChain:
    """Return the chain from base to tool, from the first or to the last joint where not among ends.

    Raises:
        RobotError: its joints are not those of the robot in series.
    """
    by_name = {joint.name: joint for joint in urdf.joint_by_child.values()}
    expected = [prefix + name for name in robot.joint_names]
    first, last = by_name[expected[0]], by_name[expected[-1]]
    base = prefix + robot.base_link if robot.base_link in ends else first.parent
    tool = prefix + robot.tool_link if robot.tool_link in ends else last.child
    chain, joints = chain_between(urdf, base, tool)
    names = [joint.name for joint in joints]
    if names != expected:
        found = ", ".join(names)
        raise RobotError(f"{urdf.source}: joints {found} between '{base}' and '{tool}'")
    return chain


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
