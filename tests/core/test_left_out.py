"""What a fit left out of an arm is noticed, named and sized, and nothing else is."""

import dataclasses
import json

import numpy as np
import pytest

import report_samples
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.identification import LeftOut, StandIn
from sinew_core.sysid.identify import identify
from sinew_core.sysid.options import IdentifyOptions
from sinew_core.sysid.outputs import identification_files
from sinew_core.sysid.outputs.lines import identification_lines
from sinew_core.sysid.score_test import Score
from sysid_samples import (
    PHYSICS_RATE_HZ,
    commands_of,
    controller_of,
    known_of,
    recording_of,
    true_values,
)

IIWA = load_robot("iiwa14")
FITTED = ("mass/lbr_link_5", "mass/lbr_link_6", "coulomb/lbr_A4", "viscous/lbr_A4", "delay_s")
TRUTH = {name: true_values(IIWA, 3)[name] for name in FITTED}
PAYLOAD = {"payload/mass": 0.3, "payload/z_m": 0.05}
ROTOR = {"armature/lbr_A4": 0.05}


def identified(left_out, patterns=FITTED, seed=0, duration_s=3.0, **options):
    """What is found of an arm that has more than what is fitted."""
    controller = controller_of(IIWA, "position")
    dynamics = ArmDynamics.from_values(IIWA, {**TRUTH, **left_out})
    params = SimParams(dynamics=dynamics, controller=controller)
    commands = commands_of(IIWA, "position", duration_s, seed, params=params)
    recording, _ = recording_of(IIWA, params, commands, seed=seed)
    choices = IdentifyOptions(parameters=patterns, physics_rate_hz=PHYSICS_RATE_HZ, **options)
    return identify(recording, IIWA, known_of(controller), choices)


def shown(found):
    return [group.name for group in found.shown]


def test_a_payload_that_was_not_fitted_is_named_and_weighed():
    found = identified(PAYLOAD)
    assert found.verdict == "model_mismatch"
    assert shown(found)[0] == "payload"
    payload = found.shown[0]
    assert payload.values["payload/mass"] == pytest.approx(0.3, rel=0.05)
    assert payload.values["payload/z_m"] == pytest.approx(0.05, abs=0.01)
    assert payload.score.dof == 4
    moved = payload.stand_ins[0]
    assert moved.name in ("mass/lbr_link_5", "mass/lbr_link_6")
    estimate = next(e for e in found.estimates if e.name == moved.name)
    # One step leads most of the way to the truth.
    before = abs(estimate.value - TRUTH[moved.name])
    assert abs(estimate.value + moved.shift - TRUTH[moved.name]) < 0.2 * before
    assert any(f'fit:="{" ".join(FITTED)} payload"' in sentence for sentence in found.findings)


def test_the_payload_fitted_nothing_is_left():
    found = identified(PAYLOAD, patterns=(*FITTED, "payload"))
    assert found.verdict == "good"
    assert shown(found) == []


def test_weaker_motors_are_named_though_masses_and_frictions_take_their_place():
    found = identified({"motor_strength/*": 0.98})
    assert found.verdict == "model_mismatch"
    assert shown(found)[0] == "motor_strength/*"
    values = found.shown[0].values
    assert list(values.values()) == pytest.approx([0.98] * len(values), abs=0.01)


def test_friction_that_rises_towards_rest_is_named():
    found = identified({"stribeck/stiction": 1.4})
    assert found.verdict == "model_mismatch"
    assert shown(found)[0] == "stribeck/stiction"
    assert found.shown[0].values["stribeck/stiction"] == pytest.approx(1.4, abs=0.15)


def test_a_verdict_is_not_good_for_residuals_within_the_noise_alone():
    found = identified(ROTOR)
    assert found.chi2_per_sample < 1.1
    assert found.verdict == "model_mismatch"
    assert shown(found)[0] == "armature/*"
    # Of the seven rotors the one that there is.
    assert list(found.shown[0].values) == ["armature/lbr_A4"]
    assert found.shown[0].values["armature/lbr_A4"] == pytest.approx(0.05, rel=0.1)
    assert "stand in for what was not fitted" in found.findings[0]
    assert not any("Chi-square" in sentence for sentence in found.findings)


def test_what_is_too_small_to_matter_is_no_mismatch():
    # A third of the friction that counts as nothing, 0.1 % of 320 N m: significant all the same.
    found = identified({"coulomb/lbr_A2": 0.1})
    frictions = next(group for group in found.left_out if group.name == "coulomb/*")
    assert frictions.score.log_p < -20.0
    assert (found.verdict, shown(found)) == ("good", [])


def test_a_fit_that_ended_far_from_its_optimum_is_not_judged_by_what_it_left_out():
    found = identified(PAYLOAD, max_steps=1)
    assert found.left_out is None
    assert found.verdict == "not_converged"


@pytest.mark.slow
def test_arms_of_the_fitted_kind_stay_good():
    for seed in range(4):
        found = identified({}, seed=seed)
        assert (found.verdict, shown(found)) == ("good", []), seed
        assert found.left_out is not None


SHOWN = LeftOut(
    name="payload",
    score=Score(statistic=120.0, dof=4, log_p=-50.0),
    shown=True,
    values={"payload/mass": 0.31, "payload/z_m": 0.04},
    units={"payload/mass": "kg", "payload/z_m": "m"},
    stand_ins=(StandIn(name="mass/panda_link5", shift=-0.5, sigmas=-12.0),),
)
QUIET = LeftOut(name="armature/*", score=Score(statistic=5.0, dof=7, log_p=-0.4))


@pytest.fixture(scope="module")
def told():
    found = report_samples.identification()
    return dataclasses.replace(
        found, verdict="model_mismatch", left_out=(SHOWN, QUIET), findings=("Remedy: this.",)
    )


def test_the_report_has_what_was_left_out(told):
    files = identification_files(told, report_samples.robot(), [], date="2026-01-02")
    report = json.loads(files["report.json"])["left_out"]
    assert list(report) == ["payload", "armature/*"]
    assert report["payload"] == {
        "shown": True,
        "statistic": 120.0,
        "dof": 4,
        "p_value": pytest.approx(np.exp(-50.0)),
        "values": {"payload/mass": 0.31, "payload/z_m": 0.04},
        "possible": True,
        "stand_ins": {"mass/panda_link5": {"shift": -0.5, "sigmas": -12.0}},
    }
    assert not report["armature/*"]["shown"]
    page = files["report.html"]
    assert "Left out, but shown by the data" in page
    assert "mass 0.31 kg" in page
    assert "mass/panda_link5 (-12)" in page
    assert identification_lines(told)[-2:] == ["verdict: model mismatch", "- Remedy: this."]


def test_a_report_of_a_fit_that_left_nothing_out_has_no_such_table():
    found = report_samples.identification()
    files = identification_files(found, report_samples.robot(), [], date="2026-01-02")
    assert json.loads(files["report.json"])["left_out"] is None
    assert "shown by the data" not in files["report.html"]
