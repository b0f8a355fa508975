"""Each way to a controller, with real processes: orders, prefixes, trajectories, shadow, replay."""

from __future__ import annotations

import re

import pytest
import yaml
from controllers import ForwardController
from diagnostic_msgs.msg import DiagnosticArray
from patience import PATIENT
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from recording import Recording, write_bag
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from sinew_core.robots.catalogue import load_robot
from sinew_ros.messages import CommandMessage
from sinew_ros.qos import LATCHED, RELIABLE
from sinew_ros.stamps import stamp_ns

pytestmark = [pytest.mark.graph, pytest.mark.slow]

DRIVER, FILTER = "sinew_sim.sim_driver", "sinew_safety.safety_filter"
JOINTS = [f"panda_joint{i}" for i in range(1, 8)]
SPEED = [0.2, 0.1, -0.1, 0.1, 0.2, -0.1, 0.3]
EQUAL = [0.05] * 7
CONFIGURATION = "safety_filter/configuration"
DRIVEN = "forward_velocity_controller/commands"


class Graph:
    """A driver and a filter; everything that a recorder would hear."""

    def __init__(self, start_node, probe, outputs, kind, *, prefix="", driver=(), **parameters):
        self.probe, self.outputs = probe, outputs
        probe.context = self.report
        self.recording = Recording(probe)
        self.recording.listen(JointState, "joint_states")
        self.recording.listen(JointTrajectory, "policy/command")
        self.recording.listen(kind, outputs)
        self.recording.listen(String, CONFIGURATION, DurabilityPolicy.TRANSIENT_LOCAL)
        self.states = probe.listen(JointState, "joint_states", RELIABLE)
        self.sent = probe.listen(kind, outputs, RELIABLE)
        self.texts = []
        probe.node.create_subscription(
            String, CONFIGURATION, lambda m: self.texts.append(yaml.safe_load(m.data)), LATCHED
        )
        self.reports = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
        options = {"engine": "mujoco", "driver_watchdog_s": 2.0}
        named = {"joint_prefix": prefix} if prefix else {}
        start_node(DRIVER, {**options, **named, **dict(driver)})
        self.filter = start_node(FILTER, {**PATIENT, **named, **parameters})
        names = [prefix + name for name in JOINTS]
        self.command = CommandMessage(names, "joint_velocity", "test", 0.04)
        self.publisher = probe.publisher(JointTrajectory, "policy/command", RELIABLE)
        probe.until(lambda: self.states and self.state(), "states and diagnostics", 60.0)

    def report(self):
        found = [s for r in self.reports for s in r.status if s.name == "safety_filter"]
        return {v.key: v.value for v in found[-1].values} if found else {}

    def state(self):
        return self.report().get("state")

    def arm(self):
        return self.probe.call(SetBool, "safety_filter/arm", SetBool.Request(data=True))

    def armed(self):
        self.probe.until(lambda: self.arm().success, "arming")

    def drive(self, condition, what, values=SPEED):
        seen = len(self.states)

        def check():
            nonlocal seen
            if len(self.states) > seen:
                seen = len(self.states)
                stamp = stamp_ns(self.states[-1].header.stamp)
                self.publisher.publish(self.command.fill(stamp, values))
            return condition()

        self.probe.until(check, what)

    def velocity(self):
        return list(self.states[-1].velocity)

    def replayed(self, start_node, folder):
        """End the run, replay it, and return what the replay says."""
        assert self.filter.interrupt() == 0
        bag = write_bag(folder / "bag", self.recording.messages)
        replay = start_node("sinew_safety.replay", {"bag": bag, "rows": 0})
        replay.supervised = False
        assert replay.wait(120.0) == 0, replay.output
        return replay.output


def controller(probe, joints, name="wrist", namespace="arm", interface="velocity"):
    """Run a controller in this process, whose values go on to the driver."""
    node = ForwardController(name, joints, JOINTS, f"/{DRIVEN}", namespace, interface)
    probe.executor.add_node(node)
    return node


def remove(probe, node):
    probe.executor.remove_node(node)
    node.destroy_node()


READ = {"controller": "/arm/wrist", "controller_joints": "read"}


def test_a_controller_hears_its_own_order_and_a_change_of_it_stops_the_arm(
    start_node, probe, tmp_path
):
    backwards = controller(probe, JOINTS[::-1])
    graph = Graph(start_node, probe, "arm/wrist/commands", Float64MultiArray, **READ)
    graph.armed()
    graph.drive(lambda: graph.velocity() == pytest.approx(SPEED, abs=0.02), "the speed asked for")
    assert list(graph.sent[-1].data) == pytest.approx(SPEED[::-1])
    assert graph.texts[-1]["controller"]["joints"] == JOINTS[::-1]
    # The same for each joint, so that the other order is no motion that the filter stops before.
    graph.drive(lambda: graph.velocity() == pytest.approx(EQUAL, abs=0.02), "equal speeds", EQUAL)
    remove(probe, backwards)
    forwards = controller(probe, JOINTS)
    graph.drive(lambda: graph.state() == "latched", "a stop", EQUAL)
    assert "another order" in graph.report()["reason"]
    assert graph.texts[-1]["controller"]["joints"] == JOINTS
    probe.until(lambda: max(map(abs, graph.velocity())) < 1e-3, "rest")
    assert probe.call(Trigger, "safety_filter/clear").success
    graph.armed()
    graph.drive(lambda: graph.velocity() == pytest.approx(SPEED, abs=0.02), "the speed asked for")
    assert list(graph.sent[-1].data) == pytest.approx(SPEED)
    output = graph.replayed(start_node, tmp_path)
    assert "all reproduced exactly" in output
    remove(probe, forwards)


WRONG = [
    (JOINTS[:6], "joints of controller /arm/wrist do not fit the robot: missing: panda_joint7"),
    ([*JOINTS, "gripper"], "extra: gripper"),
    ([*JOINTS, JOINTS[0]], "twice: panda_joint1"),
]


def test_no_controller_or_one_of_other_joints_is_named_at_each_arming(start_node, probe):
    graph = Graph(start_node, probe, "arm/wrist/commands", Float64MultiArray, **READ)
    answer = graph.arm()
    assert not answer.success
    assert "controller /arm/wrist does not run: service /arm/wrist/get_parameters" in answer.message
    for joints, reason in WRONG:
        # Joints are read of one that does not tell its interface, too.
        node = controller(probe, joints, interface="")
        probe.until(lambda reason=reason: reason in graph.arm().message, reason)
        assert not node.heard
        remove(probe, node)
    # A node of that name without joints is no such controller, and may not hear the filter.
    other = Node("wrist", namespace="arm")
    late = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    other.create_subscription(Float64MultiArray, "~/commands", print, late)
    probe.executor.add_node(other)
    reason = "controller /arm/wrist has no list of names as parameter 'joints'"
    probe.until(lambda: reason in graph.arm().message, reason)
    assert "QoS of /arm/wrist/commands to " in graph.arm().message
    assert graph.state() == "disarmed"
    assert not graph.sent
    remove(probe, other)


def test_a_controller_of_another_unit_hears_nothing_before_or_after_arming(start_node, probe):
    graph = Graph(start_node, probe, "arm/wrist/commands", Float64MultiArray, **READ)
    reason = "controller /arm/wrist takes position commands, the filter sends velocity"
    of_positions = controller(probe, JOINTS, interface="position")
    probe.until(lambda: reason in graph.report().get("outputs_refused", ""), reason)
    assert reason in graph.arm().message
    assert not of_positions.heard
    remove(probe, of_positions)
    fits = controller(probe, JOINTS)
    graph.armed()
    graph.drive(lambda: graph.velocity() == pytest.approx(SPEED, abs=0.02), "the speed asked for")
    probe.until(lambda: "outputs_refused" not in graph.report(), "no refusal")
    remove(probe, fits)
    # One that takes its place is not sent velocities, and the arm that moved is stopped.
    of_positions = controller(probe, JOINTS, interface="position")
    graph.drive(lambda: graph.state() == "latched", "a stop")
    assert reason in graph.report()["reason"]
    seen = len(of_positions.heard)
    probe.until(lambda: reason in graph.report().get("outputs_refused", ""), reason)
    graph.drive(lambda: len(graph.sent) >= seen, "states")
    assert len(of_positions.heard) == seen
    remove(probe, of_positions)


def disarm(probe):
    assert probe.call(SetBool, "safety_filter/arm", SetBool.Request(data=False)).success


def stop_and_clear(probe):
    for name in ("stop", "clear"):
        assert probe.call(Trigger, f"safety_filter/{name}").success


@pytest.mark.parametrize("meanwhile", [disarm, stop_and_clear])
def test_who_wants_the_arm_to_stand_while_the_controller_is_asked_wins(
    start_node, probe, meanwhile
):
    graph = Graph(start_node, probe, "arm/wrist/commands", Float64MultiArray, **READ)
    # It hears the question once it is spun.
    node = ForwardController("wrist", JOINTS, JOINTS, f"/{DRIVEN}", "arm")
    probe.until(lambda: "does not answer" in graph.arm().message, "a controller that is there")
    client = probe.node.create_client(SetBool, "safety_filter/arm")
    probe.until(client.service_is_ready, "the service")
    asked = client.call_async(SetBool.Request(data=True))
    meanwhile(probe)
    assert not asked.done()
    probe.executor.add_node(node)
    probe.until(asked.done, "the answer to the first call")
    assert not asked.result().success
    assert asked.result().message == (
        "a stop, a loss or another call came while the controller was asked"
    )
    assert graph.state() == "disarmed"
    graph.armed()
    remove(probe, node)


def test_an_arm_in_motion_is_stopped_by_whatever_question_finds_its_controller_changed(
    start_node, probe
):
    graph = Graph(start_node, probe, "arm/wrist/commands", Float64MultiArray, **READ)
    node = controller(probe, JOINTS)
    graph.armed()
    graph.drive(lambda: graph.velocity() == pytest.approx(SPEED, abs=0.02), "the speed asked for")
    # No subscription comes or goes by which the filter would ask again: somebody else's call does.
    node.set_parameters([Parameter("interface_name", value="position")])
    client = probe.node.create_client(SetBool, "safety_filter/arm")
    probe.until(client.service_is_ready, "the service")
    asked = client.call_async(SetBool.Request(data=True))
    graph.drive(asked.done, "the answer")
    graph.drive(lambda: graph.state() == "latched", "a stop")
    assert "takes position commands, the filter sends velocity" in graph.report()["reason"]
    remove(probe, node)


def last_step(sent):
    before, after = (message.points[0].positions for message in sent[-2:])
    return [b - a for a, b in zip(before, after, strict=True)]


def test_velocities_reach_a_trajectory_controller_as_positions(start_node, probe, tmp_path):
    names = [f"left_{name}" for name in JOINTS]
    topic = "joint_trajectory_controller/joint_trajectory"
    graph = Graph(
        start_node,
        probe,
        topic,
        JointTrajectory,
        prefix="left_",
        driver={"adapter": "trajectory", "mode": "joint_position"},
        adapter="trajectory",
    )
    home = load_robot("panda").home_rad.tolist()
    probe.until(lambda: len(graph.sent) > 5, "holds")
    assert list(graph.sent[-1].points[0].positions) == pytest.approx(home, abs=1e-3)
    graph.armed()

    # After a cycle that the machine has missed the filter begins from rest again.
    graph.drive(
        lambda: (
            graph.velocity() == pytest.approx(SPEED, abs=0.02)
            and last_step(graph.sent) == pytest.approx([0.01 * v for v in SPEED])
        ),
        "the speed asked for, in steps of a period",
    )
    last = graph.sent[-1]
    assert (last.header.stamp.sec, last.header.stamp.nanosec) == (0, 0)
    assert last.joint_names == names
    point = last.points[0]
    # Two filter periods of 10 ms.
    assert (point.time_from_start.sec, point.time_from_start.nanosec) == (0, 20_000_000)
    assert [len(f) for f in (point.velocities, point.accelerations, point.effort)] == [0, 0, 0]
    # Behind what was sent by the period that it lags and those that messages take.
    assert list(graph.states[-1].position) == pytest.approx(list(point.positions), abs=0.05)
    assert probe.call(Trigger, "safety_filter/stop").success
    probe.until(lambda: graph.state() == "latched", "latched")
    probe.until(lambda: max(map(abs, graph.velocity())) < 1e-3, "rest")
    output = graph.replayed(start_node, tmp_path)
    assert "all reproduced exactly" in output
    assert not re.search(r"\b0 outputs,", output)


def test_a_reset_is_not_undone_by_trajectories_of_a_hold_and_armed_where_it_placed_the_arm(
    start_node, probe
):
    graph = Graph(
        start_node,
        probe,
        "joint_trajectory_controller/joint_trajectory",
        JointTrajectory,
        driver={"adapter": "trajectory", "mode": "joint_position"},
        adapter="trajectory",
    )
    probe.until(lambda: len(graph.sent) > 5, "holds")
    before = list(graph.states[-1].position)
    start = probe.call(Trigger, "sim_driver/reset").message.removeprefix("at rest at ")
    placed = [float(q) for q in start.split(", ")]
    probe.until(lambda: "no_hold" in graph.report(), "a report that nothing is held")
    assert list(graph.states[-1].position) == pytest.approx(placed, abs=1e-3)
    assert list(graph.sent[-1].points[0].positions) == pytest.approx(before, abs=1e-3)
    graph.armed()
    graph.drive(lambda: graph.velocity() == pytest.approx(SPEED, abs=0.02), "the speed asked for")
    assert graph.state() == "armed"


def test_a_shadow_filters_an_arm_that_does_not_follow(start_node, probe, tmp_path):
    graph = Graph(start_node, probe, "safety_filter/shadow", Float64MultiArray, shadow=True)
    reached = probe.listen(Float64MultiArray, DRIVEN, RELIABLE)
    graph.armed()
    seen = len(graph.sent)
    graph.drive(lambda: len(graph.sent) > seen + 150, "outputs for a second and a half")
    assert graph.state() == "armed"
    assert max(abs(o.data[6]) for o in graph.sent[seen:]) > 0.1
    assert not reached
    assert max(map(abs, graph.velocity())) < 1e-3
    probe.until(lambda: int(graph.report().get("shadow_restarts", 0)) > 0, "restarts")
    assert "all reproduced exactly" in graph.replayed(start_node, tmp_path)
