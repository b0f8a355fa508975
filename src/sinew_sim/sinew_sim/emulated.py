"""The topics and services of an emulated arm, on the simulated driver."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool

from sinew_core.controllers import TRAJECTORY, interface_name
from sinew_core.errors import ConfigError
from sinew_core.joint_order import joint_order
from sinew_core.robots.model import RobotModel
from sinew_ros.controller import INTERFACE, INTERFACES, JOINTS
from sinew_ros.qos import RELIABLE
from sinew_ros.stamps import set_stamp
from sinew_sim.arm import SimulatedArm
from sinew_sim.controller_host import ControllerHost
from sinew_sim.emulation.arm import EmulatedArm
from sinew_sim.emulation.controller import EmulatedController
from sinew_sim.emulation.guards import make_guard
from sinew_sim.emulation.parameters import ArmParameters
from sinew_sim.emulation.publication import StateLayout, StateMessage, Thinning


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What of the driver's own parameters the emulation depends on.

    Attributes:
        mode: what the commands are.
        adapter: `forward` or `trajectory`, which the controller is.
        controller: its name.
        joint_prefix: in front of the robot's joint names.
        period_s: of the driver.
        topic: of the joint states.
    """

    mode: str
    adapter: str
    controller: str
    joint_prefix: str
    period_s: float
    topic: str = "joint_states"

    def told(self, joints: Sequence[str]) -> dict[str, str | Sequence[str]]:
        """Return the controller's parameters, its joints among them, as ros2_control has them."""
        takes = interface_name(self.mode)
        own = {INTERFACES: [takes]} if self.adapter == TRAJECTORY else {INTERFACE: takes}
        return {JOINTS: joints, **own}


class Emulation:
    """What stands between the driver's topics and the simulated arm.

    Attributes:
        arm: takes commands and advances.
        companions: nodes that run beside the driver's.
    """

    def __init__(
        self,
        node: Node,
        parameters: ArmParameters,
        setting: Setting,
        robot: RobotModel,
        arm: SimulatedArm,
        forget: Callable[[], None],
    ) -> None:
        """Open publishers and services; `forget` drops a trajectory under way.

        Raises:
            ConfigError: joints, order or guard do not fit robot and mode.
        """
        p, prefix = parameters, setting.joint_prefix
        if p.robot not in ("", robot.name):
            raise ConfigError(
                f"arm.robot is {p.robot}, robot {robot.name}: emulate the arm that is simulated"
            )
        if p.guard == "positions" and setting.mode != "joint_position":
            raise ConfigError(
                f"arm.guard is positions, mode {setting.mode}: use mode joint_position"
            )
        self._layout = StateLayout(robot.joint_names, prefix, p)
        joints = p.controller_joints or robot.joint_names
        order = joint_order(joints, robot.joint_names, "arm.controller_joints")
        controller = EmulatedController(order, deactivates=p.on_wrong_length == "deactivate")
        guard = make_guard(p.guard, robot, setting.period_s, setting.mode)
        self.arm = EmulatedArm(arm, controller, guard, follows=p.follows, forget=forget)
        self._simulated, self._controller = arm, controller
        self._name = setting.controller
        self._states = _States(node, setting.topic)
        self._raw = _States(node, p.raw_topic) if p.raw_topic else None
        self._merged = Thinning(p.merged_rate_hz)
        self._told_active = True
        self._host: ControllerHost | None = None
        if p.controller_node:
            told = setting.told([prefix + name for name in joints])
            self._host = ControllerHost(
                setting.controller, node.get_namespace(), told, lambda: controller.active
            )
        node.create_service(SetBool, "~/program_running", self._program)

    @property
    def companions(self) -> tuple[Node, ...]:
        """Nodes that run beside the driver's."""
        return () if self._host is None else (self._host.node,)

    def place(self, driver: Node, topic: str) -> tuple[Node, str]:
        """Return the node that hears the commands on a topic, and what the topic is to it."""
        if self._host is None:
            return driver, topic
        return self._host.node, "~/" + topic.rpartition("/")[2]

    def publish(self, stamp_ns: int) -> None:
        """Publish the present state, unless the connection is closed."""
        if self._controller.active != self._told_active:
            self._told_active = self._controller.active
            if self._host is not None:
                self._host.tell()
        if self.arm.closed:
            return
        arm = self._simulated
        values = arm.position.tolist(), arm.velocity.tolist(), arm.effort.tolist()
        if self._raw is None:
            self._states.publish(stamp_ns, self._layout.messages(*values))
            return
        self._raw.publish(stamp_ns, self._layout.messages(*values, with_extra=False))
        if self._merged.due(stamp_ns):
            self._states.publish(stamp_ns, self._layout.messages(*values))

    def values(self) -> dict[str, object]:
        """Return what diagnostics tell."""
        state = "closed" if self.arm.closed else "active" if self._controller.active else "inactive"
        return {
            "controller": self._name,
            "controller_state": state,
            "stopped": self._controller.reason,
            "commands_ignored": self._controller.ignored,
        }

    @property
    def stopped(self) -> str:
        """Why commands do not reach the arm, else ''."""
        return self._controller.reason

    def _program(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Let the arm's own program run, or not: then its stopper deactivates the controller."""
        if request.data:
            response.message = self.arm.activate()
        else:
            self.arm.deactivate("the arm's program does not run")
        response.success = not response.message
        return response


class _States:
    """Publishes joint states as message objects, which may lack values."""

    def __init__(self, node: Node, topic: str) -> None:
        self._publisher: Publisher = node.create_publisher(JointState, topic, RELIABLE)
        self._message = JointState()

    def publish(self, stamp_ns: int, messages: list[StateMessage]) -> None:
        message = self._message
        set_stamp(message.header.stamp, stamp_ns)
        for each in messages:
            message.name = list(each.names)
            message.position = array("d", each.position)
            message.velocity = array("d", each.velocity)
            message.effort = array("d", each.effort)
            self._publisher.publish(message)
