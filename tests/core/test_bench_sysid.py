"""What `./sinew bench sysid` measures with: arms, motions and bags whose truth is known."""

import dataclasses
import math

import numpy as np
import pytest

from benchmarks.sysid.arms import drawn_arm
from benchmarks.sysid.figures_of_merit import Miss, median_sharp, rms_z, worst
from benchmarks.sysid.motions import PHYSICS_RATE_HZ, mismatched, quiet
from benchmarks.sysid.recorded import POSITION_NOISE_RAD, sample_times, write_recording
from benchmarks.sysid.stribeck import StribeckArm
from benchmarks.sysid.training import Trained, comparison, mismatched_dynamics, solved
from sinew_core.bags.reader import read_recording
from sinew_core.bags.recording import Commands
from sinew_core.robots.catalogue import load_robot
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid.identification import Estimate

ROBOT = load_robot("iiwa14")


def swing(duration_s=1.0):
    time_s = np.arange(0.0, duration_s, 0.01)
    values = ROBOT.home_rad + 0.2 * (1.0 - np.cos(4.0 * time_s))[:, None]
    return Commands(mode="position", time_s=time_s, values=values, topic="")


def without_friction(params):
    zeros = np.zeros(ROBOT.n_joints)
    dynamics = dataclasses.replace(params.dynamics, coulomb_nm=zeros, delay_s=0.0)
    return dataclasses.replace(params, dynamics=dynamics)


def test_a_seed_draws_one_arm_and_another_seed_another():
    values = [drawn_arm(ROBOT, seed).dynamics.values(ROBOT) for seed in (1, 1, 2)]
    assert values[0] == values[1]
    assert all(values[0][k] != values[2][k] for k in values[0] if k.startswith("mass/"))


def test_without_its_friction_the_arm_of_the_other_simulator_moves_as_ours_does():
    params, commands = without_friction(drawn_arm(ROBOT, 3)), swing()
    sample_s = sample_times(commands)
    still = np.zeros(ROBOT.n_joints)
    ours = Plant(ROBOT, 4000).roll_out(params, commands, ROBOT.home_rad, still, sample_s)
    other = StribeckArm(ROBOT, params).run(commands, commands.time_s, ROBOT.home_rad, sample_s)
    moved = np.abs(ours.position_rad - ROBOT.home_rad).max()
    assert moved > 0.1
    assert np.abs(ours.position_rad - other.position_rad).max() < 5e-3 * moved


def test_its_friction_is_none_that_ours_can_be():
    params, commands = drawn_arm(ROBOT, 3), swing()
    still = np.zeros(ROBOT.n_joints)
    _, sample_s, motion = mismatched(ROBOT, params, commands, seed=0)
    ours = Plant(ROBOT, PHYSICS_RATE_HZ).roll_out(params, commands, ROBOT.home_rad, still, sample_s)
    assert np.abs(ours.position_rad - motion.position_rad).max() > 10 * POSITION_NOISE_RAD


@pytest.mark.parametrize("efforts", [True, False])
def test_a_bag_holds_the_motion_within_its_noise_and_the_commands_exactly(tmp_path, efforts):
    params, commands = drawn_arm(ROBOT, 0), swing()
    sample_s, still = sample_times(commands), np.zeros(ROBOT.n_joints)
    plant = Plant(ROBOT, PHYSICS_RATE_HZ)
    motion = plant.roll_out(params, commands, ROBOT.home_rad, still, sample_s)
    write_recording(tmp_path / "bag", ROBOT, (commands, sample_s, motion), seed=1, efforts=efforts)
    recording = read_recording(tmp_path / "bag", ROBOT.joint_names)
    assert recording.position_rad.shape == motion.position_rad.shape
    error = recording.position_rad - motion.position_rad
    assert 0.8 * POSITION_NOISE_RAD < error.std() < 1.2 * POSITION_NOISE_RAD
    assert np.array_equal(recording.commands.values, commands.values)
    assert (recording.effort_nm is not None) == efforts


def test_a_quiet_motion_moves_one_joint():
    moved = np.ptp(quiet(ROBOT, 5.0).values, axis=0)
    assert np.count_nonzero(moved) == 1


def miss(name, value, truth, sigma):
    estimate = Estimate(
        name=name,
        value=value,
        sigma=sigma,
        ci95=(value - 2 * sigma, value + 2 * sigma),
        identifiable=True,
        unit="",
        nominal=math.nan,
    )
    return Miss(estimate=estimate, truth=truth)


def test_errors_are_relative_to_the_truth_and_in_standard_deviations():
    found = [miss("mass/a", 2.02, 2.0, 0.01), miss("coulomb/b", 0.5, 1.0, 0.25)]
    # 0.02 / 2 = 0.01 and 2 sigma; 0.5 / 1 = 0.5 and 2 sigma
    assert worst(found, "mass/") == pytest.approx(0.01)
    assert worst(found, "coulomb/") == pytest.approx(0.5)
    assert worst(found, "viscous/") == 0.0
    assert rms_z(found) == pytest.approx(2.0)
    # only the mass is sharp: 0.01 < 0.01 * 2, while 0.25 > 0.01 * 1
    assert median_sharp(found) == pytest.approx(0.01)
    assert math.isnan(median_sharp(found[1:]))


def test_the_arm_that_judges_a_training_has_what_no_model_knows_and_the_rest_of_the_true_one():
    true = drawn_arm(ROBOT, 3).dynamics
    judge = mismatched_dynamics(ROBOT, true)
    assert judge.stiction_ratio > 1.0
    assert judge.command_jitter_s > 0.0
    assert judge.delay_s + judge.command_jitter_s / 2.0 == pytest.approx(true.delay_s)
    for of in ("coulomb_nm", "viscous_nm_s_rad", "armature_kg_m2"):
        assert np.array_equal(getattr(judge, of), getattr(true, of))


def test_training_has_to_beat_the_description_not_only_equal_it():
    better = comparison([Trained(identified=0.9, nominal=0.5)])
    assert better.ratio() == pytest.approx(1.8)
    assert better.met()
    assert not comparison([Trained(identified=0.5, nominal=0.5)]).met()
    assert comparison([Trained(identified=0.5, nominal=0.0)]).met()


def test_two_policies_that_fail_do_not_count_as_a_success():
    failing = [Trained(identified=0.045, nominal=0.010)]
    assert comparison(failing).met()
    assert not solved(failing).met()
    assert solved([Trained(identified=0.9, nominal=0.5)]).met()
