"""Poses in the base frame: what a message holds, and which are refused."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from geometry_msgs.msg import Pose, PoseStamped

from sinew_ros.stamps import stamp_ns

_UNIT_SLACK = 1e-3


class PoseInput:
    """The latest pose of a topic.

    Attributes:
        position: (x, y, z) m in the base frame; empty before the first.
        pose: (7,) position and unit quaternion (w, x, y, z); empty before the first.
        stamp_ns: of the message.
        rejected: messages that were refused.
    """

    def __init__(self, topic: str, frames: Sequence[str], *, oriented: bool) -> None:
        """Accept these frames, the last of them by name; `oriented` poses need a rotation."""
        self.position: tuple[float, ...] = ()
        self.pose: tuple[float, ...] = ()
        self.stamp_ns = 0
        self.rejected = 0
        self._topic = topic
        self._frames: Collection[str] = tuple(frames)
        self._frame = frames[-1]
        self._oriented = oriented

    def take(self, message: PoseStamped) -> str | None:
        """Keep a message; return what is wrong with one that is refused."""
        point, turn = message.pose.position, message.pose.orientation
        position = (point.x, point.y, point.z)
        rotation = (turn.w, turn.x, turn.y, turn.z)
        frame = message.header.frame_id
        if frame not in self._frames or not all(map(math.isfinite, position)):
            self.rejected += 1
            return (
                f"{self._topic} {position} in frame '{frame}' is rejected: "
                f"give finite metres in frame '{self._frame}'"
            )
        if self._oriented and not abs(math.hypot(*rotation) - 1.0) < _UNIT_SLACK:
            self.rejected += 1
            return (
                f"{self._topic} has the orientation {rotation} (w, x, y, z), which is rejected: "
                "give a unit quaternion"
            )
        self.position, self.pose = position, (*position, *rotation)
        self.stamp_ns = stamp_ns(message.header.stamp)
        return None

    def age_ns(self, now_ns: int) -> int:
        """Return how far the stamp is from another, before or after it."""
        return abs(now_ns - self.stamp_ns)


def set_pose(pose: Pose, values: Sequence[float]) -> None:
    """Write (7,) position in m and quaternion (w, x, y, z) into a message."""
    point, turn = pose.position, pose.orientation
    point.x, point.y, point.z, turn.w, turn.x, turn.y, turn.z = values
