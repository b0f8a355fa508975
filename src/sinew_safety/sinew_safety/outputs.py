"""What the safety filter publishes: commands with their record, interventions, configuration."""

from __future__ import annotations

from std_msgs.msg import Float64MultiArray, String
from trajectory_msgs.msg import JointTrajectory

from sinew_core.robots.model import RobotModel
from sinew_core.safety.filter import Cause, FilterResult
from sinew_core.safety.record import RecordedMode, text_check
from sinew_ros.main import SinewNode
from sinew_ros.messages import InterventionMessage
from sinew_ros.qos import LATCHED, RELIABLE, controller_command, incompatible_subscribers
from sinew_ros.raw import ControllerCommandWriter
from sinew_safety.configuration import FilterConfiguration

_NAMES = {cause: cause.name.lower() for cause in Cause}


class Outputs:
    """The publishers of the node, and the command mode whose outputs they carry.

    Attributes:
        mode: for the supervisor.
        topic: of the commands.
    """

    def __init__(
        self, node: SinewNode, configuration: FilterConfiguration, robot: RobotModel
    ) -> None:
        """Open the topics and publish the configuration."""
        text = configuration.to_yaml(robot)
        mode, scaling = configuration.make_mode(robot)
        self.mode = RecordedMode(mode, scaling, robot.n_joints, text_check(text))
        self.topic = configuration.commands_topic
        self._node = node
        self._qos = controller_command(lockstep=configuration.lockstep)
        self._writer = ControllerCommandWriter(robot.n_joints)
        self._intervention = InterventionMessage(robot.joint_names, configuration.node.mode)
        self._commands = node.create_publisher(Float64MultiArray, self.topic, self._qos)
        self._interventions = node.create_publisher(JointTrajectory, "~/interventions", RELIABLE)
        self._configuration = node.create_publisher(String, "~/configuration", LATCHED)
        self._configuration.publish(String(data=text))

    def obstacles(self) -> list[str]:
        """Return why the outputs do not reach the driver, one sentence each."""
        return incompatible_subscribers(self._node, self.topic, self._qos)

    def repeat(self) -> None:
        """Publish the last output again."""
        self._commands.publish(self._writer.last)

    def send(self, output: tuple[float, ...], state_stamp: int, command_stamp: int) -> None:
        """Publish an output (n,), and what was changed."""
        record, result = self.mode.take()
        self._commands.publish(self._writer.write(output, state_stamp, command_stamp, record))
        if result is not None and result.intervened:
            self._report(state_stamp, result)

    def _report(self, state_stamp: int, result: FilterResult) -> None:
        causes = [_NAMES[cause] for cause in result.causes]
        self._interventions.publish(
            self._intervention.fill(state_stamp, self.mode.asked, result.command, causes)
        )
