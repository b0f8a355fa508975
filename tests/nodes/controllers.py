"""Controllers of ros2_control as far as the safety filter sees them: a node, joints, a topic."""

from __future__ import annotations

from rclpy.node import Node
from std_msgs.msg import Float64MultiArray

from sinew_ros.qos import RELIABLE


class ForwardController(Node):
    """Takes `~/commands` in the order of its parameter `joints` and passes them to the driver.

    It tells what it takes, unless the interface is empty: then it has no such parameter.
    """

    def __init__(
        self, name, joints, robot_joints, driver_topic, namespace="", interface="velocity"
    ):
        super().__init__(name, namespace=namespace)
        self.declare_parameter("joints", list(joints))
        if interface:
            self.declare_parameter("interface_name", interface)
        self._order = [list(joints).index(name) for name in robot_joints if name in joints]
        self.heard = []
        self._driver = self.create_publisher(Float64MultiArray, driver_topic, RELIABLE)
        self.create_subscription(Float64MultiArray, "~/commands", self._command, RELIABLE)

    def _command(self, message):
        self.heard.append(message)
        passed = Float64MultiArray(layout=message.layout)
        passed.data = [message.data[i] for i in self._order]
        self._driver.publish(passed)
