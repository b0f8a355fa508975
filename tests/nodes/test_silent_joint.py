"""A filter whose joint states come from two publishers, one of them with another clock."""

from __future__ import annotations

import time

import pytest
from patience import PATIENT
from policy_rig import PANDA, state
from sensor_msgs.msg import JointState
from test_graph import FILTER, Graph

from sinew_ros.qos import RELIABLE

pytestmark = pytest.mark.graph

NAMES, HOME, REST = PANDA.joint_names, PANDA.home_rad.tolist(), [0.0] * 7
AHEAD_NS = 60 * 10**9
PERIOD_S = 0.01


class Halves:
    """An arm at rest that reports its last joint by a clock a minute ahead."""

    def __init__(self, probe):
        self.publisher = probe.publisher(JointState, "joint_states", RELIABLE)
        self.wrist = True
        self.timer = probe.node.create_timer(PERIOD_S, self.report)

    def report(self):
        now_ns = time.time_ns()
        self.publisher.publish(state(now_ns, HOME[:6], NAMES[:6], REST[:6]))
        if self.wrist:
            self.publisher.publish(state(now_ns + AHEAD_NS, HOME[6:], NAMES[6:], REST[6:]))


def test_a_joint_that_falls_silent_brakes_the_arm_though_its_stamps_are_the_newest(
    start_node, probe
):
    start_node(FILTER, PATIENT)
    arm = Halves(probe)
    graph = Graph(probe)
    graph.armed()
    count = len(graph.outputs)
    probe.until(lambda: len(graph.outputs) > count + 20, "outputs")
    assert graph.filter_state() == "armed"
    arm.wrist = False
    graph.wait_for("braking")
    assert "joint states are stale" in graph.filter_report()["reason"]
    arm.wrist = True
    graph.wait_for("latched")
