"""The excite node with driver, safety filter and recorder, as real processes."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from patience import PATIENT
from std_srvs.srv import SetBool, Trigger

from sinew_core.bags.reader import read_recording
from sinew_core.robots.catalogue import load_robot
from sinew_core.sysid.excitation.plan import read_plan
from sinew_ros.qos import RELIABLE

pytestmark = [pytest.mark.graph, pytest.mark.slow]

DRIVER, FILTER = "sinew_sim.sim_driver", "sinew_safety.safety_filter"
EXCITE, RECORD = "sinew_sysid.excite", "sinew_sysid.record"
ROBOT = load_robot("panda")
RATES = {"physics_rate_hz": 500, "state_rate_hz": 100, "filter_rate_hz": 100}
RATES["control_rate_hz"] = 100
LATENCY = "safety.max_latency_periods"
# Away from home, so that there is a way to go first.
PLAN = {
    "excitation.duration_s": 2.0,
    "excitation.period_s": 2.0,
    "excitation.evaluations": 20,
    "home_speed_rad_s": 1.0,
}


@pytest.fixture
def start(start_node, tmp_path):
    """Return `start(mode, pace, **excite parameters)`, which gives the processes by name."""

    def starts(mode="joint_velocity", pace="lockstep", prefix="", **parameters):
        common = {**RATES, "mode": mode, "pace": pace}
        if prefix:
            common["joint_prefix"] = prefix
        late = {} if pace == "lockstep" else {LATENCY: PATIENT[LATENCY]}
        patient = {**PATIENT, LATENCY: late.get(LATENCY, 0)}
        given = {"output": tmp_path / "out", "arm": True, "state_timeout_s": 5.0, **PLAN}
        return {
            "driver": start_node(DRIVER, {**common, "engine": "mujoco"}),
            "filter": start_node(FILTER, {**common, **patient}),
            "excite": start_node(EXCITE, {**common, **late, **given, **parameters}),
        }

    return starts


def wait_for_end(probe, process):
    process.supervised = False
    probe.until(lambda: not process.running(), f"the end of {process.module}", 120.0)
    return process.wait()


def reports(probe):
    """Return a function that gives what a node last reported."""
    heard = probe.listen(DiagnosticArray, "diagnostics", RELIABLE)

    def last(name):
        found = [s for r in heard for s in r.status if s.name == name]
        return {v.key: v.value for v in found[-1].values} if found else {}

    return last


@pytest.mark.beside
@pytest.mark.parametrize(
    ("mode", "prefix"), [("joint_velocity", ""), ("joint_position", "left_"), ("joint_effort", "")]
)
def test_the_arm_follows_the_plan_and_the_filter_changes_nothing(
    mode, prefix, start, start_node, probe, tmp_path
):
    arm = {"robot": "panda", "mode": mode, **({"joint_prefix": prefix} if prefix else {})}
    record = start_node(RECORD, {"output": tmp_path / "bag", **arm})
    nodes = start(mode, prefix=prefix)
    assert wait_for_end(probe, nodes["excite"]) == 0, nodes["excite"].output
    assert record.interrupt() == 0
    figures = json.loads((tmp_path / "out" / "excite.json").read_text())
    assert figures["interventions"] == {}
    assert max(figures["tracking_max_rad"].values()) < 5e-3
    output = nodes["excite"].output
    assert output.index("predicted standard deviations") < output.index("going home")
    assert (tmp_path / "out" / "plan.png").stat().st_size > 10_000

    plan = read_plan(tmp_path / "out" / "plan.yaml", ROBOT)
    recording = read_recording(
        tmp_path / "bag",
        ROBOT.joint_names,
        command_mode=mode.removeprefix("joint_"),
        joint_prefix=prefix,
        robot=ROBOT,
    )
    wanted = plan.reference.position_rad
    assert figures["samples"] == len(wanted)
    # Where it is nearest to the plan, the recorded motion is the plan, sample by sample.
    lasts = len(recording.time_s) - len(wanted)
    starts = range(max(lasts, 0) + 1)
    off = min(np.abs(recording.position_rad[s : s + len(wanted)] - wanted).max() for s in starts)
    assert off < 5e-3
    assert np.abs(recording.position_rad[-1] - ROBOT.home_rad).max() < 5e-3
    assert recording.commands is not None
    assert recording.commands.mode == mode.removeprefix("joint_")


def test_a_motion_in_real_time_ends_at_home(start, probe, tmp_path):
    nodes = start("joint_velocity", "realtime")
    assert wait_for_end(probe, nodes["excite"]) == 0, nodes["excite"].output
    figures = json.loads((tmp_path / "out" / "excite.json").read_text())
    assert max(figures["tracking_max_rad"].values()) < 0.3


def test_an_operator_arms_and_a_stop_ends_the_motion_with_its_reason(start, probe):
    nodes = start("joint_velocity", "realtime", arm=False)
    last = reports(probe)
    probe.until(lambda: "ready to move" in nodes["excite"].output, "the plan", 60.0)
    assert last("excite").get("phase", "arming") in ("arming", "planning", "connecting")
    assert probe.call(SetBool, "safety_filter/arm", SetBool.Request(data=True)).success
    probe.until(lambda: last("excite").get("phase") == "exciting", "the motion", 60.0)
    nodes["excite"].supervised = False
    assert probe.call(Trigger, "safety_filter/stop").success
    assert wait_for_end(probe, nodes["excite"]) == 1
    assert "safety_filter is " in nodes["excite"].output
    assert "~/stop was called" in nodes["excite"].output
    assert "call safety_filter/clear, and start again" in nodes["excite"].output


def test_ctrl_c_brakes_the_arm_and_leaves_no_latch(start, probe):
    nodes = start("joint_velocity", "realtime")
    last = reports(probe)
    probe.until(lambda: last("excite").get("phase") == "exciting", "the motion", 60.0)
    nodes["excite"].supervised = False
    nodes["excite"].signal(signal.SIGINT)
    assert wait_for_end(probe, nodes["excite"]) == 0
    probe.until(lambda: last("safety_filter").get("state") == "disarmed", "the filter disarmed")


@pytest.mark.beside
def test_another_filter_than_the_plans_is_refused_before_anything_moves(start, probe):
    nodes = start("joint_velocity", "lockstep", **{"safety.margin_rad": 0.02})
    assert wait_for_end(probe, nodes["excite"]) == 1
    assert "safety.margin_rad is 0.005 there and 0.02 here" in nodes["excite"].output
    assert "going home" not in nodes["excite"].output


@pytest.mark.beside
def test_a_plan_alone_needs_no_graph_and_is_replayed_from_its_file(start_node, tmp_path):
    common = {**RATES, "plan_only": True, "excitation.evaluations": 20}
    common |= {"excitation.duration_s": 2.0, "excitation.period_s": 2.0}
    first = start_node(EXCITE, {**common, "output": tmp_path / "a"})
    assert first.wait(60.0) == 0, first.output
    second = start_node(
        EXCITE, {**common, "output": tmp_path / "b", "plan": tmp_path / "a" / "plan.yaml"}
    )
    slower = start_node(
        EXCITE,
        {**common, "output": tmp_path / "c", "plan": tmp_path / "a" / "plan.yaml"}
        | {"state_rate_hz": 250, "filter_rate_hz": 250, "control_rate_hz": 250},
    )
    assert second.wait(60.0) == 0, second.output
    plans = [read_plan(tmp_path / name / "plan.yaml", ROBOT) for name in "ab"]
    assert plans[0].reference.position_rad.tobytes() == plans[1].reference.position_rad.tobytes()
    assert slower.wait(60.0) == 1
    assert "has 100 samples a second" in slower.output
