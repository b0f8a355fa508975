"""The robot description as the driver of an emulated arm publishes it."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree


def published_description(
    urdf_text: str, prefix: str = "", endless_joints: Sequence[str] = ()
) -> str:
    """Return a URDF with a prefix in front of links and joints, and joints without ends.

    Args:
        urdf_text: the robot's.
        prefix: as `tf_prefix` of Universal Robots' driver.
        endless_joints: without the prefix; they become `continuous`, without a range.
    """
    if not prefix and not endless_joints:
        return urdf_text
    root = ElementTree.fromstring(urdf_text)
    for joint in root.findall("joint"):
        limit = joint.find("limit")
        if joint.get("name") in endless_joints:
            joint.set("type", "continuous")
            for end in ("lower", "upper"):
                if limit is not None:
                    limit.attrib.pop(end, None)
        for element, key in (("parent", "link"), ("child", "link"), ("mimic", "joint")):
            found = joint.find(element)
            if found is not None:
                found.set(key, prefix + found.get(key, ""))
    for kind in ("link", "joint"):
        for named in root.findall(kind):
            named.set("name", prefix + named.get("name", ""))
    return ElementTree.tostring(root, encoding="unicode")
