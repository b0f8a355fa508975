"""What the safety filter publishes: commands with their record, interventions, configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from rclpy.event_handler import PublisherEventCallbacks
from std_msgs.msg import Float64MultiArray, String
from trajectory_msgs.msg import JointTrajectory

from sinew_core.controllers import interface_name
from sinew_core.errors import ConfigError
from sinew_core.robots.model import RobotModel
from sinew_core.safety.filter import Cause, FilterResult
from sinew_core.safety.record import RecordedMode, text_check
from sinew_ros.controller import ControllerQuestions, Reading, when_done
from sinew_ros.main import SinewNode
from sinew_ros.messages import InterventionMessage
from sinew_ros.qos import LATCHED, RELIABLE, controller_command, incompatible_subscribers
from sinew_ros.raw import ControllerCommandWriter, OrderedCommandWriter, TrajectoryWriter
from sinew_ros.stamps import NS_PER_S
from sinew_safety.configuration import FilterConfiguration

_NAMES = {cause: cause.name.lower() for cause in Cause}
Writer = ControllerCommandWriter | TrajectoryWriter


class Outputs:
    """The publishers of the node, and the command mode whose outputs they carry.

    Attributes:
        mode: for the supervisor.
        topic: of the commands.
        lost: is called with the reason when the controller is found changed, or gone.
        refusal: why nothing is sent to the controller, in one sentence; else ''.
    """

    def __init__(
        self, node: SinewNode, configuration: FilterConfiguration, robot: RobotModel
    ) -> None:
        """Open the topics and publish the configuration."""
        own = configuration.node
        text = configuration.to_yaml(robot)
        mode, scaling = configuration.make_mode(robot)
        self.mode = RecordedMode(mode, scaling, robot.n_joints, text_check(text))
        self.topic = configuration.outputs_topic
        self.lost: Callable[[str], None] = _ignore
        self._node, self._robot, self._found = node, robot, configuration
        self._qos = controller_command(lockstep=configuration.lockstep)
        self._intervention = InterventionMessage(configuration.prefixed(robot), own.mode)
        reads = own.controller_joints == "read" and not own.shadow
        named = configuration.controller
        self._questions = ControllerQuestions(node, named, own.adapter) if reads else None
        kind = JointTrajectory if own.adapter == "trajectory" else Float64MultiArray
        # Whoever subscribes anew may be a controller with another order.
        events = PublisherEventCallbacks(matched=self._matched) if reads else None
        self._commands = node.create_publisher(kind, self.topic, self._qos, event_callbacks=events)
        self._interventions = node.create_publisher(JointTrajectory, "~/interventions", RELIABLE)
        self._configuration = node.create_publisher(String, "~/configuration", LATCHED)
        self._configuration.publish(String(data=text))
        self._writer = _writer(configuration, robot)
        self.refusal = ""
        self._publish: Callable[[bytes], None] = self._commands.publish
        if self._questions is not None:
            self._refuse(f"controller {self._questions.name} has not told what it takes yet")

    async def obstacles(self) -> list[str]:
        """Return why the outputs do not reach the driver, one sentence each."""
        if self._found.node.shadow:
            return []
        problems = incompatible_subscribers(self._node, self.topic, self._qos)
        if self._questions is not None:
            refusal = self._heed(await self._questions.ask())
            problems.extend([refusal] if refusal else [])
        return problems

    def repeat(self) -> None:
        """Publish the last output again."""
        self._publish(self._writer.last)

    def send(self, output: tuple[float, ...], state_stamp: int, command_stamp: int) -> None:
        """Publish an output (n,), and what was changed."""
        record, result = self.mode.take()
        self._publish(self._writer.write(output, state_stamp, command_stamp, record))
        if result is not None and result.intervened:
            self._report(state_stamp, result)

    def _report(self, state_stamp: int, result: FilterResult) -> None:
        causes = [_NAMES[cause] for cause in result.causes]
        answer = self.mode.answer or ()
        self._interventions.publish(
            self._intervention.fill(state_stamp, self.mode.asked, answer, causes)
        )

    def _matched(self, _status: object) -> None:
        """Ask again."""
        if self._questions is not None:
            when_done(self._questions.ask(), self._heed)

    def _heed(self, reading: Reading) -> str:
        """Take what the controller says now; return '' or what is wrong.

        Whoever asked: an arm in motion whose outputs are dropped, or reordered, is to be stopped.
        """
        before = self._found.controller_joints
        refusal = self._take(reading)
        if refusal and (reading.joints or not self._commands.get_subscription_count()):
            self.lost(refusal)
        elif before and not refusal and self._found.controller_joints != before:
            self.lost(f"controller {self._found.controller} has its joints in another order now")
        return refusal

    def _take(self, reading: Reading) -> str:
        """Send in the order that was read, or nothing any more; return '' or what is wrong.

        A controller that is only late to answer goes on to hear what it heard. One that says that
        it takes another unit, or other joints, hears nothing more, not even what brakes: forward
        controllers cannot change that without being configured anew, by which they drop what they
        were sent, and would take a braking velocity for a position.
        """
        if reading.problem:
            if not self._commands.get_subscription_count():
                self._refuse(reading.problem)
            return reading.problem
        if misfit := self._misfit(reading.interface):
            return self._refuse(misfit)
        found = dataclasses.replace(self._found, controller_joints=reading.joints)
        try:
            writer = _writer(found, self._robot)
        except ConfigError as error:
            return self._refuse(str(error))
        if found != self._found:
            text = found.to_yaml(self._robot)
            self._configuration.publish(String(data=text))
            self.mode.configure(text_check(text))
            self._found, self._writer = found, writer
        self._publish, self.refusal = self._commands.publish, ""
        return ""

    def _misfit(self, interface: str) -> str:
        """Return why a forward controller of this interface may not hear the outputs, or ''."""
        sent = interface_name(self._found.node.sent_mode)
        if interface in ("", sent):
            return ""
        return (
            f"controller {self._found.controller} takes {interface} commands, the filter sends "
            f"{sent}: name a controller that takes {sent}, or change mode, adapter or output"
        )

    def _refuse(self, reason: str) -> str:
        """Send nothing for this reason; return it."""
        self._publish, self.refusal = _drop, reason
        return reason


def _writer(configuration: FilterConfiguration, robot: RobotModel) -> Writer:
    """Return the writer for the controller's joints, the robot's while they are not known.

    Raises:
        ConfigError: they do not fit the robot.
    """
    order = configuration.order(robot) or tuple(range(robot.n_joints))
    own = configuration.node
    if own.adapter == "trajectory":
        names = configuration.prefixed(robot)
        time_ns = round(own.point_time_s * NS_PER_S)
        return TrajectoryWriter([names[i] for i in order], order, time_ns)
    if list(order) == sorted(order):
        return ControllerCommandWriter(robot.n_joints)
    return OrderedCommandWriter(order)


def _drop(_data: bytes) -> None:
    """Send nothing to a controller whose order or unit is not known, or is another."""


def _ignore(_reason: str) -> None:
    """Until the node listens."""
