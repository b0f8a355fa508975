"""Driver and safety filter as real processes: arming, stopping, faults, restarts, lockstep."""

from __future__ import annotations

import math
import signal
import time

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from patience import PATIENT
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, Header
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from sinew_ros.messages import CommandMessage, commands_topic
from sinew_ros.qos import RELIABLE
from sinew_ros.stamps import stamp_ns

pytestmark = pytest.mark.graph

DRIVER = "sinew_sim.sim_driver"
FILTER = "sinew_safety.safety_filter"
JOINTS = [f"panda_joint{i}" for i in range(1, 8)]
COMMANDS = "forward_velocity_controller/commands"
SPEED = [0.2, 0.1, -0.1, 0.1, 0.2, -0.1, 0.3]


class Graph:
    """What the tests see of a running driver and filter."""

    def __init__(self, probe, mode="joint_velocity"):
        self.probe = probe
        probe.context = self.filter_report
        self.states = probe.listen(JointState, "joint_states", RELIABLE)
        self.outputs = probe.listen(Float64MultiArray, commands_topic(mode), RELIABLE)
        self.reports = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
        self.command = CommandMessage(JOINTS, mode, "test", 0.04)
        self.publisher = probe.publisher(JointTrajectory, "policy/command", RELIABLE)
        probe.until(lambda: self.states and self.filter_state(), "states and diagnostics")

    def filter_report(self):
        found = [s for r in self.reports for s in r.status if s.name == "safety_filter"]
        return {v.key: v.value for v in found[-1].values} if found else {}

    def filter_state(self):
        return self.filter_report().get("state")

    def wait_for(self, state):
        self.probe.until(lambda: self.filter_state() == state, f"filter {state}")

    def arm(self, on=True):
        return self.probe.call(SetBool, "safety_filter/arm", SetBool.Request(data=on))

    def armed(self):
        """Arm a filter that may not have heard of the driver yet."""
        self.probe.until(lambda: self.arm().success, "arming")

    def trigger(self, name):
        return self.probe.call(Trigger, name)

    def answer_newest(self, values=SPEED):
        """Send one command for the newest state."""
        self.publisher.publish(self.command.fill(stamp_ns(self.states[-1].header.stamp), values))

    def drive(self, condition, what, values=SPEED):
        """Send commands at the rate of the states until the condition holds."""
        seen = len(self.states)

        def check():
            nonlocal seen
            if len(self.states) > seen:
                seen = len(self.states)
                self.answer_newest(values)
            return condition()

        self.probe.until(check, what)

    def stamp(self):
        return stamp_ns(self.states[-1].header.stamp)

    def speed(self):
        return max(map(abs, self.states[-1].velocity))


@pytest.fixture
def graph(start_node, probe):
    start_node(DRIVER, {"engine": "mujoco", "driver_watchdog_s": 2.0})
    start_node(FILTER, PATIENT)
    return Graph(probe)


def test_commands_move_an_armed_arm_only_and_stop_brakes_it_to_rest(graph):
    graph.drive(lambda: len(graph.outputs) > 20, "holds of the disarmed filter")
    assert not any(any(o.data) for o in graph.outputs)
    graph.armed()
    graph.drive(lambda: graph.states[-1].velocity[6] > 0.29, "full speed")
    assert graph.trigger("safety_filter/stop").success
    graph.wait_for("latched")
    assert 0.0 < float(graph.filter_report()["stop_reaction_ms"]) < 1e3
    graph.probe.until(lambda: graph.speed() < 0.01, "rest")
    assert not graph.arm().success
    assert graph.trigger("safety_filter/clear").success
    assert graph.filter_report()["armings"] == "1"
    graph.armed()
    graph.probe.until(lambda: graph.filter_report()["armings"] == "2", "the second arming")


def test_silence_of_the_source_brakes_and_latches_through_a_restart(start_node, probe, tmp_path):
    start_node(DRIVER, {"engine": "mujoco", "driver_watchdog_s": 2.0})
    filter_process = start_node(FILTER, PATIENT)
    graph = Graph(probe)
    graph.armed()
    graph.drive(lambda: graph.speed() > 0.25, "motion")
    graph.wait_for("latched")
    assert "command is stale" in graph.filter_report()["reason"]
    assert len(list((tmp_path / "ros_home" / "sinew").iterdir())) == 1
    filter_process.kill()
    start_node(FILTER, PATIENT)
    graph.reports.clear()
    graph.wait_for("latched")
    refusal = graph.arm()
    assert not refusal.success
    assert "command is stale" in refusal.message
    graph.probe.until(lambda: graph.trigger("safety_filter/clear").success, "clear")
    assert not list((tmp_path / "ros_home" / "sinew").iterdir())


def test_killing_a_process_that_commands_brakes_and_latches(graph, start_node):
    source = start_node("nodes.source")
    graph.probe.until(lambda: graph.probe.node.count_publishers("policy/command") == 2)
    graph.armed()
    graph.probe.until(lambda: graph.speed() > 0.1, "motion")
    source.kill()
    graph.wait_for("latched")
    assert "command is stale" in graph.filter_report()["reason"]
    assert graph.speed() <= 0.02 + 1e-6


def test_death_of_the_filter_lets_the_driver_ramp_the_arm_to_rest(start_node, probe):
    start_node(DRIVER, {"engine": "mujoco", "driver_watchdog_s": 2.0})
    filter_process = start_node(FILTER, PATIENT)
    graph = Graph(probe)
    graph.armed()
    graph.drive(lambda: graph.speed() > 0.25, "motion")
    filter_process.kill()
    graph.probe.until(lambda: graph.speed() < 0.001, "rest")


def test_frozen_driver_is_stale_and_brakes(start_node, probe):
    driver = start_node(DRIVER, {"engine": "mujoco", "driver_watchdog_s": 2.0})
    start_node(FILTER, PATIENT)
    graph = Graph(probe)
    graph.armed()
    graph.drive(lambda: graph.speed() > 0.25, "motion")
    driver.signal(signal.SIGSTOP)
    try:
        graph.probe.until(lambda: graph.filter_state() == "braking", "braking")
    finally:
        driver.signal(signal.SIGCONT)
    assert "stale" in graph.filter_report()["reason"]
    graph.wait_for("latched")


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM])
def test_a_filter_that_is_asked_to_end_brakes_first(start_node, probe, stop_signal):
    start_node(DRIVER, {"engine": "mujoco", "driver_watchdog_s": 0.0})
    filter_process = start_node(FILTER, PATIENT)
    graph = Graph(probe)
    graph.armed()
    graph.drive(lambda: graph.speed() > 0.25, "motion")
    filter_process.supervised = False
    filter_process.signal(stop_signal)
    assert filter_process.wait() == 0
    graph.probe.until(lambda: graph.speed() < 0.001, "rest")


def test_a_filter_that_is_asked_to_end_leaves_each_output_in_force_for_its_period(
    start_node, probe
):
    rates = {"filter_rate_hz": 5, "state_rate_hz": 5, "control_rate_hz": 5}
    start_node(DRIVER, {"engine": "mujoco", "driver_watchdog_s": 0.0, **rates})
    filter_process = start_node(FILTER, {**PATIENT, **rates, "safety.max_latency_periods": 4})
    graph = Graph(probe)
    heard_s = []
    probe.node.create_subscription(
        Float64MultiArray, COMMANDS, lambda _: heard_s.append(time.monotonic()), RELIABLE
    )
    graph.armed()
    graph.drive(lambda: graph.speed() > 0.25 and heard_s, "motion")
    seen = len(heard_s)
    graph.drive(lambda: len(heard_s) > seen, "one more output")
    filter_process.supervised = False
    filter_process.signal(signal.SIGINT)
    probe.until(lambda: len(heard_s) > seen + 1, "an output that brakes")
    # A signal takes effect within 0.05 s.
    assert heard_s[seen + 1] - heard_s[seen] > 0.12
    assert filter_process.wait() == 0
    graph.probe.until(lambda: graph.speed() < 0.001, "rest")


def test_malformed_commands_are_rejected_whole_and_counted_by_cause(graph):
    def message(names=JOINTS, values=SPEED):
        command = CommandMessage(names, "joint_velocity", "test", 0.04)
        return command.fill(stamp_ns(graph.states[-1].header.stamp), values)

    graph.armed()
    bad = [
        message(values=[math.nan, *SPEED[1:]]),
        message(values=[math.inf, *SPEED[1:]]),
        message(values=SPEED[:6]),
        message(names=[*JOINTS[:6], "other"]),
        message(names=[*JOINTS[:6], JOINTS[0]]),
        JointTrajectory(joint_names=JOINTS, header=Header(frame_id="test")),
    ]
    empty = message()
    empty.points[0].velocities = []
    for one in [*bad, empty]:
        graph.publisher.publish(one)

    def rejected():
        found = graph.filter_report()
        return [
            int(found.get(f"rejected: {what}", 0))
            for what in (
                "a value is not finite",
                "values of the action mode missing or of wrong number",
                "joint names unknown, missing or twice",
                "not exactly one point",
            )
        ]

    graph.probe.until(lambda: sum(rejected()) == 7, "seven rejections, or two sources")
    assert rejected() == [2, 2, 2, 1]
    assert not any(any(o.data) for o in graph.outputs)
    assert graph.filter_state() == "armed"


def test_a_second_source_that_really_sends_disarms(graph):
    graph.armed()
    graph.drive(lambda: graph.speed() > 0.1, "motion")
    other = CommandMessage(JOINTS, "joint_velocity", "intruder", 0.04)
    sent = 0

    def intrude():
        nonlocal sent
        if sent < 2:
            sent += 1
            graph.publisher.publish(other.fill(stamp_ns(graph.states[-1].header.stamp), SPEED))
        return graph.filter_state() == "disarmed"

    graph.drive(intrude, "disarmed")
    assert "second source" in graph.filter_report()["reason"]


def test_the_driver_rejects_commands_of_wrong_length_and_not_finite(start_node, probe):
    start_node(DRIVER, {"engine": "mujoco", "driver_watchdog_s": 2.0})
    states = probe.listen(JointState, "joint_states", RELIABLE)
    reports = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
    commands = probe.publisher(Float64MultiArray, COMMANDS, RELIABLE)
    probe.until(lambda: states)
    for data in ([0.5] * 6, [0.5] * 6 + [math.nan], [0.5] * 8):
        commands.publish(Float64MultiArray(data=data))
    probe.until(
        lambda: any(
            v.key == "commands_rejected" and v.value == "3"
            for r in reports
            for v in r.status[0].values
        ),
        "three rejections",
    )
    assert max(map(abs, states[-1].velocity)) < 1e-3


def _lockstep_episode(graph):
    """Reset, arm, and answer the control ticks of 480 ms; the world then stands still."""
    before = graph.stamp()
    assert graph.trigger("sim_driver/reset").success
    graph.probe.until(lambda: graph.stamp() > before, "the state after the reset")
    # A filter that has found the driver only now gets the state when it is published again.
    graph.probe.until(lambda: graph.arm().success, "arming")
    first, answered = graph.stamp(), None

    def finished():
        nonlocal answered
        newest = graph.stamp()
        if newest % 40_000_000 == 0 and newest != answered and newest < first + 480_000_000:
            answered = newest
            graph.answer_newest([v * math.cos(newest * 1e-8) for v in SPEED])
        return newest == first + 480_000_000

    graph.probe.until(finished, "the end of the episode")
    assert graph.arm(on=False).success


def test_a_stop_of_a_lockstep_world_that_stands_still_has_no_reaction(start_node, probe):
    start_node(DRIVER, {"engine": "mujoco", "pace": "lockstep"})
    start_node(FILTER, {"pace": "lockstep"})
    graph = Graph(probe)
    for call in ("stop", "clear"):
        graph.probe.until(lambda call=call: graph.trigger(f"safety_filter/{call}").success, call)
    _lockstep_episode(graph)
    graph.probe.until(lambda: graph.filter_report().get("armings") == "1", "a report")
    assert "stop_reaction_ms" not in graph.filter_report()


def _lockstep_run(start_node, probe, engine):
    """Two episodes with fixed commands in new processes; return every joint state by its stamp."""
    nodes = [
        start_node(DRIVER, {"engine": engine, "pace": "lockstep", "seed": 3}),
        start_node(FILTER, {"pace": "lockstep"}),
    ]
    graph = Graph(probe)
    for _ in range(2):
        _lockstep_episode(graph)
    for node in nodes:
        assert node.interrupt() == 0
    probe.forget()
    return {
        stamp_ns(s.header.stamp): (bytes(s.position), bytes(s.velocity), bytes(s.effort))
        for s in graph.states
    }


@pytest.mark.beside
@pytest.mark.parametrize("engine", ["pybullet", "mujoco"])
def test_lockstep_runs_with_the_same_commands_are_equal_bit_for_bit(start_node, probe, engine):
    first = _lockstep_run(start_node, probe, engine)
    second = _lockstep_run(start_node, probe, engine)
    assert len(first) == 1 + 2 * 49
    assert first == second
