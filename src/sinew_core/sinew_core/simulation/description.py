"""The arm's dynamics as a minimal URDF: one link per driven joint, nothing to draw or to collide.

Both engines simulate this text, so they cannot disagree about masses, and neither spends time on
links that do not move; `robots.inertia` lumps the links.
"""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.robots.inertia import Body, carried_bodies, gravity_in_base, steiner
from sinew_core.robots.model import RobotModel


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Dynamics:
    """What an engine needs to load.

    Attributes:
        urdf_text: the base and one link per driven joint, in order, with diagonal inertias.
        gravity: (3,) m/s² in the base frame.
    """

    urdf_text: str
    gravity: Array


def dynamics_of(
    robot: RobotModel,
    bodies: Sequence[Body] | None = None,
    tool_radius_m: float | None = None,
) -> Dynamics:
    """Reduce a robot's URDF to the dynamics of its driven joints, which may carry other bodies.

    With a radius, the last link gets the shape of a ball around the tool's point.

    Raises:
        RobotError: nothing that a driven joint carries has a mass.
    """
    output = ET.Element("robot", name=robot.name)
    _write_inertial(
        ET.SubElement(output, "link", name="base"), np.zeros(3), np.eye(3), 1.0, np.ones(3)
    )
    carried = carried_bodies(robot) if bodies is None else bodies
    for index, (name, body) in enumerate(zip(robot.joint_names, carried, strict=True)):
        _write_joint(output, robot, index)
        _write_link(output, name, body)
    if tool_radius_m is not None:
        collision = ET.SubElement(output.findall("link")[-1], "collision")
        _write_origin(collision, robot.chain.tool[:3, 3], np.eye(3))
        ball = ET.SubElement(collision, "geometry")
        ET.SubElement(ball, "sphere", radius=repr(tool_radius_m))
    return Dynamics(
        urdf_text=ET.tostring(output, encoding="unicode"), gravity=gravity_in_base(robot)
    )


def _write_joint(output: ET.Element, robot: RobotModel, index: int) -> None:
    names, limits, chain = robot.joint_names, robot.limits, robot.chain
    element = ET.SubElement(output, "joint", name=names[index], type="revolute")
    ET.SubElement(element, "parent", link=names[index - 1] if index else "base")
    ET.SubElement(element, "child", link=names[index])
    origin = chain.origins[index]
    _write_origin(element, origin[:3, 3], origin[:3, :3])
    ET.SubElement(element, "axis", xyz=_text(chain.axes[index]))
    ET.SubElement(
        element,
        "limit",
        lower=_text(limits.position_lower_rad[index : index + 1]),
        upper=_text(limits.position_upper_rad[index : index + 1]),
        effort=_text(limits.effort_nm[index : index + 1]),
        velocity=_text(limits.velocity_rad_s[index : index + 1]),
    )


def _write_link(output: ET.Element, name: str, body: Body) -> None:
    centre = body.moment / body.mass
    moments, axes = np.linalg.eigh(body.inertia - body.mass * steiner(centre))
    axes[:, 2] *= np.sign(np.linalg.det(axes))
    _write_inertial(ET.SubElement(output, "link", name=name), centre, axes, body.mass, moments)


def _write_inertial(
    link: ET.Element, centre: Array, axes: Array, mass: float, moments: Array
) -> None:
    inertial = ET.SubElement(link, "inertial")
    _write_origin(inertial, centre, axes)
    ET.SubElement(inertial, "mass", value=repr(mass))
    xx, yy, zz = (repr(moment) for moment in moments.tolist())
    ET.SubElement(inertial, "inertia", ixx=xx, iyy=yy, izz=zz, ixy="0", ixz="0", iyz="0")


def _write_origin(parent: ET.Element, position: Array, rotation: Array) -> None:
    ET.SubElement(parent, "origin", xyz=_text(position), rpy=_text(_rpy(rotation)))


def _rpy(rotation: Array) -> Array:
    """Invert `rotation_from_rpy`; where pitch makes roll and yaw one, the yaw is zero."""
    pitch = np.arctan2(-rotation[2, 0], np.hypot(rotation[0, 0], rotation[1, 0]))
    if abs(np.cos(pitch)) < 1e-9:
        sine = np.sign(np.sin(pitch))
        return np.array([np.arctan2(sine * rotation[0, 1], rotation[1, 1]), pitch, 0.0])
    roll = np.arctan2(rotation[2, 1], rotation[2, 2])
    yaw = np.arctan2(rotation[1, 0], rotation[0, 0])
    return np.array([roll, pitch, yaw])


def _text(values: Array) -> str:
    return " ".join(repr(value) for value in values.tolist())
