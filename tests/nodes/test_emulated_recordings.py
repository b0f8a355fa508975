"""Deployments on emulated arms, recorded by the launch file: what the bag tells of them."""

from __future__ import annotations

import contextlib
import json

import pytest
from one_process import run_launch_file

from conftest import ROOT
from guided_bundle import write_guided_bundle
from sinew_core.bags.bag import Bag
from sinew_core.deployment.bag_evaluation import evaluate_bag
from sinew_core.deployment.bag_parameters import BagEvaluationParameters

pytestmark = [pytest.mark.graph, pytest.mark.slow, pytest.mark.beside]

ARMS = [
    # robot, arguments of the launch file, joint states and outputs in the bag
    ("ur5e", {}, "/joint_states", "/forward_velocity_controller/commands"),
    (
        "fr3",
        {"joint_states": "franka/joint_states"},
        "/franka/joint_states",
        "/fr3_arm_controller/joint_trajectory",
    ),
    (
        "iiwa7",
        {"namespace": "lbr"},
        "/lbr/joint_states",
        "/lbr/forward_position_controller/commands",
    ),
]


@pytest.mark.parametrize(("name", "where", "states", "outputs"), ARMS, ids=[a[0] for a in ARMS])
def test_the_bag_of_an_emulated_arm_is_judged_as_the_arm_was(
    name, where, states, outputs, tmp_path, monkeypatch
):
    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    bag, output = tmp_path / "bag", tmp_path / "figures.json"
    bundle = str(write_guided_bundle(tmp_path / "bundle", name))
    arguments = {
        "bundle": bundle,
        "robot": name,
        "emulate": name,
        "engine": "mujoco",
        "episodes": "1",
        "output": str(output),
        "record": "true",
        "recording": str(bag),
        **where,
    }
    run_launch_file(ROOT / "launch" / "deploy_sim.launch.yaml", arguments, tmp_path)
    live = json.loads(output.read_text())
    with contextlib.closing(Bag(bag)) as recorded:
        n_states, n_outputs = (
            sum(1 for _ in recorded.messages({topic: recorded.topics[topic]}))
            for topic in (states, outputs)
        )
    # In lockstep each joint state of an episode is answered once, the one that ends it excepted.
    assert n_states > n_outputs >= live["states"] - 1 > 0
    parameters = BagEvaluationParameters(
        bag=str(bag),
        bundle=bundle,
        namespace=where.get("namespace", ""),
        state_topic=where.get("joint_states", "joint_states"),
    )
    judged = evaluate_bag(parameters).figures
    same = ("episodes", "successes", "states", "return_mean", "messages_lost")
    assert {key: judged[key] for key in same} == {key: live[key] for key in same}
