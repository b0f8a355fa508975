"""A node that sends every joint state back as it came: what two bare hops cost on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sensor_msgs.msg import JointState

from sinew_ros.main import SinewNode, run_node
from sinew_ros.qos import RELIABLE, state_subscription

TOPIC = "echo"


class Echo(SinewNode):
    """Send bytes back, at the priority of the policy and the filter."""

    urgent = True

    def __init__(self) -> None:
        """Open the topics."""
        super().__init__("echo")
        self._back = self.create_publisher(JointState, TOPIC, RELIABLE)
        qos = state_subscription(lockstep=False)
        self.create_subscription(JointState, "joint_states", self._echo, qos, raw=True)

    def _echo(self, data: bytes) -> None:
        self._back.publish(data)


def main(args: Sequence[str] | None = None) -> int:
    """Run the echo."""
    return run_node(Echo, args)


if __name__ == "__main__":
    sys.exit(main())
