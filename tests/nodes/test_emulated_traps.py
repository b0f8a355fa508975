"""The traps of real arms: what stops them is seen, and nothing moves again by itself."""

from __future__ import annotations

import json
import math

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from patience import PATIENT
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from conftest import ROOT
from guided_bundle import write_guided_bundle
from sinew_core.robots.catalogue import load_robot
from sinew_ros.messages import CommandMessage
from sinew_ros.qos import RELIABLE
from sinew_ros.stamps import stamp_ns

pytestmark = [pytest.mark.graph, pytest.mark.slow]

DRIVER, FILTER = "sinew_sim.sim_driver", "sinew_safety.safety_filter"
RATES = {"physics_rate_hz": 500, "state_rate_hz": 100, "filter_rate_hz": 100}


def settings(values):
    return [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]


class Arm:
    """An emulated arm and a filter, as a test drives them with velocities."""

    def __init__(self, start_node, probe, robot, *, driver=(), safety=PATIENT, prefix=""):
        self.probe, self.robot = probe, load_robot(robot)
        file = ROOT / "config" / "emulated" / f"{robot}.yaml"
        common = {"robot": robot, **RATES}
        given = ["--params-file", str(file)]
        plain = {"engine": "mujoco"}
        start_node(DRIVER, {}, *given, *settings({**plain, **common, **dict(driver)}))
        self.filter = start_node(FILTER, {}, *given, *settings({**common, **safety}))
        self.states = probe.listen(JointState, "joint_states", RELIABLE)
        self.reports = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
        names = [prefix + name for name in self.robot.joint_names]
        self.joint = names[-1]
        self.command = CommandMessage(names, "joint_velocity", "test", 0.04)
        self.publisher = probe.publisher(JointTrajectory, "policy/command", RELIABLE)
        probe.context = lambda: self.report("safety_filter")
        probe.until(lambda: self.states and self.state(), "states and diagnostics", 60.0)

    def report(self, node):
        found = [s for r in self.reports for s in r.status if s.name == node]
        return {v.key: v.value for v in found[-1].values} if found else {}

    def state(self):
        return self.report("safety_filter").get("state")

    def reason(self):
        return self.report("safety_filter")["reason"]

    def controller(self):
        """Return whether the controller manager's diagnostics call the controller active."""
        found = [
            s for r in self.reports for s in r.status if s.name.endswith("Controllers Activity")
        ]
        states = {v.key: v.value for v in found[-1].values} if found else {}
        return states.get("forward_velocity_controller.state")

    def armed(self):
        call = lambda: self.probe.call(SetBool, "safety_filter/arm", SetBool.Request(data=True))  # noqa: E731
        self.probe.until(lambda: call().success, "arming")

    def program(self, *, runs):
        request = SetBool.Request(data=runs)
        assert self.probe.call(SetBool, "sim_driver/program_running", request).success

    def cleared(self):
        call = lambda: self.probe.call(Trigger, "safety_filter/clear")  # noqa: E731
        self.probe.until(lambda: call().success, "clear")

    def speed(self):
        """Return the last joint's velocity in rad/s, from the latest state that tells it."""
        for state in reversed(self.states):
            if self.joint in state.name:
                return state.velocity[list(state.name).index(self.joint)]
        return math.nan

    def drive(self, condition, what, speed=0.2):
        seen = len(self.states)
        values = [speed] * self.robot.n_joints

        def check():
            nonlocal seen
            if len(self.states) > seen:
                seen = len(self.states)
                self.publisher.publish(
                    self.command.fill(stamp_ns(self.states[-1].header.stamp), values)
                )
            return condition()

        self.probe.until(check, what)

    def moving(self):
        self.drive(lambda: self.speed() > 0.15, "motion")

    def at_rest(self):
        self.probe.until(lambda: abs(self.speed()) < 1e-3, "rest")

    def latched(self):
        self.drive(lambda: self.state() == "latched", "a latch")


def test_a_stopped_universal_robot_moves_again_only_when_armed_again(start_node, probe):
    arm = Arm(start_node, probe, "ur5e", prefix="ur5e_")
    arm.armed()
    arm.moving()
    arm.program(runs=False)
    arm.latched()
    assert "observer_empty" in arm.reason() or "frozen" in arm.reason()
    arm.at_rest()
    probe.until(lambda: arm.controller() == "inactive", "the controller's state")
    # The stopper activates the controller again; a filter that went on would move the arm now.
    arm.program(runs=True)
    probe.until(lambda: arm.controller() == "active", "the controller's state")
    seen = len(arm.states)
    arm.drive(lambda: len(arm.states) > seen + 60, "more states")
    assert max(abs(v) for s in arm.states[seen:] for v in s.velocity) < 1e-3
    arm.cleared()
    arm.armed()
    arm.moving()
    # A wrong length deactivates a forward controller, whoever sends it.
    other = probe.publisher(Float64MultiArray, "forward_velocity_controller/commands", RELIABLE)
    other.publish(Float64MultiArray(data=[0.1] * 5))
    arm.latched()
    probe.until(lambda: arm.controller() == "inactive", "the controller's state")
    assert "a command of 5 values for 6 joints" in arm.report("sim_driver")["stopped"]
    arm.at_rest()
    arm.program(runs=True)
    arm.cleared()
    arm.armed()
    arm.moving()
    # There is no timeout behind the filter: without one that supervises it, the arm moves on.
    arm.filter.kill()
    seen = len(arm.states)
    probe.until(lambda: len(arm.states) > seen + 60, "more states")
    assert arm.speed() > 0.15


def test_the_guard_of_a_kuka_closes_the_connection_at_a_jump(start_node, probe):
    file = ROOT / "config" / "emulated" / "iiwa7.yaml"
    plain = {"robot": "iiwa7", "engine": "mujoco"}
    start_node(DRIVER, {}, "--params-file", str(file), *settings(plain))
    states = probe.listen(JointState, "joint_states", RELIABLE)
    reports = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
    commands = probe.publisher(Float64MultiArray, "forward_position_controller/commands", RELIABLE)
    probe.until(lambda: states, "states")
    assert all(map(math.isnan, states[-1].velocity))
    home = list(states[-1].position)
    commands.publish(Float64MultiArray(data=[q + 0.3 for q in home]))

    def told():
        found = [s for r in reports for s in r.status if s.name == "sim_driver"]
        return {v.key: v.value for v in found[-1].values} if found else {}

    probe.until(lambda: told().get("controller_state") == "closed", "a closed connection")
    assert "jumps by 0.3000 rad in 10 ms, its velocity limit allows 0.0171" in told()["stopped"]
    assert list(states[-1].position) == pytest.approx(home, abs=1e-3)
    count, told_before = len(states), len(reports)
    probe.until(lambda: len(reports) > told_before, "a second more")
    assert len(states) == count
    assert probe.call(Trigger, "sim_driver/reset").success
    probe.until(lambda: len(states) > count + 5, "states again")


@pytest.mark.beside
def test_the_merged_states_of_a_franka_are_refused_for_their_rate(start_node, probe, tmp_path):
    file = ROOT / "config" / "emulated" / "fr3.yaml"
    start_node(DRIVER, {}, "--params-file", str(file), *settings({"robot": "fr3", **RATES}))
    bundle = write_guided_bundle(tmp_path / "bundle", "fr3")
    real = ["--params-file", str(ROOT / "config" / "real" / "fr3.yaml")]
    # At 30 Hz states get older than this; whether they do than the 40 ms of the file is luck.
    strict = settings({"robot": "fr3", "watchdog.state_timeout_s": 0.02})
    start_node(FILTER, {}, *real, *strict)  # after the file, whose own value would hold else
    start_node("sinew_policy.policy", {"robot": "fr3", "bundle": bundle}, *real)
    raw = probe.listen(JointState, "franka/joint_states", RELIABLE)
    merged = probe.listen(JointState, "joint_states", RELIABLE)
    output = tmp_path / "report"
    quick = {"bundle": bundle, "window_s": 1.0, "targets": 1, "output": output}
    deployment = start_node("sinew_policy.deployment", quick, *real)
    deployment.supervised = False
    probe.until(lambda: not deployment.running(), "the end of preflight", 60.0)
    assert deployment.wait() == 1, deployment.output
    report = json.loads((output / "report.json").read_text())
    checks = {check["what"]: check for check in report["checks"]}
    assert "rate of joint_states" in report["failed"]
    assert checks["rate of joint_states"]["expected"].startswith("at least 225 Hz")
    assert checks["unit of the controller"]["verdict"] == "ok"
    assert len(raw) > 2 * len(merged) > 20
    assert {"fr3_joint1", "fr3_finger_joint1"} <= set(merged[-1].name)
    assert not any("finger" in name for name in raw[-1].name)

    # A filter that is armed without preflight refuses, or latches at the first gap.
    def refused():
        answer = probe.call(SetBool, "safety_filter/arm", SetBool.Request(data=True))
        return "joint states are stale" in answer.message

    probe.until(refused, "a refusal")
