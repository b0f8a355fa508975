"""A policy of each robot, deployed by the launch file on the arm that behaves as the real one."""

from __future__ import annotations

import json

import pytest
import yaml
from one_process import run_launch_file

from conftest import ROOT
from guided_bundle import write_guided_bundle
from sinew_core.errors import BundleError
from sinew_core.rates import Rates

pytestmark = [pytest.mark.graph, pytest.mark.slow, pytest.mark.beside]

RAW = {"joint_states": "franka/joint_states"}
LBR = {"namespace": "lbr"}
XARM = Rates(state_rate_hz=50, filter_rate_hz=50)
ARMS = [
    # The faster an arm, the fewer episodes.
    ("ur5e", 1, {}, Rates()),
    ("fr3", 2, RAW, Rates()),
    ("panda", 2, RAW, Rates()),
    ("iiwa7", 4, LBR, Rates()),
    ("iiwa14", 4, LBR, Rates()),
    ("xarm7", 4, {}, XARM),
    ("gen3", 4, {}, Rates()),
]


def deployed(name, folder, *, episodes, rates=None, **more):
    """Run the deployment in lockstep; return the evaluator's figures."""
    output = folder / "figures.json"
    arguments = {
        "bundle": str(write_guided_bundle(folder / "bundle", name, rates)),
        "robot": name,
        "emulate": name,
        "engine": "mujoco",
        "episodes": str(episodes),
        "output": str(output),
        **more,
    }
    run_launch_file(ROOT / "launch" / "deploy_sim.launch.yaml", arguments, folder)
    return json.loads(output.read_text())


@pytest.fixture(autouse=True)
def ros_home(tmp_path, monkeypatch):
    """Keep latches apart."""
    monkeypatch.setenv("ROS_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "episodes", "where", "rates"), ARMS, ids=[name for name, *_ in ARMS]
)
def test_a_policy_reaches_on_the_emulated_arm(name, episodes, where, rates, tmp_path):
    figures = deployed(name, tmp_path, episodes=episodes, rates=rates, **where)
    assert figures["episodes"] == episodes
    assert figures["success_rate"] >= 0.9
    assert (figures["limit_violations"], figures["faults"]) == (0, 0)


def test_an_old_driver_that_takes_velocities_without_moving_is_noticed(tmp_path):
    old = {"adapter": "forward", "arm.follows": False}
    path = tmp_path / "old.yaml"
    path.write_text(yaml.safe_dump({"/**/sim_driver": {"ros__parameters": old}}))
    figures = deployed("gen3", tmp_path, episodes=1, config=str(path))
    assert figures["successes"] == 0
    assert set(figures["fault_reasons"]) == {"filter fault observer_empty"}


def test_a_bundle_for_a_faster_filter_than_the_arm_s_is_refused(tmp_path):
    with pytest.raises(BundleError, match="filter_rate_hz: expected at least 100, found 50"):
        deployed("xarm7", tmp_path, episodes=1)
