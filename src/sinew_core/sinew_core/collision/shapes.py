"""Collision shapes of a robot's links, read from its URDF."""

from __future__ import annotations

import dataclasses
import enum
import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sinew_core.errors import RobotError
from sinew_core.robots.arrays import Array
from sinew_core.robots.kinematics import rotation_from_z
from sinew_core.robots.model import RobotModel
from sinew_core.robots.urdf import Urdf, one_number, origin_transform, parse_urdf, three_numbers

if TYPE_CHECKING:
    from sinew_core.collision.meshes import Hull

WITHOUT_SHAPES = "set self_collision:=false floor:=false and no forbidden_boxes_m"
"""The last remedy for a shape that cannot be used."""

_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_SIDES = 128
"""Corners of the polygon around a cylinder's rim: 0.03 % larger than the rim."""


class ShapeKind(enum.Enum):
    """What a shape is, and so what the numbers of its size mean."""

    BOX = "box"
    CYLINDER = "cylinder"
    SPHERE = "sphere"
    HULL = "hull"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """A convex shape that a body carries.

    Attributes:
        size_m: a box's edges, a cylinder's radius and length, a sphere's radius; none of a hull.
        pose: (4, 4) of its centre in the frame of the body.
        hull: corners about the centre and triangles, of a hull only.
    """

    kind: ShapeKind
    size_m: tuple[float, ...]
    pose: Array
    hull: Hull | None = None

    @property
    def radius_m(self) -> float:
        """Radius of the sphere about the centre that holds the shape."""
        if self.kind is ShapeKind.SPHERE:
            return self.size_m[0]
        if self.kind is ShapeKind.CYLINDER:
            return math.hypot(self.size_m[0], 0.5 * self.size_m[1])
        margin_m = 0.0 if self.hull is None else self.hull.margin_m
        return float(np.linalg.norm(self._corners(), axis=1).max()) + margin_m

    def corners_m(self) -> Array:
        """Return points (k, 3) m, in the body's frame, whose convex hull moves as the shape does.

        A sphere moves as its centre does, and a hull with a margin as the hull without.
        """
        return np.asarray(self._corners() @ self.pose[:3, :3].T + self.pose[:3, 3])

    def _corners(self) -> Array:
        if self.kind is ShapeKind.SPHERE:
            return np.zeros((1, 3))
        if self.kind is ShapeKind.BOX:
            return _CORNERS * self.size_m
        if self.hull is not None:
            return self.hull.corners_m
        radius, length = self.size_m
        angles = np.arange(_SIDES) * (2.0 * math.pi / _SIDES)
        outer = radius / math.cos(math.pi / _SIDES)
        rim = np.stack([outer * np.cos(angles), outer * np.sin(angles), np.zeros(_SIDES)], axis=1)
        end = np.array([0.0, 0.0, 0.5 * length])
        return np.concatenate([rim + end, rim - end])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """A link with shapes, or a box in the base frame.

    Attributes:
        body: 0 for what is fixed to the base, i for what moves with the i-th joint.
        neighbour: name of the link that carries this one across one driven joint; "" for none.
    """

    name: str
    body: int
    neighbour: str
    shapes: tuple[Shape, ...]


def read_links(robot: RobotModel) -> tuple[Link, ...]:
    """Return the links that have collision shapes, from the base outwards.

    Shapes are in the frame of the body that carries them: the base frame, or the joint's frame of
    `KinematicChain.joint_frames`.

    Raises:
        RobotError: for shapes that are none, and meshes that cannot be loaded.
    """
    urdf = parse_urdf(robot.urdf_text, f"URDF of {robot.name}")
    elements = {
        link.get("name", ""): link.findall("collision")
        for link in ET.fromstring(robot.urdf_text).findall("link")
    }
    links = []
    for body in range(robot.n_joints + 1):
        carrier, to_body = _carrier(urdf, robot, body)
        for link, pose in urdf.carried_by(carrier, robot.joint_names):
            if elements[link]:
                what = f"{urdf.source}: link '{link}'"
                shapes = [_shape(element, to_body @ pose, what) for element in elements[link]]
                neighbour = _neighbour(urdf, link, robot.joint_names, elements)
                links.append(Link(name=link, body=body, neighbour=neighbour, shapes=tuple(shapes)))
    return tuple(links)


def moving_links(robot: RobotModel) -> tuple[str, ...]:
    """Return the links that hang directly from the driven joints, in order."""
    urdf = parse_urdf(robot.urdf_text, f"URDF of {robot.name}")
    child_of = {joint.name: link for link, joint in urdf.joint_by_child.items()}
    return tuple(child_of[name] for name in robot.joint_names)


def box_link(name: str, lower_m: Sequence[float], upper_m: Sequence[float]) -> Link:
    """Return a box in the base frame as a link that does not move."""
    lower, upper = np.array(lower_m), np.array(upper_m)
    pose = np.eye(4)
    pose[:3, 3] = 0.5 * (lower + upper)
    size = tuple((upper - lower).tolist())
    shape = Shape(kind=ShapeKind.BOX, size_m=size, pose=pose)
    return Link(name=name, body=0, neighbour="", shapes=(shape,))


def _carrier(urdf: Urdf, robot: RobotModel, body: int) -> tuple[str, Array]:
    """Return a body's first link and the transform (4, 4) from that link's frame to the body's."""
    if body == 0:
        return urdf.root(), np.asarray(np.linalg.inv(urdf.pose_of(robot.base_link)), np.float64)
    links = moving_links(robot)
    to_body = np.eye(4)
    to_body[:3, :3] = rotation_from_z(robot.chain.axes[body - 1]).T
    return links[body - 1], to_body


def _neighbour(
    urdf: Urdf, link: str, driven: Sequence[str], elements: dict[str, list[ET.Element]]
) -> str:
    """Return the nearest link with shapes above `link`, if one driven joint lies between."""
    crossed = 0
    while link in urdf.joint_by_child:
        joint = urdf.joint_by_child[link]
        crossed += joint.name in driven
        link = joint.parent
        if elements[link]:
            return link if crossed == 1 else ""
    return ""


def _shape(element: ET.Element, pose: Array, what: str) -> Shape:
    """Read one `<collision>`; `pose` (4, 4) is its link's in the frame of the body."""
    what = f"{what}: collision"
    pose = pose @ origin_transform(element.find("origin"), what)
    geometry = element.find("geometry")
    kinds = [] if geometry is None else list(geometry)
    tag = kinds[0].tag if len(kinds) == 1 else ""
    if tag == "box":
        size = three_numbers(kinds[0], "size", what, (0.0, 0.0, 0.0))
        return Shape(kind=ShapeKind.BOX, size_m=_positive(size, "size", what), pose=pose)
    if tag in ("cylinder", "sphere"):
        keys = ("radius", "length") if tag == "cylinder" else ("radius",)
        size_m = tuple(one_number(kinds[0].get(k, "0"), f"{what}: {tag} {k}") for k in keys)
        kind = ShapeKind(tag)
        return Shape(kind=kind, size_m=_positive(size_m, " and ".join(keys), what), pose=pose)
    if tag == "mesh":
        # Imported here so that a robot without meshes is read without coal.
        from sinew_core.collision.meshes import load_hull

        scale = three_numbers(kinds[0], "scale", what, (1.0, 1.0, 1.0))
        hull, centre = load_hull(kinds[0].get("filename", ""), scale, what)
        pose = pose.copy()
        pose[:3, 3] += pose[:3, :3] @ centre
        return Shape(kind=ShapeKind.HULL, size_m=(), pose=pose, hull=hull)
    found = ", ".join(kind.tag for kind in kinds) or "nothing"
    raise RobotError(
        f"{what}: geometry is {found}: expected one of box, cylinder, sphere, mesh; replace it, "
        f"or {WITHOUT_SHAPES}"
    )


def _positive(size: tuple[float, ...], keys: str, what: str) -> tuple[float, ...]:
    if min(size) <= 0.0:
        raise RobotError(f"{what}: {keys} is {list(size)} m: expected positive numbers")
    return size
