"""Driver, safety filter, source and gap monitor as real processes."""

from __future__ import annotations

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from patience import PATIENT
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

import report_samples as samples
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.sim_params import SimParams, write_sim_params
from sinew_core.sysid.residual_band import ResidualBand, band_text
from sinew_ros.messages import CommandMessage
from sinew_ros.qos import RELIABLE
from sinew_ros.stamps import stamp_ns

pytestmark = [pytest.mark.graph, pytest.mark.slow]

PATIENT_EFFORT = {"mode": "joint_effort", **PATIENT}
LIMIT_RAD = 2e-3
EFFORT_NM = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.05]


class Graph:
    """The arm under a source of small efforts, and what the monitor says of it."""

    def __init__(self, start_node, probe, folder, dynamics, prefix=""):
        robot = samples.robot()
        params = folder / "sim_params.yaml"
        controller = ArmController(mode="effort", gains={}, gravity_compensation=True)
        known = SimParams(
            dynamics=ArmDynamics.from_values(robot, {"viscous/*": 1.0}), controller=controller
        )
        params.write_text(write_sim_params(known, robot))
        band = ResidualBand(horizon_s=0.5, limit_rad=[LIMIT_RAD] * 7)
        (folder / "residual_band.yaml").write_text(band_text(band, robot.joint_names, []))
        arm = folder / "arm.yaml"
        arm.write_text(yaml.safe_dump({"dynamics": {"viscous/*": 1.0} | dynamics}))
        driver = {"engine": "mujoco", "mode": "joint_effort", "driver_watchdog_s": 2.0}
        common = {"joint_prefix": prefix} if prefix else {}
        start_node("sinew_sim.sim_driver", driver | {"sim_params": arm} | common)
        start_node("sinew_safety.safety_filter", PATIENT_EFFORT | common)
        start_node(
            "sinew_sysid.gap_monitor",
            {"sim_params": params, "judge_rate_hz": 5.0, "command_timeout_s": 1.0, **common},
        )
        self.probe = probe
        self.states = probe.listen(JointState, "joint_states", RELIABLE)
        self.reports = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)
        names = [prefix + name for name in robot.joint_names]
        self.command = CommandMessage(names, "joint_effort", "test", 0.04)
        self.publisher = probe.publisher(JointTrajectory, "policy/command", RELIABLE)
        probe.context = self.values

    def monitor(self):
        found = [s for r in self.reports for s in r.status if s.name == "gap_monitor"]
        return found[-1] if found else DiagnosticStatus()

    def values(self):
        return {v.key: v.value for v in self.monitor().values}

    def judged(self):
        return int(self.values().get("predictions", "0"))

    def drive(self, condition, what):
        """Send efforts at the rate of the states until the condition holds."""
        seen = len(self.states)

        def check():
            nonlocal seen
            if len(self.states) > seen:
                seen = len(self.states)
                stamp = stamp_ns(self.states[-1].header.stamp)
                self.publisher.publish(self.command.fill(stamp, EFFORT_NM))
            return condition()

        self.probe.until(check, what, 120.0)  # the first prediction may wait for a compiler

    def arm(self):
        self.drive(lambda: self.values().get("waiting for") == "nothing", "a first prediction")
        assert self.probe.call(SetBool, "safety_filter/arm", SetBool.Request(data=True)).success


def test_the_arm_that_was_identified_gives_no_warning(start_node, probe, tmp_path):
    graph = Graph(start_node, probe, tmp_path, {}, prefix="left_")
    graph.arm()
    begun = graph.judged()
    graph.drive(lambda: graph.states[-1].velocity[6] > 0.02, "motion")
    graph.drive(lambda: graph.judged() > begun + 10, "predictions")
    levels = {s.level for r in graph.reports for s in r.status if s.name == "gap_monitor"}
    assert levels == {DiagnosticStatus.OK}, graph.values()


def test_a_payload_that_nobody_told_of_gives_a_warning(start_node, probe, tmp_path):
    graph = Graph(start_node, probe, tmp_path, {"payload/mass": 1.0})
    graph.drive(lambda: graph.monitor().level == DiagnosticStatus.WARN, "a warning")
    assert "not as identified" in graph.monitor().message
    residual = float(graph.values()["residual_mrad/panda_joint4"])
    assert residual > 1e3 * LIMIT_RAD
