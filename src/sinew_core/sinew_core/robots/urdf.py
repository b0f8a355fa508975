"""Reading the serial chain and its limits from a URDF, with the standard library's XML parser."""

from __future__ import annotations

import dataclasses
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence

import numpy as np

from sinew_core.errors import RobotError, suggest
from sinew_core.robots.arrays import Array
from sinew_core.robots.kinematics import KinematicChain

_ACTUATED = ("revolute", "continuous")
_NAMES = {"name", "link", "joint"}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class UrdfJoint:
    """One joint of a URDF.

    Attributes:
        origin: (4, 4) fixed transform from the parent link.
        axis: (3,) in the joint's frame.
        limits: those attributes of `<limit>` that the file gives: lower, upper, velocity, effort.
    """

    name: str
    kind: str
    parent: str
    child: str
    origin: Array
    axis: Array
    limits: dict[str, float]
    is_mimic: bool


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Urdf:
    """The tree of a URDF: its links in order, and each link's joint to its parent."""

    source: str
    text: str
    links: tuple[str, ...]
    joint_by_child: dict[str, UrdfJoint]

    def root(self) -> str:
        """Return the one link without a parent; raise `RobotError` when there is not one."""
        roots = [link for link in self.links if link not in self.joint_by_child]
        if len(roots) != 1:
            found = ", ".join(roots) or "none"
            raise RobotError(f"{self.source}: root links {found}: expected exactly one")
        return roots[0]

    def leaf(self) -> str:
        """Return the one link without a child; raise `RobotError` when there is not one."""
        parents = {joint.parent for joint in self.joint_by_child.values()}
        leaves = [link for link in self.links if link not in parents]
        if len(leaves) != 1:
            raise RobotError(
                f"{self.source}: tool_link is needed: "
                f"choose one of {', '.join(leaves or self.links)}"
            )
        return leaves[0]

    def joints_between(self, base_link: str, tool_link: str) -> list[UrdfJoint]:
        """Return all joints from base to tool, the fixed ones too.

        Raises:
            RobotError: for unknown links, and when the tool does not hang from the base.
        """
        for role, link in (("base_link", base_link), ("tool_link", tool_link)):
            if link not in self.links:
                raise RobotError(
                    f"{self.source}: {role} '{link}' is no link: {suggest(link, self.links)}"
                )
        joints: list[UrdfJoint] = []
        link = tool_link
        while link != base_link:
            joint = self.joint_by_child.get(link)
            if joint is None or joint in joints:
                raise RobotError(
                    f"{self.source}: no serial chain from '{base_link}' to '{tool_link}': "
                    f"going up from the tool ends at '{link}'; "
                    "choose a base_link above the tool_link"
                )
            joints.append(joint)
            link = joint.parent
        return joints[::-1]

    def pose_of(self, link: str) -> Array:
        """Return the pose (4, 4) of a link in the frame of the root, all joints at zero."""
        pose = np.eye(4)
        while link in self.joint_by_child:
            joint = self.joint_by_child[link]
            pose = joint.origin @ pose
            link = joint.parent
        return pose

    def carried_by(self, carrier: str, driven: Sequence[str]) -> Iterator[tuple[str, Array]]:
        """Yield (link, pose (4, 4) in the carrier's frame) of a link and of all that moves with it.

        What hangs from joints that are not `driven` moves with it: fixed joints, and joints that no
        policy drives (fingers), held at zero.
        """
        pending = [(carrier, np.eye(4))]
        while pending:
            link, pose = pending.pop()
            yield link, pose
            pending += [
                (child, pose @ joint.origin)
                for child, joint in self.joint_by_child.items()
                if joint.parent == link and joint.name not in driven
            ]


def parse_urdf(text: str, source: str) -> Urdf:
    """Read links and joints.

    Args:
        text: the URDF's content.
        source: how errors name it, such as its path.

    Raises:
        RobotError: for anything that is not a well-formed URDF.
    """
    try:
        root = ET.fromstring(text)
    except (ET.ParseError, ValueError, UnicodeError) as error:
        raise RobotError(f"{source} does not parse as XML ({error}): give a URDF file") from None
    if root.tag != "robot":
        raise RobotError(f"{source}: root element <{root.tag}>: expected <robot>, as in a URDF")
    links = tuple(_attribute(e, "name", source, "link") for e in root.findall("link"))
    _refuse_repeated(links, source, "link")
    if not links:
        raise RobotError(f"{source} has no <link>: give a URDF file (expand xacro first)")
    joints = [_parse_joint(element, source) for element in root.findall("joint")]
    _refuse_repeated([joint.name for joint in joints], source, "joint")
    return Urdf(
        source=source, text=text, links=links, joint_by_child=_by_child(joints, links, source)
    )


def chain_between(
    urdf: Urdf, base_link: str, tool_link: str
) -> tuple[KinematicChain, tuple[UrdfJoint, ...]]:
    """Return the kinematic chain from base to tool and its actuated joints in order.

    Raises:
        RobotError: for a joint that is not revolute, continuous or fixed, or follows another.
    """
    fixed = np.eye(4)
    origins: list[Array] = []
    actuated: list[UrdfJoint] = []
    for joint in urdf.joints_between(base_link, tool_link):
        fixed = fixed @ joint.origin
        if joint.kind == "fixed":
            continue
        _refuse_unsupported(joint, urdf.source)
        origins.append(fixed)
        actuated.append(joint)
        fixed = np.eye(4)
    if not actuated:
        raise RobotError(
            f"{urdf.source}: no joint moves between '{base_link}' and '{tool_link}': "
            "choose links with revolute joints between them"
        )
    axes = np.array([joint.axis for joint in actuated])
    chain = KinematicChain(origins=np.array(origins), axes=axes, tool=fixed)
    return chain, tuple(actuated)


def _refuse_unsupported(joint: UrdfJoint, source: str) -> None:
    if joint.kind not in _ACTUATED:
        raise RobotError(
            f"{source}: joint '{joint.name}' is {joint.kind}: expected revolute, continuous or "
            "fixed between base and tool; make it fixed or choose a tool_link before it"
        )
    if joint.is_mimic:
        raise RobotError(
            f"{source}: joint '{joint.name}' mimics another: expected independent joints between "
            "base and tool; make it fixed or choose a tool_link before it"
        )


def _by_child(
    joints: Sequence[UrdfJoint], links: Sequence[str], source: str
) -> dict[str, UrdfJoint]:
    by_child: dict[str, UrdfJoint] = {}
    for joint in joints:
        for link in (joint.parent, joint.child):
            if link not in links:
                raise RobotError(
                    f"{source}: joint '{joint.name}' names the unknown link '{link}': "
                    f"{suggest(link, links)}"
                )
        if joint.child in by_child:
            other = by_child[joint.child].name
            raise RobotError(
                f"{source}: link '{joint.child}' hangs from two joints, '{other}' and "
                f"'{joint.name}': expected a tree; remove one"
            )
        by_child[joint.child] = joint
    return by_child


def _parse_joint(element: ET.Element, source: str) -> UrdfJoint:
    name = _attribute(element, "name", source, "joint")
    what = f"{source}: joint '{name}'"
    axis = element.find("axis")
    xyz = np.array(
        [1.0, 0.0, 0.0] if axis is None else three_numbers(axis, "xyz", what, (1.0, 0.0, 0.0))
    )
    kind = _attribute(element, "type", source, f"joint '{name}'")
    length = math.hypot(*xyz.tolist())
    if kind != "fixed" and not 1e-6 < length < 1e6:
        raise RobotError(f"{what}: axis {xyz.tolist()}: expected a vector of length 1")
    return UrdfJoint(
        name=name,
        kind=kind,
        parent=_child_link(element, "parent", what),
        child=_child_link(element, "child", what),
        origin=origin_transform(element.find("origin"), what),
        axis=xyz,
        limits=_limits(element.find("limit"), what),
        is_mimic=element.find("mimic") is not None,
    )


def _limits(element: ET.Element | None, what: str) -> dict[str, float]:
    if element is None:
        return {}
    keys = ("lower", "upper", "velocity", "effort")
    return {
        k: one_number(element.attrib[k], f"{what}: limit {k}") for k in keys if k in element.attrib
    }


def origin_transform(element: ET.Element | None, what: str) -> Array:
    """Return the transform (4, 4) of an `<origin>`, the identity where there is none.

    Raises:
        RobotError: its attributes are not three finite numbers each; `what` names the owner.
    """
    transform = np.eye(4)
    if element is None:
        return transform
    transform[:3, 3] = three_numbers(element, "xyz", what, (0.0, 0.0, 0.0))
    transform[:3, :3] = rotation_from_rpy(three_numbers(element, "rpy", what, (0.0, 0.0, 0.0)))
    return transform


def rotation_from_rpy(rpy_rad: Sequence[float]) -> Array:
    """Return the rotation (3, 3) of URDF's roll, pitch, yaw: Rz(yaw) Ry(pitch) Rx(roll)."""
    (sr, sp, sy), (cr, cp, cy) = ([f(a) for a in rpy_rad] for f in (math.sin, math.cos))
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def three_numbers(
    element: ET.Element, key: str, what: str, default: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Return the three numbers of an attribute, or the default where it is absent.

    Raises:
        RobotError: they are not three finite numbers; `what` names the owner.
    """
    text = element.get(key)
    if text is None:
        return default
    words = text.split()
    if len(words) != 3:
        raise RobotError(f"{what}: {element.tag} {key} is '{text}': expected three numbers")
    x, y, z = (one_number(word, f"{what}: {element.tag} {key}") for word in words)
    return x, y, z


def one_number(text: str, what: str) -> float:
    """Return the number of a text; raise `RobotError`, which names `what`, for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RobotError(f"{what} is '{text}': expected a finite number")
    return value


def _child_link(element: ET.Element, tag: str, what: str) -> str:
    child = element.find(tag)
    link = None if child is None else child.get("link")
    if not link:
        raise RobotError(f"{what} has no <{tag} link=...>: add it")
    return link


def _attribute(element: ET.Element, key: str, source: str, what: str) -> str:
    value = element.get(key)
    if not value:
        raise RobotError(f"{source}: a {what} has no {key}: add it")
    return value


def _refuse_repeated(names: Sequence[str], source: str, what: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise RobotError(f"{source}: {what} names used twice: {', '.join(repeated)}: rename one")


def without_prefix(text: str, prefix: str) -> str:
    """Return a URDF whose links and joints do not have a driver's prefix; others as they are."""
    if not prefix:
        return text
    try:
        root = ET.fromstring(text)
    except (ET.ParseError, ValueError, UnicodeError):
        return text
    for element in root.iter():
        for key in _NAMES & element.attrib.keys():
            element.set(key, element.attrib[key].removeprefix(prefix))
    return ET.tostring(root, encoding="unicode")
