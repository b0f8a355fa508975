"""A bag in the place of an arm: its joint states and targets, published as if they were of now."""

from __future__ import annotations

import time
from collections.abc import Collection

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState

from sinew_core.bags.bag import STATE
from sinew_core.deployment.playback import Playback
from sinew_policy.connections import listeners
from sinew_ros.qos import RELIABLE
from sinew_ros.stamps import set_stamp


class RecordedArm:
    """Publishes a bag; after its end the arm rests where it was last, until nobody needs it."""

    def __init__(
        self,
        node: Node,
        bag: str,
        state_topic: str,
        *,
        gives_targets: bool,
        awaited: Collection[str],
    ) -> None:
        """Open the bag, whose topics are named as those of `node` unless said otherwise.

        It begins once all `awaited`, nodes by their full names, subscribe the joint states.

        Raises:
            BagError: it cannot be read, or has no joint states on that topic.
        """
        self._node = node
        self._playback = Playback(
            bag,
            state_topic=state_topic or node.resolve_topic_name("joint_states"),
            target_topic="" if gives_targets else node.resolve_topic_name("target_pose"),
        )
        self._states = node.create_publisher(JointState, "joint_states", RELIABLE)
        self._awaited = set(awaited)
        self._targets = node.create_publisher(PoseStamped, "target_pose", RELIABLE)
        self._last = b""
        self._rest: JointState | None = None

    @property
    def ended(self) -> bool:
        """Whether every message was published."""
        return self._playback.ended

    def play(self) -> None:
        """Publish what is due; call it often."""
        if self._awaited:
            self._awaited -= set(listeners(self._node, "joint_states"))
            return
        clock_ns = self._node.get_clock().now().nanoseconds
        if self.ended:
            self._hold(clock_ns)
            return
        for kind, data in self._playback.due(time.monotonic(), clock_ns):
            if kind == STATE:
                self._last = data
                self._states.publish(data)
            else:
                self._targets.publish(data)

    def close(self) -> None:
        """Close the bag."""
        self._playback.close()

    def _hold(self, clock_ns: int) -> None:
        if not self._last:
            return
        if self._rest is None:
            self._rest = deserialize_message(self._last, JointState)
            self._rest.velocity = [0.0] * len(self._rest.name)
        set_stamp(self._rest.header.stamp, clock_ns)
        self._states.publish(self._rest)
