"""The names under which messages call the base of the arm."""

from __future__ import annotations


def pose_frames(base_link: str, joint_prefix: str = "", target_frame: str = "") -> tuple[str, ...]:
    """Return the frames in which targets and poses of an object are taken, the usual one last.

    Args:
        base_link: of the robot file.
        joint_prefix: in front of joints and links in the driver's URDF, as Universal Robots'
            `tf_prefix` is.
        target_frame: the only frame beside an empty one; empty: base link, with the prefix or not.
    """
    if target_frame:
        return ("", target_frame)
    prefixed = joint_prefix + base_link.removeprefix(joint_prefix)
    return tuple(dict.fromkeys(("", base_link, prefixed)))
