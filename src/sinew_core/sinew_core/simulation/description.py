"""The arm's dynamics as a minimal URDF: one link per driven joint, nothing to draw or to collide.

Both engines simulate this text, so they cannot disagree about masses, and neither spends time on
links that do not move. Links behind fixed joints, and behind joints that no policy drives (fingers,
held at zero), are lumped into the moving link that carries them.
"""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET

import numpy as np

from sinew_core.errors import RobotError
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.robots.urdf import parse_urdf, rotation_from_rpy

_GRAVITY_WORLD = np.array([0.0, 0.0, -9.81])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Dynamics:
    """What an engine needs to load.

    Attributes:
        urdf_text: the base and one link per driven joint, in order, with diagonal inertias.
        gravity: (3,) m/s² in the base frame.
    """

    urdf_text: str
    gravity: Array


class _Lump:
    """Mass, first moment (3,) kg m and inertia (3, 3) kg m² about the origin of a link's frame."""

    def __init__(self) -> None:
        self.mass = 0.0
        self.moment = np.zeros(3)
        self.inertia = np.zeros((3, 3))

    def add(self, inertial: ET.Element, pose: Array) -> None:
        """Add what an `<inertial>` of a link at `pose` (4, 4) in this lump's frame describes."""
        mass = float(_child(inertial, "mass").get("value", "0"))
        frame = pose @ _transform(inertial.find("origin"))
        rotation, centre = frame[:3, :3], frame[:3, 3]
        about_centre = rotation @ _inertia_matrix(_child(inertial, "inertia")) @ rotation.T
        self.mass += mass
        self.moment += mass * centre
        self.inertia += about_centre + mass * _steiner(centre)


def dynamics_of(robot: RobotModel) -> Dynamics:
    """Reduce a robot's URDF to the dynamics of its driven joints.

    Raises:
        RobotError: nothing that a driven joint carries has a mass.
    """
    urdf = parse_urdf(robot.urdf_text, f"URDF of {robot.name}")
    inertials = {
        link.get("name", ""): inertial
        for link in ET.fromstring(robot.urdf_text).findall("link")
        if (inertial := link.find("inertial")) is not None
    }
    child_of = {joint.name: link for link, joint in urdf.joint_by_child.items()}
    output = ET.Element("robot", name=robot.name)
    _write_inertial(
        ET.SubElement(output, "link", name="base"), np.zeros(3), np.eye(3), 1.0, np.ones(3)
    )
    for index, name in enumerate(robot.joint_names):
        _write_joint(output, robot, index)
        lump = _Lump()
        for link, pose in urdf.carried_by(child_of[name], robot.joint_names):
            if link in inertials:
                lump.add(inertials[link], pose)
        _write_link(output, name, lump, urdf.source)
    gravity = urdf.pose_of(robot.base_link)[:3, :3].T @ _GRAVITY_WORLD
    return Dynamics(urdf_text=ET.tostring(output, encoding="unicode"), gravity=gravity)


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


def _write_link(output: ET.Element, name: str, lump: _Lump, source: str) -> None:
    if lump.mass <= 0.0:
        raise RobotError(
            f"{source}: nothing that joint '{name}' carries has a mass: add an <inertial> to its "
            "link"
        )
    centre = lump.moment / lump.mass
    moments, axes = np.linalg.eigh(lump.inertia - lump.mass * _steiner(centre))
    axes[:, 2] *= np.sign(np.linalg.det(axes))
    _write_inertial(ET.SubElement(output, "link", name=name), centre, axes, lump.mass, moments)


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


def _transform(origin: ET.Element | None) -> Array:
    pose = np.eye(4)
    if origin is not None:
        pose[:3, 3] = _numbers(origin.get("xyz", "0 0 0"))
        pose[:3, :3] = rotation_from_rpy(_numbers(origin.get("rpy", "0 0 0")))
    return pose


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]


def _text(values: Array) -> str:
    return " ".join(repr(value) for value in values.tolist())


def _steiner(offset: Array) -> Array:
    """Return the inertia (3, 3) m² of a unit mass at `offset` (3,) m."""
    return (offset @ offset) * np.eye(3) - np.outer(offset, offset)


def _inertia_matrix(element: ET.Element) -> Array:
    xx, xy, xz, yy, yz, zz = (
        float(element.get(key, "0")) for key in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")
    )
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def _child(parent: ET.Element, tag: str) -> ET.Element:
    child = parent.find(tag)
    if child is None:
        raise RobotError(f"URDF has an <{parent.tag}> without <{tag}>: add it")
    return child
