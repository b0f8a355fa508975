"""A source of constant velocity commands, to be killed."""

from __future__ import annotations

import sys

from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from sinew_ros.main import SinewNode, run_node
from sinew_ros.messages import CommandMessage
from sinew_ros.qos import RELIABLE, STATE_SUBSCRIPTION
from sinew_ros.stamps import stamp_ns


class Source(SinewNode):
    """Answer every joint state with 0.2 rad/s."""

    def __init__(self) -> None:
        super().__init__("source")
        self.publisher = self.create_publisher(JointTrajectory, "policy/command", RELIABLE)
        self.create_subscription(JointState, "joint_states", self.answer, STATE_SUBSCRIPTION)

    def answer(self, state: JointState) -> None:
        message = CommandMessage(state.name, "joint_velocity", "source", 0.04)
        values = [0.2] * len(state.name)
        self.publisher.publish(message.fill(stamp_ns(state.header.stamp), values))


if __name__ == "__main__":
    sys.exit(run_node(Source))
