"""Targets that the deployment itself gives."""

from __future__ import annotations

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node

from sinew_core.deployment.targets import TargetRun
from sinew_ros.qos import RELIABLE
from sinew_ros.stamps import set_stamp


class GivenTargets:
    """Publishes the target of a run, again and again, for a policy that is started anew.

    Attributes:
        run: judges them.
    """

    def __init__(self, node: Node, run: TargetRun, frame: str) -> None:
        """Open the topic; `frame` is the base as the policy calls it."""
        self.run = run
        self._node = node
        self._message = PoseStamped()
        self._message.header.frame_id = frame
        self._message.pose.orientation.w = 1.0
        self._publisher = node.create_publisher(PoseStamped, "target_pose", RELIABLE)

    def publish(self) -> None:
        """Publish the target in force."""
        set_stamp(self._message.header.stamp, self._node.get_clock().now().nanoseconds)
        point = self._message.pose.position
        point.x, point.y, point.z = self.run.target
        self._publisher.publish(self._message)
