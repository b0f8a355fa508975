"""Diagnostics of a node: a `DiagnosticArray` once a second, and when there is something to tell.

That is when the status changes, and when somebody begins to listen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import PublisherEventCallbacks, QoSPublisherMatchedInfo
from rclpy.node import Node

from sinew_ros.qos import RELIABLE


class Level(Enum):
    """Severity of a status."""

    OK = DiagnosticStatus.OK
    WARN = DiagnosticStatus.WARN
    ERROR = DiagnosticStatus.ERROR


Status = tuple[Level, str, Mapping[str, object]]


class Diagnostics:
    """Publish what `report()` returns at 1 Hz (steady clock), and at once after `changed()`.

    A new subscriber gets the present status without waiting for the next second.

    `report` returns (level, message, values); values are shown in their own order.
    """

    def __init__(self, node: Node, report: Callable[[], Status]) -> None:
        """Create the publisher and the timer on `node`."""
        self._node = node
        self._report = report
        self._publisher = node.create_publisher(
            DiagnosticArray,
            "diagnostics",
            RELIABLE,
            event_callbacks=PublisherEventCallbacks(matched=self._matched),
        )
        self._timer = node.create_timer(
            1.0, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def changed(self) -> None:
        """Publish at once, because the status has changed."""
        self.publish()
        self._timer.reset()

    def _matched(self, info: QoSPublisherMatchedInfo) -> None:
        if info.current_count_change > 0:
            self.publish()

    def publish(self) -> None:
        """Publish the present status."""
        level, message, values = self._report()
        status = DiagnosticStatus(
            level=level.value,
            name=self._node.get_fully_qualified_name().lstrip("/"),
            message=message,
            hardware_id=str(values.get("robot", "")),
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)
