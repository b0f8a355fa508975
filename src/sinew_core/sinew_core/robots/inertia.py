"""Masses of a robot's URDF, lumped into one body per driven joint.

Links behind fixed joints, and behind joints that no policy drives (fingers, held at zero), belong
to the moving link that carries them. Engines and the arm's own dynamics start from these bodies, so
they cannot disagree about masses.
"""

from __future__ import annotations

import dataclasses
import functools
import xml.etree.ElementTree as ET

import numpy as np

from sinew_core.errors import RobotError
from sinew_core.robots.arrays import Array, frozen_array
from sinew_core.robots.model import RobotModel
from sinew_core.robots.urdf import origin_transform, parse_urdf

_GRAVITY_WORLD = np.array([0.0, 0.0, -9.81])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Body:
    """What one joint carries up to the next, in the frame of the joint.

    Attributes:
        mass: kg, positive.
        moment: mass times centre (3,) kg m.
        inertia: (3, 3) kg m² about the origin of the frame.
    """

    mass: float
    moment: Array
    inertia: Array

    def __post_init__(self) -> None:
        """Freeze the arrays, since bodies are shared."""
        object.__setattr__(self, "moment", frozen_array(self.moment))
        object.__setattr__(self, "inertia", frozen_array(self.inertia))


@functools.lru_cache(maxsize=16)
def carried_bodies(robot: RobotModel) -> tuple[Body, ...]:
    """Return what each driven joint carries, in order.

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
    bodies = []
    for name in robot.joint_names:
        body = Body(mass=0.0, moment=np.zeros(3), inertia=np.zeros((3, 3)))
        for link, pose in urdf.carried_by(child_of[name], robot.joint_names):
            if link in inertials:
                body = _with_link(body, inertials[link], pose)
        if body.mass <= 0.0:
            raise RobotError(
                f"{urdf.source}: nothing that joint '{name}' carries has a mass: add an "
                "<inertial> to its link"
            )
        bodies.append(body)
    return tuple(bodies)


@functools.lru_cache(maxsize=16)
def carrying_links(robot: RobotModel) -> tuple[str, ...]:
    """Return the name of the link that each driven joint moves, in order."""
    urdf = parse_urdf(robot.urdf_text, f"URDF of {robot.name}")
    child_of = {joint.name: link for link, joint in urdf.joint_by_child.items()}
    return tuple(child_of[name] for name in robot.joint_names)


@functools.lru_cache(maxsize=16)
def gravity_in_base(robot: RobotModel) -> Array:
    """Return gravity (3,) m/s² in the base frame, for a URDF whose root stands upright."""
    urdf = parse_urdf(robot.urdf_text, f"URDF of {robot.name}")
    return frozen_array(urdf.pose_of(robot.base_link)[:3, :3].T @ _GRAVITY_WORLD)


def steiner(offset: Array) -> Array:
    """Return the inertia (3, 3) m² of a unit mass at `offset` (3,) m."""
    return (offset @ offset) * np.eye(3) - np.outer(offset, offset)


def _with_link(body: Body, inertial: ET.Element, pose: Array) -> Body:
    """Add what an `<inertial>` of a link at `pose` (4, 4) in the body's frame describes."""
    mass = float(_child(inertial, "mass").get("value", "0"))
    frame = pose @ origin_transform(inertial.find("origin"), "inertial")
    rotation, centre = frame[:3, :3], frame[:3, 3]
    about_centre = rotation @ _inertia_matrix(_child(inertial, "inertia")) @ rotation.T
    return Body(
        mass=body.mass + mass,
        moment=body.moment + mass * centre,
        inertia=body.inertia + (about_centre + mass * steiner(centre)),
    )


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
