"""Arrays in the unit of another controller: nothing of them reaches an arm that is to move."""

from __future__ import annotations

import json

import pytest
from patience import PATIENT
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from conftest import ROOT
from guided_bundle import write_guided_bundle
from sinew_core.robots.catalogue import load_robot
from sinew_ros.qos import RELIABLE

pytestmark = [pytest.mark.graph, pytest.mark.slow, pytest.mark.beside]

RATES = {"physics_rate_hz": 500, "state_rate_hz": 100, "filter_rate_hz": 100}
VELOCITIES, POSITIONS = "forward_velocity_controller", "forward_position_controller"


def settings(values):
    return [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]


def files(*names):
    return [w for n in names for w in ("--params-file", str(ROOT / "config" / f"{n}.yaml"))]


@pytest.mark.parametrize(
    ("robot", "prefix", "adapter", "named", "runs", "refused"),
    [
        # Positions for velocities would be up to 3.14 rad/s, velocities for positions a jump to 0.
        ("ur5e", "ur5e_", "positions", VELOCITIES, VELOCITIES, "unit of the controller"),
        ("iiwa7", "", "forward", POSITIONS, POSITIONS, "unit of the controller"),
        ("ur5e", "ur5e_", "positions", "", VELOCITIES, "controller"),
        ("iiwa7", "", "forward", "", POSITIONS, "controller"),
    ],
)
def test_a_live_deployment_in_another_unit_sends_nothing(
    start_node, probe, tmp_path, robot, prefix, adapter, named, runs, refused
):
    heard = probe.listen(Float64MultiArray, f"{runs}/commands", RELIABLE)
    states = probe.listen(JointState, "joint_states", RELIABLE)
    common = {"robot": robot, "joint_prefix": f"'{prefix}'", **RATES}
    driver = settings({"engine": "mujoco", **common})
    start_node("sinew_sim.sim_driver", {}, *files(f"emulated/{robot}"), *driver)
    bundle = write_guided_bundle(tmp_path / "bundle", robot)
    real = files(f"real/{robot}", f"real/adapter_{adapter}", "real/mode_live")
    given = {**common, **PATIENT, "controller": f"'{named}'"}
    start_node("sinew_safety.safety_filter", {}, *real, *settings(given))
    policy = {"robot": robot, "bundle": bundle, "joint_prefix": f"'{prefix}'"}
    start_node("sinew_policy.policy", {}, *settings(policy))
    output = tmp_path / "report"
    own = {"mode": "live", "targets": 1, "window_s": 1.0, "output": output}
    deployment = start_node("sinew_policy.deployment", {}, *settings({**policy, **own}))
    deployment.supervised = False
    probe.until(lambda: not deployment.running(), "the end of the deployment", 90.0)
    assert deployment.wait() == 1, deployment.output
    assert refused in json.loads((output / "report.json").read_text())["failed"]
    assert not heard
    home = load_robot(robot).home_rad.tolist()
    arm = [state for state in states if len(state.name) == len(home)]
    placed = dict(zip(arm[-1].name, arm[-1].position, strict=True))
    names = [prefix + name for name in load_robot(robot).joint_names]
    assert [placed[name] for name in names] == pytest.approx(home, abs=1e-3)
