"""The node of a ros2_control controller, in the process of the driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from sinew_ros.qos import RELIABLE

ACTIVITY = "controller_manager: Controllers Activity"
_TOPIC = "/diagnostics"
_BROADCASTER = "joint_state_broadcaster"


class ControllerHost:
    """Has the controller's name and parameters, and tells whether it is active.

    The topic `controller_manager/activity` of ros2_control has a type of controller_manager_msgs,
    which is not among the packages of PyPI; the same states are in the controller manager's
    diagnostics, on `/diagnostics` in every namespace, once a second and on change.

    Attributes:
        node: subscribes what the controller takes.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        parameters: Mapping[str, str | Sequence[str]],
        active: Callable[[], bool],
    ) -> None:
        """Create the node with these parameters; a relative name is in the namespace."""
        within, _, own = name.rpartition("/")
        place = within if name.startswith("/") else f"{namespace.rstrip('/')}/{within}"
        # Global arguments are the driver's: they would give this node the driver's name.
        self.node = Node(
            own,
            namespace=place.rstrip("/") or "/",
            use_global_arguments=False,
            enable_rosout=False,
        )
        for parameter, value in parameters.items():
            self.node.declare_parameter(parameter, value)
        self._active = active
        self._publisher = self.node.create_publisher(DiagnosticArray, _TOPIC, RELIABLE)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.node.create_timer(1.0, self.tell, clock=steady)

    def tell(self) -> None:
        """Publish the states of the controllers."""
        state = "active" if self._active() else "inactive"
        states = {self.node.get_name(): state, _BROADCASTER: "active"}
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK if state == "active" else DiagnosticStatus.WARN,
            name=ACTIVITY,
            message="All controllers are active" if state == "active" else "Not all are active",
            hardware_id="",
            values=[KeyValue(key=f"{key}.state", value=value) for key, value in states.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.node.get_clock().now().to_msg()
        self._publisher.publish(array)
