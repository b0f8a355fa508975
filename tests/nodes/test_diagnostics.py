"""When a node tells its status."""

from __future__ import annotations

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from sinew_ros.diagnostics import Diagnostics, Level
from sinew_ros.qos import RELIABLE

pytestmark = [pytest.mark.graph, pytest.mark.beside]


def test_who_begins_to_listen_is_told_at_once(probe):
    told = Node("told")
    Diagnostics(told, lambda: (Level.OK, "running", {"robot": "panda"}))
    for timer in told.timers:
        timer.cancel()  # what follows does not come with the next second
    probe.executor.add_node(told)
    for listeners in range(3):
        heard = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
        probe.until(lambda heard=heard: heard, f"a report beside {listeners} listeners")
        assert heard[0].status[0].message == "running"
    probe.executor.remove_node(told)
    told.destroy_node()
