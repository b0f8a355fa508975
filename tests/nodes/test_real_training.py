"""Training on an arm whose driver is running, by the launch files of both, in processes."""

from __future__ import annotations

import contextlib
import json

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from patience import PATIENT
from std_srvs.srv import SetBool

from conftest import ROOT
from sinew_bringup.launch_file import LaunchFile
from sinew_bringup.launcher import command
from sinew_ros.qos import RELIABLE

pytestmark = [pytest.mark.graph, pytest.mark.slow]

STARTED_WITHIN_S = 150.0
# Slower than the arm is, which the machine may not keep up with.
RATES = {"physics_rate_hz": 500, "state_rate_hz": 50, "filter_rate_hz": 50}
SECTIONS = {"reach.episode_s": 0.8, "reach.hold_s": 0.2, "ddpg.warmup_steps": 1_000_000}
ORDER = [f"fr3_joint{number}" for number in (3, 1, 2, 7, 5, 6, 4)]


def start_launched(start_node, name, given, folder):
    """Start the nodes of a launch file with what it gives them."""
    folder.mkdir()
    for number, node in enumerate(LaunchFile(ROOT / "launch" / f"{name}.launch.yaml").nodes(given)):
        words = command(node, number, folder).arguments
        start_node(f"{node.package}.{node.executable}", None, *words[words.index("--ros-args") :])


def changed(path, folder, **sections):
    """Write a parameter file with other values in its sections, under the name of its folder."""
    content = yaml.safe_load(path.read_text())
    for name, values in sections.items():
        content[f"/**/{name}"]["ros__parameters"] |= values
    written = folder / f"{path.parent.name}.yaml"
    written.write_text(yaml.safe_dump(content))
    return str(written)


def test_an_arm_in_a_namespace_whose_states_and_joints_are_its_own_is_learned_on(
    start_node, probe, tmp_path
):
    config = ROOT / "config"
    here = {"robot": "fr3", "namespace": "left"}
    driver = {**RATES, "joint_prefix": "left_", "arm.controller_joints": ORDER}
    emulated = changed(config / "emulated" / "fr3.yaml", tmp_path, sim_driver=driver)
    real = changed(config / "real" / "fr3.yaml", tmp_path, safety_filter={**RATES, **PATIENT})
    sections = tmp_path / "training.yaml"
    sections.write_text(yaml.safe_dump({"/**": {"ros__parameters": SECTIONS}}))
    start_launched(start_node, "emulated_arm", {**here, "config": emulated}, tmp_path / "arm")
    given = {
        "simulated": "false",
        "joint_prefix": "left_",
        "states": "franka/joint_states",
        "config": real,
        "run": "real",
        "output": str(tmp_path),
        "training": str(sections),
    }
    start_launched(start_node, "train_graph", {**here, **given}, tmp_path / "nodes")
    progress = tmp_path / "real" / "progress.json"

    def steps():
        with contextlib.suppress(OSError, ValueError):
            return json.loads(progress.read_text())["env_steps"]
        return 0

    def armed():
        request = SetBool.Request(data=True)
        return probe.call(SetBool, "/left/safety_filter/arm", request).success

    probe.until(progress.is_file, "the learner", STARTED_WITHIN_S)
    reports = probe.listen(DiagnosticArray, "/left/diagnostics", RELIABLE)
    probe.until(armed, "arming")
    probe.until(lambda: steps() >= 40, "two episodes", 60.0)
    told = {v.key: v.value for r in reports for s in r.status for v in s.values}
    assert told["state"] == "armed"
