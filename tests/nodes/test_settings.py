"""What of a running safety filter may be set, what is published about it, and who may drive it."""

from __future__ import annotations

import signal
import time

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from patience import PATIENT
from rcl_interfaces.srv import DescribeParameters, SetParameters, SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from sinew_core.robots.catalogue import load_robot
from sinew_ros.messages import CommandMessage
from sinew_ros.qos import CONTROLLER_COMMAND, LATCHED, RELIABLE, incompatible_subscribers
from sinew_ros.stamps import stamp_ns

pytestmark = [pytest.mark.graph, pytest.mark.beside]

JOINTS = [f"panda_joint{i}" for i in range(1, 8)]
COMMANDS = "forward_velocity_controller/commands"


def set_parameters(probe, service=SetParameters, name="set_parameters", **values):
    """Set parameters as `ros2 param` does; dots are written as two underscores."""
    request = service.Request(
        parameters=[
            Parameter(key.replace("__", "."), value=value).to_parameter_msg()
            for key, value in values.items()
        ]
    )
    response = probe.call(service, f"safety_filter/{name}", request)
    return response.results[0] if service is SetParameters else response.result


def wait_for_report(probe, reports, key, value):
    probe.until(
        lambda: any(
            v.key == key and v.value == value for r in reports for s in r.status for v in s.values
        ),
        f"{key} {value} in diagnostics",
    )


@pytest.fixture
def reports(start_node, probe):
    """Start a filter and return its diagnostics."""
    heard = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
    start_node("sinew_safety.safety_filter", PATIENT)
    return heard


def test_what_is_safe_is_set_and_all_else_refused_with_the_reason(probe, reports):
    assert set_parameters(probe, speed_scale=0.5).successful
    wait_for_report(probe, reports, "speed_scale", "0.5")
    # A whole number is a fraction, too.
    assert set_parameters(probe, speed_scale=0).successful
    wait_for_report(probe, reports, "speed_scale", "0.0")
    assert set_parameters(probe, watchdog__command_timeout_s=0.2).successful

    def reason(**values):
        result = set_parameters(probe, **values)
        assert not result.successful
        assert "\n" not in result.reason
        return result.reason

    assert reason(speed_scale=1.5) == "parameters: speed_scale is 1.5: allowed 0 to 1"
    assert "expected float" in reason(speed_scale="fast")
    # 2.5 periods of 25 Hz.
    assert "at least 2.5 control periods, 0.1 s" in reason(watchdog__command_timeout_s=0.05)
    assert reason(safety__margin_rad=0.01) == (
        "safety.margin_rad is fixed at the start, because the certified bounds depend on it: "
        "restart the node with -p safety.margin_rad:=0.01"
    )
    assert "part of what stops the arm in time" in reason(watchdog__rest_speed_rad_s=0.1)
    assert "restart the node with -p filter_rate_hz:=50" in reason(filter_rate_hz=50)
    assert "unknown parameter 'speed_scal': did you mean 'speed_scale'?" in reason(speed_scal=0.5)
    # Nothing of what was refused took effect.
    both = {"speed_scale": 0.75, "safety__margin_rad": 0.01}
    atomically = set_parameters(probe, SetParametersAtomically, "set_parameters_atomically", **both)
    assert not atomically.successful
    reports.clear()
    wait_for_report(probe, reports, "speed_scale", "0.0")


def test_tools_see_what_may_be_set(probe, reports):
    names = ["speed_scale", "watchdog.command_timeout_s", "safety.margin_rad", "robot"]
    request = DescribeParameters.Request(names=names)
    response = probe.call(DescribeParameters, "safety_filter/describe_parameters", request)
    assert [d.read_only for d in response.descriptors] == [False, False, True, True]
    scale = response.descriptors[0].floating_point_range[0]
    assert (scale.from_value, scale.to_value) == (0.0, 1.0)


def test_the_configuration_is_there_for_late_listeners(probe, reports):
    probe.until(lambda: reports, "diagnostics")
    heard = probe.listen(String, "safety_filter/configuration", LATCHED)
    probe.until(lambda: heard, "the configuration")
    content = yaml.safe_load(heard[0].data)
    parameters = content["safety_filter"]["ros__parameters"]
    assert parameters["robot"] == "panda"
    assert parameters["watchdog"]["missed_cycles"] == 200
    robot = load_robot("panda")
    assert content["robot"]["joint_names"] == list(robot.joint_names)
    assert content["robot"]["limits"] == robot.limits.to_mapping()


def test_arming_is_refused_where_the_driver_cannot_hear_the_filter(probe, reports):
    probe.until(lambda: reports, "diagnostics")
    refusal = probe.call(SetBool, "safety_filter/arm", SetBool.Request(data=True))
    assert not refusal.success
    assert f"nobody subscribes to {COMMANDS}" in refusal.message
    wishes = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    probe.node.create_subscription(Float64MultiArray, COMMANDS, lambda _: None, wishes)

    def answer():
        request = SetBool.Request(data=True)
        return probe.call(SetBool, "safety_filter/arm", request).message

    probe.until(lambda: f"QoS of {COMMANDS} to /probe does not fit" in answer(), "the reason")


def test_a_subscriber_is_judged_by_what_it_asks_for(probe):
    topic = "judged"
    fine = [
        QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT),
        QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE),
    ]
    for qos in fine:
        probe.node.create_subscription(Float64MultiArray, topic, lambda _: None, qos)
    probe.until(lambda: probe.node.count_subscribers(topic) == 2)
    assert incompatible_subscribers(probe.node, topic, CONTROLLER_COMMAND) == []
    late = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    probe.node.create_subscription(Float64MultiArray, topic, lambda _: None, late)
    probe.until(lambda: probe.node.count_subscribers(topic) == 3)
    (problem,) = incompatible_subscribers(probe.node, topic, CONTROLLER_COMMAND)
    assert problem.startswith("QoS of judged to /probe does not fit")


class Armed:
    """Driver and filter, armed and driven by the test under the name `policy`."""

    def __init__(self, start_node, probe, reports):
        self.probe, self.reports = probe, reports
        self.driver = start_node(
            "sinew_sim.sim_driver", {"engine": "mujoco", "driver_watchdog_s": 2.0}
        )
        self.states = probe.listen(JointState, "joint_states", RELIABLE)
        self.command = CommandMessage(JOINTS, "joint_velocity", "policy", 0.04)
        self.publisher = probe.publisher(JointTrajectory, "policy/command", RELIABLE)
        probe.until(lambda: self.states, "states", 60.0)
        request = SetBool.Request(data=True)
        probe.until(
            lambda: probe.call(SetBool, "safety_filter/arm", request).success, "arming", 60.0
        )

    def send(self, publisher):
        stamp = stamp_ns(self.states[-1].header.stamp)
        publisher.publish(self.command.fill(stamp, [0.2] * 7))

    def drive(self, condition, what):
        seen = len(self.states)

        def check():
            nonlocal seen
            if len(self.states) > seen:
                seen = len(self.states)
                self.send(self.publisher)
            return condition()

        self.probe.until(check, what, 60.0)

    def report(self):
        found = [s for r in self.reports for s in r.status if s.name == "safety_filter"]
        return {v.key: v.value for v in found[-1].values} if found else {}

    def fresh_report(self, what):
        """Drive until the filter has told how it is after this call; older reports may be late."""
        now_ns = time.time_ns()

        def told():
            later = (r for r in self.reports if stamp_ns(r.header.stamp) > now_ns)
            return any(s.name == "safety_filter" for r in later for s in r.status)

        self.drive(told, what)
        return self.report()

    def speed(self):
        return max(map(abs, self.states[-1].velocity))


@pytest.fixture
def armed(start_node, probe, reports):
    return Armed(start_node, probe, reports)


def test_a_second_publisher_of_the_same_name_disarms(probe, armed):
    armed.drive(lambda: armed.speed() > 0.1, "motion")
    copy = probe.node.create_publisher(JointTrajectory, "policy/command", RELIABLE)
    probe.until(copy.get_subscription_count, "the filter")
    sent = 0

    def intrude():
        nonlocal sent
        if sent < 2:
            sent += 1
            armed.send(copy)
        report = armed.report()  # the first ones may be of before it was armed, without a reason
        return report.get("state") == "disarmed" and report["reason"]

    armed.drive(intrude, "disarmed")
    assert "second source" in armed.report()["reason"]


def test_speed_scale_slows_the_arm_and_counts_as_no_intervention(probe, armed):
    armed.drive(lambda: armed.speed() > 0.19, "full speed")
    before = armed.fresh_report("a report of the full speed")
    assert set_parameters(probe, speed_scale=0.5).successful
    armed.drive(lambda: armed.speed() < 0.101, "half speed")
    slow = len(armed.states)
    armed.drive(lambda: len(armed.states) > slow + 100, "a second of it")
    after = armed.fresh_report("a report of the half speed")
    assert all(max(map(abs, s.velocity)) < 0.11 for s in armed.states[slow:])
    # 0.1 rad/s less. Joint 2 is the slowest: half of 7.5 rad/s² less 10 % of jitter makes
    # 0.034 rad/s a cycle, so three cycles of seven joints at most, and nothing after that.
    counted = [
        sum(int(v) for k, v in report.items() if k.startswith("interventions: "))
        for report in (before, after)
    ]
    assert after["speed_scale"] == "0.5"
    assert counted[1] - counted[0] <= 3 * 7


def test_cycles_that_were_missed_are_counted_and_the_driver_keeps_the_last_command(
    probe, started, armed
):
    armed.drive(lambda: armed.speed() > 0.19, "full speed")
    outputs = probe.listen(Float64MultiArray, COMMANDS, RELIABLE)
    armed.drive(lambda: outputs, "outputs")
    safety_filter = next(p for p in started if p.module == "sinew_safety.safety_filter")
    safety_filter.signal(signal.SIGSTOP)
    seen = len(armed.states)
    armed.drive(lambda: len(armed.states) > seen + 10, "ten states without the filter")
    safety_filter.signal(signal.SIGCONT)
    held = armed.states[seen + 5]
    assert max(map(abs, held.velocity)) > 0.15
    armed.reports.clear()
    armed.drive(lambda: int(armed.report().get("cycles_missed", "0")) >= 5, "missed cycles")
    assert any(" h" in o.layout.dim[2].label for o in outputs)
    report = armed.report()
    assert report["state"] == "armed", report
