"""An arm is identified from a recording of a simulated one whose true values are known.

Few values differ from the description and are fitted, so that a fit takes a second or two.
"""

import dataclasses
import itertools

import numpy as np
import pytest

from sinew_core.errors import IdentificationError
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid import fitting
from sinew_core.sysid.identify import identify
from sinew_core.sysid.options import IdentifyOptions
from sinew_core.sysid.validation import error_against
from sysid_samples import (
    PHYSICS_RATE_HZ,
    commands_of,
    controller_of,
    known_of,
    recording_of,
    true_values,
)

IIWA = load_robot("iiwa14")
FITTED = ("mass/lbr_link_4", "coulomb/lbr_A4", "viscous/lbr_A4", "coulomb/lbr_A6")
TRUTH = {name: true_values(IIWA, 3)[name] for name in (*FITTED, "delay_s")}


def arm(mode, values=TRUTH):
    return SimParams(
        dynamics=ArmDynamics.from_values(IIWA, values), controller=controller_of(IIWA, mode)
    )


def recorded(mode="position", duration_s=4.0, seed=0, values=TRUTH, joints=None, **options):
    params = arm(mode, values)
    commands = commands_of(IIWA, mode, duration_s, seed, joints=joints, params=params)
    return recording_of(IIWA, params, commands, seed=seed, **options)


def identified(recording, mode="position", patterns=(*FITTED, "delay_s"), gains=True, **options):
    held_out = options.pop("held_out", None)
    progress = options.pop("progress", None)
    known = known_of(controller_of(IIWA, mode), gains)
    options.setdefault("physics_rate_hz", PHYSICS_RATE_HZ)
    choices = IdentifyOptions(parameters=patterns, **options)
    return identify(recording, IIWA, known, choices, held_out, progress)


def check_truth(found, names=(*FITTED, "delay_s"), sigmas=4.0):
    for estimate in found.estimates:
        if estimate.name in names:
            assert estimate.identifiable, estimate
            assert abs(estimate.value - TRUTH[estimate.name]) < sigmas * estimate.sigma, estimate


def numbers(found):
    values = [(e.value, e.sigma) for e in found.estimates]
    return values, found.chi2_per_sample, found.cost_history, found.held_out.rmse_rad


@pytest.fixture(scope="module")
def matched():
    seen = []
    other, true_rad = recorded(seed=8)
    found = identified(recorded()[0], held_out=other, progress=seen.append)
    return found, seen, error_against(found.held_out, other.time_s, true_rad)


@pytest.fixture(scope="module")
def mismatched():
    """What is found where the arm has an armature that nobody told of."""
    return identified(recorded(values={**TRUTH, "armature/lbr_A4": 1.0})[0])


def test_a_matched_arm_is_found_within_its_confidence(matched):
    found, _, _ = matched
    check_truth(found)
    assert found.verdict == "good"
    assert found.chi2_per_sample == pytest.approx(1.0, abs=0.06)
    sigmas = {e.name: e.sigma / e.value for e in found.estimates}
    assert sigmas["mass/lbr_link_4"] < 0.01
    assert sigmas["coulomb/lbr_A4"] < 0.02
    assert found.delay_s == pytest.approx(TRUTH["delay_s"], abs=5e-5)


def test_loops_of_a_high_rate_are_fitted_exactly_by_derivatives_of_coarse_steps(monkeypatch):
    rates, roll_out = [], Plant.roll_out

    def counted(plant, *arguments):
        rates.append(plant.physics_rate_hz)
        return roll_out(plant, *arguments)

    recording, _ = recorded(plant=Plant(IIWA, 4 * PHYSICS_RATE_HZ))
    monkeypatch.setattr(Plant, "roll_out", counted)
    found = identified(recording, physics_rate_hz=4 * PHYSICS_RATE_HZ)
    check_truth(found)
    assert found.chi2_per_sample == pytest.approx(1.0, abs=0.06)
    assert found.verdict == "good"
    assert rates.count(PHYSICS_RATE_HZ) > rates.count(4 * PHYSICS_RATE_HZ) > 0


def test_other_motion_is_predicted_far_below_the_noise(matched):
    found, _, error_rad = matched
    assert error_rad < 2e-5
    assert found.held_out.rmse_rad == pytest.approx(1e-4, rel=0.05)
    assert found.held_out.nominal_rmse_rad > 20.0 * found.held_out.rmse_rad


def test_the_noise_is_estimated_for_each_joint(matched):
    assert matched[0].noise_rad == pytest.approx(np.full(7, 1e-4), rel=0.1)


def test_progress_tells_the_stages_and_a_falling_cost(matched):
    found, seen, _ = matched
    stages = list(dict.fromkeys(p.stage for p in seen))
    assert stages[0] == "fit"
    assert stages[-1] == "validation"
    costs = [p.cost for p in seen if p.stage == "fit"]
    assert tuple(costs) == found.cost_history
    assert all(b < a for a, b in itertools.pairwise(costs))


def test_the_same_recording_gives_the_same_numbers_whatever_the_number_of_workers(matched):
    other, _ = recorded(seed=8)
    again = identified(recorded()[0], held_out=other, workers=3)
    assert numbers(again) == numbers(matched[0])


def test_without_efforts_known_gains_still_fix_the_arm():
    found = identified(recorded(effort=False)[0])
    check_truth(found)
    assert found.verdict == "good"
    assert found.held_out is None


@pytest.mark.slow
def test_positions_alone_and_no_gain_known_identify_nothing_absolute():
    controller = controller_of(IIWA, "position", compensated=False)
    params = SimParams(dynamics=ArmDynamics.from_values(IIWA, TRUTH), controller=controller)
    recording, _ = recording_of(IIWA, params, commands_of(IIWA, "position", 4.0, 0), effort=False)
    found = identify(
        recording, IIWA, known_of(controller, gains=False),
        IdentifyOptions(
            parameters=(*FITTED, "delay_s"), physics_rate_hz=PHYSICS_RATE_HZ, max_steps=3,
            global_search=False,
        ),
    )  # fmt: skip
    assert found.verdict == "unidentifiable"
    assert {e.name for e in found.estimates if e.identifiable} <= {"delay_s"}
    mass = found.estimates[0]
    assert mass.sigma == np.inf
    assert "positions tell only ratios" in mass.remark
    assert any("Nothing absolute is known" in sentence for sentence in found.findings)


def test_a_joint_that_rests_is_unidentifiable_and_said_to_rest():
    found = identified(recorded(joints=[0, 1, 2, 3])[0])
    check_truth(found, names=("mass/lbr_link_4", "coulomb/lbr_A4", "viscous/lbr_A4"))
    stuck = next(e for e in found.estimates if e.name == "coulomb/lbr_A6")
    # It sticks, so any friction that holds it does: the fit stops at the least of them.
    assert not stuck.identifiable
    assert stuck.sigma == np.inf
    assert "more of it changes nothing" in stuck.remark
    assert any("Hardly moved" in s and "lbr_A6" in s for s in found.findings)


def test_an_arm_that_the_model_lacks_something_of_is_flagged(mismatched):
    assert mismatched.verdict == "model_mismatch"
    assert mismatched.chi2_per_sample > 2.0
    assert any("Chi-square per sample" in sentence for sentence in mismatched.findings)
    # The armature, fitted, explains all of it.
    values = {**TRUTH, "armature/lbr_A4": 1.0}
    told = identified(recorded(values=values)[0], patterns=(*FITTED, "armature/lbr_A4", "delay_s"))
    assert told.verdict == "good"
    check_truth(told)
    armature = next(e for e in told.estimates if e.name == "armature/lbr_A4")
    assert abs(armature.value - 1.0) < 4.0 * armature.sigma


def test_mismatch_makes_confidence_wider(matched, mismatched):
    for a, b in zip(matched[0].estimates, mismatched.estimates, strict=True):
        if a.name.endswith("A4"):
            assert b.sigma > 2.0 * a.sigma


def test_velocity_commands_serve_as_well():
    found = identified(recorded("velocity")[0], "velocity")
    check_truth(found)


DAMPED = {k: v for k, v in true_values(IIWA, 3).items() if k.startswith("viscous/")}
DAMPED.update(TRUTH)
"""Efforts that drive an arm openly need friction everywhere to go near a planned motion."""


@pytest.mark.slow
def test_effort_commands_serve_in_windows():
    params = arm("effort", DAMPED)
    commands = commands_of(IIWA, "effort", 3.0, 0, params=params)
    recording, _ = recording_of(IIWA, params, commands, effort=False)
    found = identified(
        recording, "effort", patterns=("viscous/*", *FITTED, "delay_s"), window_s=0.5
    )
    check_truth(found, names=FITTED)
    assert found.verdict == "good"


@pytest.mark.slow
def test_efforts_alone_serve_where_there_are_no_commands():
    recording, _ = recorded(
        duration_s=2.5,
        values={**TRUTH, "viscous/lbr_A7": 0.2},
        with_commands=False,
        noise_nm=0.0,
        rate_hz=1000.0,
    )
    patterns = (*FITTED, "viscous/lbr_A7", "delay_s")
    options = IdentifyOptions(parameters=patterns, window_s=0.5, max_steps=4)
    found = identify(recording, IIWA, None, options)
    names = {e.name for e in found.estimates}
    assert names.issuperset(FITTED)
    assert "delay_s" not in names
    for estimate in found.estimates:
        if estimate.name in FITTED:
            assert estimate.value == pytest.approx(TRUTH[estimate.name], rel=0.02)


@pytest.mark.slow
def test_an_engine_serves_as_the_compiled_arm_does():
    friction = FITTED[1]
    recording, _ = recorded(duration_s=2.2, values={friction: TRUTH[friction]})
    found = identified(recording, patterns=(friction,), engine="mujoco", max_steps=1, workers=1)
    check_truth(found, names=(friction,))
    assert found.chi2_per_sample == pytest.approx(1.0, abs=0.1)


def test_the_end_of_a_recording_is_held_out_by_default():
    recording, _ = recorded(duration_s=8.5)
    patterns = ("coulomb/lbr_A4", "delay_s")
    found = identified(recording, patterns=patterns, held_out_share=0.25, max_steps=1)
    begin = recording.time_s[0] + 0.75 * (recording.time_s[-1] - recording.time_s[0])
    assert found.held_out.time_s[0] == pytest.approx(begin, abs=0.02)
    assert found.held_out.time_s[-1] == recording.time_s[-1]
    assert "the last 2.12 s" in found.held_out.source


def test_ctrl_c_ends_the_fit_with_the_best_so_far():
    def stop(progress):
        if progress.stage == "fit" and progress.step == 1:
            raise KeyboardInterrupt

    found = identified(recorded()[0], progress=stop)
    assert any("interrupted" in sentence for sentence in found.findings)
    assert len(found.cost_history) == 2
    assert found.interrupted


def test_ctrl_c_in_the_validation_leaves_it_out_and_keeps_the_fit():
    def stop(progress):
        if progress.stage == "validation":
            raise KeyboardInterrupt

    recording, _ = recorded(duration_s=8.5)
    found = identified(
        recording, patterns=("coulomb/lbr_A4", "delay_s"), max_steps=1, progress=stop
    )
    assert found.interrupted
    assert found.held_out is None
    assert all(np.isfinite(e.sigma) for e in found.estimates)
    assert "Not validated" in found.findings[-1]


def test_a_fit_ends_with_its_best_step_when_its_time_is_used_up():
    found = identified(recorded()[0], max_fit_s=1e-9)
    assert len(found.cost_history) == 1
    assert any("raise max_fit_s" in sentence for sentence in found.findings)


def test_a_fit_that_was_cut_short_is_not_called_good():
    found = identified(recorded()[0], max_steps=1)
    assert found.verdict == "not_converged"
    assert any("raise max_steps" in sentence for sentence in found.findings)


def test_a_guess_of_a_size_that_is_far_too_small_holds_nothing_back(monkeypatch):
    monkeypatch.setattr(fitting, "FARTHEST", 0.02)
    heavy = {**TRUTH, "armature/lbr_A7": 4.0}
    found = identified(recorded(values=heavy)[0], patterns=(*FITTED, "delay_s", "armature/lbr_A7"))
    (rotor,) = (e for e in found.estimates if e.name == "armature/lbr_A7")
    assert abs(rotor.value - 4.0) < 4.0 * rotor.sigma, rotor
    check_truth(found)


def test_a_nominal_arm_that_no_steps_are_fine_enough_for_takes_no_fit_away():
    # The last joint's damping is that of its rotor, without which the arm cannot be simulated.
    truth = {"coulomb/lbr_A4": TRUTH["coulomb/lbr_A4"], "armature/lbr_A7": 0.05, "delay_s": 0.005}
    soft = controller_of(IIWA, "position")
    gains = {name: values.copy() for name, values in soft.gains.items()}
    gains["kp"][6], gains["kd"][6] = 2000.0, 20.0
    stiff = dataclasses.replace(soft, gains=gains)
    params = SimParams(dynamics=ArmDynamics.from_values(IIWA, truth), controller=stiff)
    commands = commands_of(IIWA, "position", 3.0, 0)
    recording, _ = recording_of(IIWA, params, commands)
    other, _ = recording_of(IIWA, params, commands_of(IIWA, "position", 2.1, 1))
    options = IdentifyOptions(parameters=tuple(truth), physics_rate_hz=PHYSICS_RATE_HZ, max_steps=6)
    found = identify(recording, IIWA, known_of(stiff), options, other)
    check_truth(found, names=("coulomb/lbr_A4",))
    assert np.isnan(found.held_out.nominal_rad).all()
    assert found.held_out.rmse_rad < 2e-4
    assert found.held_out.nominal_error == "diverges"
    assert any("while the nominal arm diverges" in sentence for sentence in found.findings)


def test_efforts_without_noise_are_no_mismatch():
    # From a start in motion, where the effort before the first sample is one that nobody knows.
    recording, _ = recorded(duration_s=5.0, noise_nm=0.0)
    begun = np.searchsorted(recording.time_s, 2.0)
    late = dataclasses.replace(
        recording,
        time_s=recording.time_s[begun:],
        position_rad=recording.position_rad[begun:],
        effort_nm=recording.effort_nm[begun:],
    )
    found = identified(late)
    assert found.verdict == "good"
    assert found.chi2_per_sample < 1.05
    # A Coulomb friction that the model is not told of is seen all the same.
    poor = identified(late, patterns=("mass/lbr_link_4", "delay_s"))
    assert poor.verdict == "model_mismatch"


def test_a_value_ends_at_its_bound_and_is_said_to():
    # There is no friction in A2, and none below nothing is allowed.
    found = identified(recorded()[0], patterns=(*FITTED, "coulomb/lbr_A2", "delay_s"))
    friction = next(e for e in found.estimates if e.name == "coulomb/lbr_A2")
    assert friction.identifiable
    assert abs(friction.value) < 4.0 * friction.sigma


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joint_names": ("a",) * 7}, "give the robot that was recorded"),
        ({"commands": None, "effort_nm": None}, "record the controller's command topic"),
    ],
)
def test_what_cannot_be_used_is_refused(change, message):
    recording = dataclasses.replace(recorded()[0], **change)
    with pytest.raises(IdentificationError, match=message) as error:
        identified(recording)
    assert str(error.value).startswith("/bags/arm")


def test_commands_of_another_mode_are_refused():
    with pytest.raises(IdentificationError, match="velocity commands"):
        identified(recorded("velocity")[0], "position")


def test_a_resting_arm_is_refused():
    with pytest.raises(IdentificationError, match="move the arm"):
        identified(recorded(joints=[], values={})[0])


def test_a_short_recording_is_refused():
    with pytest.raises(IdentificationError, match="record a minute"):
        identified(recorded(duration_s=1.0)[0])
