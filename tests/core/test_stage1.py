"""Start values by least squares, on simulated arms whose values are known."""

import functools

import numpy as np
import pytest

from identified_arm import KP, fourier_motion, known, record, true_values, without
from sinew_core.errors import BagError
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.sysid.command_signal import CommandSignal
from sinew_core.sysid.parametrisation import make_parametrisation
from sinew_core.sysid.preprocess import make_pieces, suitable_cutoff_hz
from sinew_core.sysid.stage1 import data_sigmas, start_values

PANDA, IIWA = load_robot("panda"), load_robot("iiwa14")
ALL = ("mass/*", "coulomb/*", "viscous/*", "armature/*", "delay_s")
TRUTH = true_values(PANDA, 2)


@functools.cache
def panda(mode):
    return record(PANDA, TRUTH, mode, 20.0, seed=2)


def errors(fit, theta, truth, kind):
    """Relative errors of one kind of values."""
    values = fit.values(theta)
    names = [name for name in fit.names if name.startswith(f"{kind}/")]
    return np.array([values[name] / truth[name] - 1.0 for name in names])


def z_scores(fit, found, truth):
    wanted = np.array([truth[name] for name in fit.names])
    return (found.theta - wanted) / np.sqrt(np.diag(found.covariance))


@pytest.mark.parametrize("mode", ["position", "velocity"])
@pytest.mark.parametrize("efforts", [True, False], ids=["efforts", "no efforts"])
def test_twenty_seconds_find_the_arm(mode, efforts):
    recording = panda(mode) if efforts else without(panda(mode), effort_nm=None)
    fit = make_parametrisation(PANDA, ALL, known(mode))
    found = start_values(recording, PANDA, known(mode), fit)
    assert np.abs(errors(fit, found.theta, TRUTH, "mass")[2:]).max() < 0.03
    assert np.abs(errors(fit, found.theta, TRUTH, "coulomb")).max() < 0.09
    assert np.abs(errors(fit, found.theta, TRUTH, "viscous")).max() < 0.30
    assert abs(found.delay_s - TRUTH["delay_s"]) < 1e-3
    assert any("No efforts" in finding for finding in found.findings) is not efforts
    # Link 1 only turns about the vertical, with all that it carries.
    assert not found.fixed[fit.index("mass/panda_link1")]
    assert all(found.fixed[fit.index(f"coulomb/{joint}")] for joint in PANDA.joint_names)


@pytest.mark.slow
def test_a_minute_of_noisy_efforts_is_as_good_as_the_prototype():
    # The table of the method: 60 s, 0.2 N m, 1e-4 rad. Delay and viscous friction trade for each
    # other, so the worst of seven frictions has tails; their median over arms is what holds.
    viscous, scores = [], []
    for seed in range(1, 6):
        truth = true_values(IIWA, seed)
        recording = record(IIWA, truth, "position", 60.0, seed=seed)
        fit = make_parametrisation(IIWA, ALL, known("position"))
        found = start_values(recording, IIWA, known("position"), fit)
        assert np.abs(errors(fit, found.theta, truth, "mass")[2:]).max() <= 0.021
        assert np.abs(errors(fit, found.theta, truth, "coulomb")).max() <= 0.086
        assert abs(found.delay_s - truth["delay_s"]) <= 464e-6
        viscous.append(np.abs(errors(fit, found.theta, truth, "viscous")).max())
        scores.append(z_scores(fit, found, truth))
    assert np.median(viscous) <= 0.046
    assert max(viscous) <= 0.2
    assert 0.5 < np.sqrt(np.mean(np.square(scores))) < 2.5


def test_without_noise_the_arm_is_found_to_a_few_percent_of_nothing():
    recording = record(
        PANDA, TRUTH, "position", 12.0, seed=3, position_noise_rad=0.0, effort_noise_nm=0.0
    )
    fit = make_parametrisation(PANDA, ALL, known("position"))
    found = start_values(recording, PANDA, known("position"), fit)
    assert np.abs(errors(fit, found.theta, TRUTH, "mass")[2:]).max() < 0.005
    # What even and odd samples see of the commands' sawtooth is taken for noise.
    assert np.abs(errors(fit, found.theta, TRUTH, "viscous")).max() < 0.1
    assert abs(found.delay_s - TRUTH["delay_s"]) < 1e-4


def test_unknown_gains_are_found_from_efforts():
    unknown = known("position", gains={"kp": None, "kd": None})
    fit = make_parametrisation(PANDA, ALL, unknown)
    found = start_values(panda("position"), PANDA, unknown, fit)
    truth = {f"kp/{j}": v for j, v in zip(PANDA.joint_names, KP, strict=True)}
    assert np.abs(errors(fit, found.theta, truth, "kp")).max() < 0.08
    assert found.groups == ("control", "balance")


def test_positions_alone_and_unknown_gains_are_reported_to_scale_with_each_other():
    unknown = known("position", gains={"kp": None, "kd": None})
    fit = make_parametrisation(PANDA, ("viscous/*", "coulomb/*"), unknown)
    found = start_values(without(panda("position"), effort_nm=None), PANDA, unknown, fit)
    assert any("give the gains in the controller file" in text for text in found.findings)


def test_efforts_without_commands_find_masses_and_friction_but_no_delay():
    recording = without(panda("position"), commands=None)
    fit = make_parametrisation(PANDA, ALL, known("position"))
    found = start_values(recording, PANDA, known("position"), fit)
    assert found.groups == ("links",)
    assert np.abs(errors(fit, found.theta, TRUTH, "mass")[2:]).max() < 0.1
    assert found.delay_sigma_s == np.inf
    assert any("delay and gains cannot be determined" in text for text in found.findings)


def test_efforts_that_are_not_the_controllers_are_told_and_gone_by():
    told = known("position", gains={"kp": np.full(7, 3000.0), "kd": np.full(7, 5.0)})
    fit = make_parametrisation(PANDA, ("mass/*", "coulomb/*"), told)
    found = start_values(panda("position"), PANDA, told, fit)
    assert found.groups == ("control", "links")
    assert "do not follow the controllers" in found.findings[0]
    assert np.abs(errors(fit, found.theta, TRUTH, "mass")[2:]).max() < 0.1


def test_a_whole_link_is_found_as_one_that_can_exist():
    fit = make_parametrisation(
        PANDA, ("inertia/panda_link6", "mass/*", "coulomb/*", "viscous/*", "delay_s"),
        known("position"),
    )  # fmt: skip
    recording = record(
        PANDA, {**TRUTH, **{f"armature/{j}": 0.0 for j in PANDA.joint_names}}, "position", 20.0,
        seed=4,
    )  # fmt: skip
    found = start_values(recording, PANDA, known("position"), fit)
    values = fit.values(found.theta)
    # Mass times height is what gravity shows; the link kept the description's shape.
    centre = dict(zip(fit.names, fit.nominal, strict=True))
    for axis in "xy":
        name = f"centre_{axis}/panda_link6"
        moment = values["mass/panda_link6"] * values[name]
        assert moment == pytest.approx(TRUTH["mass/panda_link6"] * centre[name], abs=0.03)
    fit.params(found.theta).dynamics.values(PANDA)


def test_a_payload_is_found_where_it_is():
    truth = {**TRUTH, "payload/mass": 1.0, "payload/x_m": 0.05, "payload/z_m": 0.08}
    recording = record(PANDA, truth, "position", 20.0, seed=5)
    fit = make_parametrisation(
        PANDA, ("payload", "delay_s"), known("position"), base=ArmDynamics.from_values(PANDA, TRUTH)
    )
    values = fit.values(start_values(recording, PANDA, known("position"), fit).theta)
    assert values["payload/mass"] == pytest.approx(1.0, abs=0.03)
    assert values["payload/x_m"] == pytest.approx(0.05, abs=0.005)
    assert values["payload/z_m"] == pytest.approx(0.08, abs=0.02)


def test_the_motors_strength_is_told_by_efforts():
    truth = {**TRUTH, "motor_strength/panda_joint2": 0.8}
    recording = record(PANDA, truth, "position", 12.0, seed=6)
    fit = make_parametrisation(PANDA, (*ALL, "motor_strength/panda_joint2"), known("position"))
    found = start_values(recording, PANDA, known("position"), fit)
    assert fit.values(found.theta)["motor_strength/panda_joint2"] == pytest.approx(0.8, abs=0.02)


def test_outliers_do_not_move_what_is_found():
    recording = panda("position")
    position = np.array(recording.position_rad)
    position[1000:1010] += 0.02
    fit = make_parametrisation(PANDA, ALL, known("position"))
    found = start_values(without(recording, position_rad=position), PANDA, known("position"), fit)
    assert np.abs(errors(fit, found.theta, TRUTH, "mass")[2:]).max() < 0.03


def test_an_arm_at_rest_fixes_nothing_that_moves_it():
    still = record(PANDA, TRUTH, "position", 6.0, seed=7)
    rest = np.tile(still.position_rad[0], (len(still.time_s), 1))
    fit = make_parametrisation(PANDA, ALL, known("position"))
    found = start_values(
        without(still, position_rad=rest, commands=None), PANDA, known("position"), fit
    )
    assert not any(found.fixed)
    assert "do not fix" in found.findings[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"effort_nm": None, "commands": None}, "neither efforts nor commands"),
        ({"time_s": np.arange(2) * 0.005, "position_rad": np.zeros((2, 7)),
          "effort_nm": np.zeros((2, 7))}, "record at least 20 s"),
    ],
)  # fmt: skip
def test_a_recording_that_tells_nothing_is_refused(change, message):
    fit = make_parametrisation(PANDA, ALL, known("position"))
    with pytest.raises(BagError, match=message):
        start_values(without(panda("position"), **change), PANDA, known("position"), fit)


def test_commands_of_another_mode_are_refused():
    fit = make_parametrisation(PANDA, ALL, known("velocity"))
    with pytest.raises(BagError, match="'position', but the controller is said to take 'velocity'"):
        start_values(panda("position"), PANDA, known("velocity"), fit)


def test_directions_that_data_do_not_tell_are_infinite():
    # Only the sum of the first two is known, to 0.1.
    row = np.array([[10.0, 10.0, 0.0]])
    sigmas = data_sigmas(row.T @ row + np.diag([0.0, 0.0, 4.0]))
    assert np.isinf(sigmas[:2]).all()
    assert sigmas[2] == pytest.approx(0.5)


def test_the_mean_and_the_effect_of_commands_are_seen_at_their_age():
    recording = panda("position")
    ((piece,), _) = make_pieces(recording)
    signal = CommandSignal(recording.commands, "zoh", recording.position_rad[0], piece, 0.1)
    # Steps of 10 ms that hold are 5 ms late on the average.
    at = piece.row_time_s
    told = fourier_motion(PANDA, 102, np.arange(0.0, 21.0, 0.01))
    expected = np.stack([np.interp(at - 0.025, np.arange(0.0, 21.0, 0.01), c) for c in told.T], 1)
    np.testing.assert_allclose(signal.value(at - 0.02), expected, atol=2e-3)
    slope = (signal.value(at + 1e-4) - signal.value(at - 1e-4)) / 2e-4
    np.testing.assert_allclose(signal.slope(at), slope, atol=1e-4)


def test_the_cutoff_is_four_times_what_moves():
    assert 3.0 <= suitable_cutoff_hz(panda("position")) <= 5.0
