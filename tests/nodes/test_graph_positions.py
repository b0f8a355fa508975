"""Driver and safety filter as real processes, with position commands."""

from __future__ import annotations

import math
import signal

import pytest
from patience import PATIENT
from trajectory_msgs.msg import JointTrajectory

from nodes.test_graph import DRIVER, FILTER, JOINTS, Graph
from sinew_core.robots.catalogue import load_robot
from sinew_ros.messages import CommandMessage
from sinew_ros.stamps import stamp_ns

pytestmark = pytest.mark.graph

MODE = {"mode": "joint_position"}
HOME = load_robot("panda").home_rad.tolist()
STEPS = [0.3, 0.1, -0.1, 0.1, 0.2, -0.1, 0.3]
TARGET = [q + step for q, step in zip(HOME, STEPS, strict=True)]


@pytest.fixture
def graph(start_node, probe):
    start_node(DRIVER, {**MODE, "engine": "mujoco", "driver_watchdog_s": 2.0})
    start_node(FILTER, {**MODE, **PATIENT})
    return Graph(probe, "joint_position")


def off(graph, position):
    return max(abs(a - b) for a, b in zip(graph.states[-1].position, position, strict=True))


def test_an_armed_arm_goes_where_it_is_sent_and_a_disarmed_one_holds(graph):
    graph.drive(lambda: len(graph.outputs) > 20, "holds of the disarmed filter", TARGET)
    assert off(graph, HOME) < 1e-3
    assert all(list(o.data) == list(graph.outputs[0].data) for o in graph.outputs)
    graph.armed()

    def arrived():
        return list(graph.outputs[-1].data) == TARGET and graph.speed() < 0.001

    graph.drive(arrived, "rest at the target", TARGET)
    assert off(graph, TARGET) < 1e-3
    assert graph.arm(on=False).success
    graph.wait_for("disarmed")
    seen = len(graph.outputs)
    graph.probe.until(lambda: len(graph.outputs) > seen + 10, "holds")
    assert list(graph.outputs[-1].data) == TARGET


def test_stop_brakes_a_moving_arm_to_rest_and_latches(graph):
    graph.armed()
    graph.drive(lambda: graph.speed() > 0.3, "motion", TARGET)
    assert graph.trigger("safety_filter/stop").success
    graph.wait_for("latched")
    graph.probe.until(lambda: graph.speed() < 0.01, "rest")
    assert off(graph, TARGET) > 0.01
    assert not graph.arm().success
    assert graph.trigger("safety_filter/clear").success
    graph.armed()


def test_silence_of_the_source_brakes_and_latches(graph):
    graph.armed()
    graph.drive(lambda: graph.speed() > 0.3, "motion", TARGET)
    graph.wait_for("latched")
    assert "command is stale" in graph.filter_report()["reason"]


def test_a_filter_that_is_asked_to_end_brakes_first(start_node, probe):
    start_node(DRIVER, {**MODE, "engine": "mujoco"})
    filter_process = start_node(FILTER, {**MODE, **PATIENT})
    graph = Graph(probe, "joint_position")
    graph.armed()
    graph.drive(lambda: graph.speed() > 0.3, "motion", TARGET)
    filter_process.supervised = False
    filter_process.signal(signal.SIGINT)
    graph.probe.until(lambda: not filter_process.running(), "the end of the filter")
    assert filter_process.wait() == 0
    graph.probe.until(lambda: graph.speed() < 0.001, "rest")
    # Braking ended when it repeated a reference, which a drive takes as rest.
    assert list(graph.outputs[-1].data) == list(graph.outputs[-2].data)
    assert off(graph, graph.outputs[-1].data) < 1e-3


def test_a_reset_of_the_arm_is_not_undone_by_the_hold(graph):
    graph.probe.until(lambda: graph.outputs, "holds")
    before = graph.stamp()
    start = graph.trigger("sim_driver/reset").message.removeprefix("at rest at ")
    placed = [float(q) for q in start.split(", ")]
    graph.probe.until(lambda: graph.stamp() > before, "a state after the reset")
    graph.probe.until(lambda: "no_hold" in graph.filter_report(), "a report that nothing is held")
    seen, stamp = len(graph.outputs), graph.stamp()
    graph.probe.until(lambda: graph.stamp() > stamp + 200_000_000, "states")
    assert len(graph.outputs) == seen
    assert off(graph, placed) < 1e-3
    assert max(abs(a - b) for a, b in zip(placed, HOME, strict=True)) > 0.05
    graph.armed()
    graph.drive(lambda: off(graph, TARGET) < 1e-3, "the target", TARGET)
    assert graph.filter_state() == "armed"


def test_malformed_positions_are_rejected_whole(graph):
    def message(names=JOINTS, values=TARGET, mode="joint_position"):
        command = CommandMessage(names, mode, "test", 0.04)
        return command.fill(stamp_ns(graph.states[-1].header.stamp), values)

    graph.armed()
    bad: list[JointTrajectory] = [
        message(values=[math.nan, *TARGET[1:]]),
        message(values=TARGET[:6]),
        message(mode="joint_velocity"),
        message(names=[*JOINTS[:6], JOINTS[0]]),
    ]
    for one in bad:
        graph.publisher.publish(one)

    def rejected():
        found = graph.filter_report()
        return sum(int(n) for name, n in found.items() if name.startswith("rejected: "))

    graph.probe.until(lambda: rejected() == 4, "four rejections")
    assert off(graph, HOME) < 1e-3
    assert graph.filter_state() == "armed"
