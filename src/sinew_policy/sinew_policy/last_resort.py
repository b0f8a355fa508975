"""The deployment node in the place of a safety filter that no longer sends."""

from __future__ import annotations

from rclpy.node import Node
from std_msgs.msg import Float64MultiArray, MultiArrayDimension

from sinew_core.deployment.last_resort import StopRamp
from sinew_ros.qos import CONTROLLER_COMMAND
from sinew_ros.raw import read_controller_command

LABEL = "last resort"
"""Of `layout.dim[0]`, by which these commands are told from the filter's."""


class LastResort:
    """Brakes an arm that was last sent a velocity, as long as nobody else sends."""

    def __init__(
        self, node: Node, topic: str, *, deceleration_rad_s2: float, period_s: float
    ) -> None:
        """Open the topic, so that the controller knows it before it is needed."""
        self._commands = node.create_publisher(Float64MultiArray, topic, CONTROLLER_COMMAND)
        self._deceleration, self._period_s = deceleration_rad_s2, period_s
        self._ramp: StopRamp | None = None

    @property
    def brakes(self) -> bool:
        """Whether it has taken over."""
        return self._ramp is not None

    @staticmethod
    def moves(output: bytes) -> bool:
        """Tell whether an arm with this output moves on."""
        return any(read_controller_command(output)[1])

    def brake(self, last_output: bytes) -> None:
        """Send the next velocity after the filter's last output; call it once a period."""
        if self._ramp is None:
            _, velocity = read_controller_command(last_output)
            self._ramp = StopRamp(
                velocity, deceleration_rad_s2=self._deceleration, period_s=self._period_s
            )
        if not self._ramp.complete:
            message = Float64MultiArray(data=self._ramp.next())
            message.layout.dim = [MultiArrayDimension(label=LABEL)]
            self._commands.publish(message)

    def rest(self) -> None:
        """Be ready for the next time."""
        self._ramp = None
