"""A nominal arm that no steps are fine enough for: what is known of the other is kept."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import yaml

import report_samples as samples
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import SimParams, write_sim_params
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid.gap import NoSimulator, measure_gap
from sinew_core.sysid.jobs import JOBS
from sinew_core.sysid.residual_band import BAND_FILE
from sysid_samples import PHYSICS_RATE_HZ, commands_of, controller_of, recording_of

IIWA = load_robot("iiwa14")
TRUTH = {"armature/lbr_A7": 0.05, "coulomb/lbr_A4": 1.0, "delay_s": 0.005}
"""The last joint's damping is that of its rotor, which the description does not tell of."""


def stiff():
    soft = controller_of(IIWA, "position")
    gains = {name: values.copy() for name, values in soft.gains.items()}
    gains["kp"][6], gains["kd"][6] = 2000.0, 20.0
    return dataclasses.replace(soft, gains=gains)


ARM = SimParams(dynamics=ArmDynamics.from_values(IIWA, TRUTH), controller=stiff())


@pytest.fixture(scope="module")
def recording():
    commands = commands_of(IIWA, "position", 3.0, 0)
    commands = dataclasses.replace(commands, topic="/forward_position_controller/commands")
    found, true_rad = recording_of(IIWA, ARM, commands)
    speed = np.gradient(true_rad, found.time_s, axis=0)
    return dataclasses.replace(found, velocity_rad_s=speed, zero_ns=1_700_000_000_000_000_000)


@pytest.fixture(scope="module")
def bag(recording, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bags") / "stiff"
    samples.write_bag(recording, folder)
    return str(folder)


def run(job, tmp_path, **given):
    told = []
    given = {"robot": "iiwa14", "output": str(tmp_path / "out"), **given}
    JOBS[job](given, told.append)
    said = [t["say"] for t in told if "say" in t]
    return json.loads((tmp_path / "out" / "report.json").read_text()), said, told[-1]["lines"]


def test_a_fit_is_written_and_the_nominal_arm_said_to_be_beyond_simulation(bag, tmp_path):
    controller = stiff()
    known = {name: values.tolist() for name, values in controller.gains.items()}
    known |= {"mode": "position", "hold": controller.hold, "gravity_compensation": True}
    (tmp_path / "controller.yaml").write_text(yaml.safe_dump(known))
    report, said, _ = run(
        "system_id",
        tmp_path,
        bag=bag,
        controller=str(tmp_path / "controller.yaml"),
        fit=" ".join(TRUTH),
        max_steps=6,
    )
    assert report["parameters"]["armature/lbr_A7"]["value"] == pytest.approx(0.05, rel=0.05)
    assert report["gap"]["nominal"]["prediction_rmse_rad"] is None
    assert report["gap"]["identified"]["prediction_rmse_rad"] < 3e-4
    assert any("nominal arm cannot be simulated at 20000 Hz" in sentence for sentence in said)
    assert (tmp_path / "out" / BAND_FILE).is_file()
    assert "diverges" in (tmp_path / "out" / "report.html").read_text()


def test_the_gap_of_the_identified_arm_is_measured_beside_a_nominal_one_that_cannot_be(
    bag, tmp_path
):
    file = tmp_path / "sim_params.yaml"
    file.write_text(write_sim_params(ARM, IIWA))
    report, _, lines = run("gap", tmp_path, bag=bag, sim_params=str(file))
    assert report["gap"]["nominal"]["rmse_rad"] is None
    assert report["gap"]["identified"]["rmse_rad"] < 3e-4
    assert any(line.startswith("nominal: the simulated arm diverges") for line in lines)


def test_a_prediction_that_diverges_is_no_error_but_a_gap_without_figures(recording):
    light = dataclasses.replace(ARM, dynamics=ArmDynamics.nominal(IIWA))
    for simulator in (Plant(IIWA, PHYSICS_RATE_HZ), NoSimulator()):
        gap = measure_gap(recording, simulator, light, "nominal")
        assert gap.diverges
        assert np.isnan(gap.simulated_rad).all()
