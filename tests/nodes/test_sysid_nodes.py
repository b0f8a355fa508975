"""The nodes that identify an arm and measure its gap, from a bag to an output folder."""

from __future__ import annotations

import json
import re
import signal
import time

import pytest
import yaml

import report_samples as samples
from sinew_core.randomisation import read_randomisation
from sinew_core.robots.sim_params import write_sim_params
from sinew_core.sysid.residual_band import read_band

pytestmark = [pytest.mark.graph, pytest.mark.beside, pytest.mark.slow]

SYSTEM_ID, GAP = "sinew_sysid.system_id", "sinew_sysid.gap"
PATIENCE_S = 240.0
LOADED = {"payload/mass": 0.8, "delay_s": 0.008}
FIT = "'payload/mass delay_s'"


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bags") / "arm"
    samples.write_bag(samples.record(LOADED, 8.5, seed=3), folder)
    return folder


@pytest.fixture
def controller(tmp_path):
    path = tmp_path / "controller.yaml"
    known = {"mode": "position", "kp": samples.KP, "kd": samples.KD, "gravity_compensation": True}
    path.write_text(yaml.safe_dump(known))
    return path


def until_told(process, text):
    deadline = time.monotonic() + PATIENCE_S
    while not re.search(text, process.output):
        assert process.running(), process.output
        assert time.monotonic() < deadline, process.output
        time.sleep(0.02)


def test_system_id_identifies_the_arm_of_a_bag(start_node, bag, controller, tmp_path):
    output = tmp_path / "out"
    node = start_node(
        SYSTEM_ID,
        {"bag": bag, "controller": controller, "output": output, "fit": FIT},
    )
    assert node.wait(PATIENCE_S) == 0, node.output
    told = json.loads((output / "report.json").read_text())
    assert told["verdict"] == "good", told["findings"]
    payload = told["parameters"]["payload/mass"]
    assert payload["value"] == pytest.approx(0.8, abs=4.0 * payload["sigma"] + 1e-3)
    assert told["delay_s"] == pytest.approx(LOADED["delay_s"], abs=2e-4)
    assert told["held_out"]["rmse_rad"] < 1.2 * samples.NOISE_RAD
    robot = samples.robot()
    assert read_randomisation(output / "randomization.yaml", robot).draw_values(0)
    assert read_band(output / "residual_band.yaml", robot).horizon_s == 0.5
    assert "cost" in node.output
    assert "verdict: good" in node.output


def test_an_interrupted_identification_keeps_its_best_step(start_node, bag, controller, tmp_path):
    output = tmp_path / "out"
    node = start_node(SYSTEM_ID, {"bag": bag, "controller": controller, "output": output})
    until_told(node, r"fit, step [1-9]")
    node.supervised = False
    node.signal(signal.SIGINT)
    assert node.wait(PATIENCE_S) == 0, node.output
    assert "Traceback" not in node.output
    assert (output / "report.json").is_file(), node.output


def test_ctrl_c_without_a_result_is_no_success(start_node, bag, controller, tmp_path):
    output = tmp_path / "out"
    node = start_node(SYSTEM_ID, {"bag": bag, "controller": controller, "output": output})
    until_told(node, "starting|reading")
    node.supervised = False
    node.signal(signal.SIGINT)
    assert node.wait(PATIENCE_S) == 1, node.output
    assert "system_id: stopped before there was anything to keep" in node.output
    assert "Traceback" not in node.output
    assert not output.exists()


@pytest.mark.parametrize(
    ("given", "told"), [({"bag": "/no/such/bag"}, "/no/such/bag"), ({}, "bag is empty")]
)
def test_a_mistake_ends_with_one_line(start_node, tmp_path, given, told):
    node = start_node(SYSTEM_ID, {"output": tmp_path / "out", **given})
    assert node.wait(PATIENCE_S) == 1
    lines = [line for line in node.output.splitlines() if line.startswith("system_id")]
    assert len(lines) == 1, node.output
    assert told in lines[0]
    assert "Traceback" not in node.output
    assert not (tmp_path / "out").exists()


def test_gap_compares_the_nominal_and_the_identified_arm(start_node, bag, tmp_path):
    sim_params = tmp_path / "sim_params.yaml"
    sim_params.write_text(write_sim_params(samples.arm(LOADED), samples.robot()))
    output = tmp_path / "gap"
    node = start_node(GAP, {"bag": bag, "sim_params": sim_params, "output": output})
    assert node.wait(PATIENCE_S) == 0, node.output
    told = json.loads((output / "report.json").read_text())["gap"]
    assert told["identified"]["prediction_rmse_rad"] < 1.5 * samples.NOISE_RAD
    assert told["nominal"]["prediction_rmse_rad"] > 20.0 * samples.NOISE_RAD
    assert told["nominal"]["effort_nm"]["rmse"]["panda_joint4"] > 1.0
    assert "<img" in (output / "report.html").read_text()
    assert node.output.count("identified   panda_joint") == 7
