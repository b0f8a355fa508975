"""Compiled roll-outs of an arm under its joint controllers."""

import dataclasses
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sinew_core.bags.recording import Commands
from sinew_core.errors import ConfigError
from sinew_core.robots import load_robot
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation import make_engine
from sinew_core.simulation.position_drive import PositionDrive
from sinew_core.simulation.rollout import Plant

sys.path.append(str(Path(__file__).parents[1]))
from dynamics_samples import INERTIA_KG_M2, pendulum

PANDA = load_robot("panda")
RATE_HZ = 1000
GAINS = {
    "position": {"kp": [400.0] * 4 + [200.0, 200.0, 100.0], "kd": [40.0] * 4 + [10.0, 10.0, 5.0]},
    "velocity": {"kp_v": [40.0] * 4 + [10.0] * 3, "ki_v": [200.0] * 4 + [50.0] * 3},
    "effort": {},
}
VALUES = {"coulomb/*": 0.3, "viscous/*": 0.4, "armature/*": 0.1, "mass/*": 2.5}
SAMPLE_S = np.arange(0.0, 1.0, 0.005)
SENT_S = np.arange(0.0, 1.0, 0.01)


def params_of(mode="position", hold="zoh", compensated=True, values=VALUES, delay_s=0.0073):
    return SimParams(
        dynamics=ArmDynamics.from_values(PANDA, {**values, "delay_s": delay_s}),
        controller=ArmController(
            mode=mode, gains=GAINS[mode], gravity_compensation=compensated, hold=hold
        ),
    )


def commands_of(mode, sent_s=SENT_S):
    rates = np.arange(1.0, 8.0)
    waves = np.sin(rates * sent_s[:, None])
    values = {
        "position": PANDA.home_rad + 0.2 * waves,
        "velocity": 0.2 * rates * np.cos(rates * sent_s[:, None]),
        "effort": 0.1 * waves,
    }
    return Commands(mode=mode, time_s=sent_s, values=values[mode], topic="")


@pytest.fixture(scope="module")
def plant():
    return Plant(PANDA, RATE_HZ)


def roll(plant, params, commands=None, sample_s=SAMPLE_S, speed=None):
    commands = commands_of(params.controller.mode) if commands is None else commands
    start = PANDA.home_rad
    return plant.roll_out(
        params, commands, start, np.zeros(7) if speed is None else speed, sample_s
    )


@pytest.mark.parametrize("mode", ["position", "velocity", "effort"])
def test_a_balanced_arm_that_is_told_to_rest_rests(plant, mode):
    params = params_of(mode, values={"armature/*": 0.1})
    nothing = Commands(mode=mode, time_s=np.zeros(0), values=np.zeros((0, 7)), topic="")
    motion = roll(plant, params, nothing)
    np.testing.assert_allclose(motion.position_rad, np.tile(PANDA.home_rad, (200, 1)), atol=1e-9)
    assert np.abs(motion.velocity_rad_s).max() < 1e-8


def test_an_integral_holds_the_weight_that_nothing_compensates(plant):
    nothing = Commands(mode="velocity", time_s=np.zeros(0), values=np.zeros((0, 7)), topic="")
    for compensated in (False, True):
        motion = roll(plant, params_of("velocity", compensated=compensated), nothing)
        assert np.abs(motion.position_rad - PANDA.home_rad).max() < 1e-9
    assert np.abs(motion.effort_nm[-1]).max() > 10.0


def test_a_pendulum_under_pd_swings_as_the_formula_says(tmp_path):
    robot = pendulum(tmp_path, "0 0 1")
    inertia = INERTIA_KG_M2 + 0.05
    stiffness, damping, viscous = 20.0, 0.8, 0.4
    params = SimParams(
        dynamics=ArmDynamics.from_values(robot, {"armature/*": 0.05, "viscous/*": viscous}),
        controller=ArmController(
            mode="position", gains={"kp": [stiffness], "kd": [damping]}, gravity_compensation=False
        ),
    )
    commands = Commands(mode="position", time_s=[0.0], values=[[0.3]], topic="")
    time_s = np.linspace(0.0, 2.0, 37)
    motion = Plant(robot, 20_000).roll_out(params, commands, np.zeros(1), np.zeros(1), time_s)
    decay = 0.5 * (damping + viscous) / inertia
    rate = np.sqrt(stiffness / inertia - decay**2)
    swing = np.exp(-decay * time_s) * (np.cos(rate * time_s) + decay / rate * np.sin(rate * time_s))
    np.testing.assert_allclose(motion.position_rad[:, 0], 0.3 * (1.0 - swing), atol=2e-4)


@pytest.mark.parametrize("mode", ["velocity", "position"])
def test_ideal_drives_move_as_in_an_engine(mode):
    pytest.importorskip("mujoco")
    engine = make_engine("mujoco", PANDA, 500)
    dynamics = ArmDynamics.from_values(PANDA, {**VALUES, "motor_strength/*": 0.9, "mass/*": 2.0})
    engine.set_dynamics(dynamics)
    engine.reset(PANDA.home_rad)
    commands = commands_of(mode)
    drive, state, expected = PositionDrive(PANDA.limits, 0.01), np.empty((3, 7)), []
    for value in commands.values:
        engine.read_state(*state)
        expected.append(state.copy())
        sent = drive.velocity(value, state[0]) if mode == "position" else value
        engine.command_velocity(sent)
        engine.step(5)
    engine.close()
    motion = Plant(PANDA, 500).roll_out(
        SimParams(dynamics=dynamics), commands, PANDA.home_rad, np.zeros(7), SENT_S
    )
    positions, velocities, efforts = np.swapaxes(expected, 0, 1)
    np.testing.assert_allclose(motion.position_rad, positions, atol=1e-9)
    np.testing.assert_allclose(motion.velocity_rad_s, velocities, atol=1e-9)
    np.testing.assert_allclose(motion.effort_nm[1:], efforts[1:], atol=1e-6)


@pytest.mark.parametrize("mode", ["position", "velocity", "effort"])
@pytest.mark.parametrize("hold", ["zoh", "linear"])
@pytest.mark.parametrize("delay_s", [0.0073, 0.0004])
@pytest.mark.parametrize(("coulomb_nm", "tolerance"), [(0.0, 2e-3), (0.3, 0.05)])
def test_the_motion_has_a_derivative_by_the_delay(
    plant, mode, hold, delay_s, coulomb_nm, tolerance
):
    """Differences over a part of a step, over one, and over several agree."""
    values = {**VALUES, "coulomb/*": coulomb_nm}

    def slope(step_s):
        ahead, behind = (
            roll(plant, params_of(mode, hold, True, values, delay_s + sign * step_s)).position_rad
            for sign in (0.5, -0.5)
        )
        return (ahead - behind) / step_s

    finest = slope(1e-6)
    assert np.abs(finest).max() > 1e-3
    for step_s in (1e-5, 1e-4, 7e-4):
        error = np.linalg.norm(slope(step_s) - finest) / np.linalg.norm(finest)
        assert error < tolerance, (step_s, error)


def test_a_delay_is_the_same_as_sending_later(plant):
    on_time = roll(plant, params_of(delay_s=0.0), commands_of("position"))
    late = dataclasses.replace(commands_of("position"), time_s=SENT_S - 0.0123)
    np.testing.assert_allclose(
        roll(plant, params_of(delay_s=0.0123), late).position_rad, on_time.position_rad, atol=1e-9
    )


def test_a_linear_hold_goes_straight_to_each_command_and_is_a_period_late(plant):
    # Held for a step each, commands in the middle of the steps have the same means.
    commands = commands_of("position")
    dense_s = np.arange(0.0, 1.0, 1e-3) + 0.5e-3
    known = np.vstack([PANDA.home_rad, commands.values])
    at_s = np.append(SENT_S, 1.0)
    values = np.array([np.interp(dense_s, at_s, column) for column in known.T]).T
    dense = Commands(mode="position", time_s=dense_s - 0.5e-3, values=values, topic="")
    linear = roll(plant, params_of(hold="linear", delay_s=0.007), commands)
    np.testing.assert_allclose(
        linear.position_rad, roll(plant, params_of(delay_s=0.007), dense).position_rad, atol=1e-9
    )


def test_samples_between_steps_lie_on_the_motion(plant):
    coarse = roll(plant, params_of(), sample_s=np.arange(0.0, 1.0, 1e-3))
    between_s = np.arange(0.0, 0.9, 1.7e-3)
    between = roll(plant, params_of(), sample_s=between_s)
    for joint in range(7):
        expected = np.interp(between_s, np.arange(0.0, 1.0, 1e-3), coarse.position_rad[:, joint])
        np.testing.assert_allclose(between.position_rad[:, joint], expected, atol=5e-6)
    np.testing.assert_array_equal(between.position_rad[0], PANDA.home_rad)


def test_a_motion_goes_on_from_its_middle(plant):
    time_s = np.arange(0.0, 1.0, 1e-3)
    whole = roll(plant, params_of(), sample_s=time_s)
    rest = plant.roll_out(
        params_of(),
        commands_of("position"),
        whole.position_rad[300],
        whole.velocity_rad_s[300],
        time_s[300:],
    )
    np.testing.assert_allclose(rest.position_rad, whole.position_rad[300:], atol=1e-9)
    np.testing.assert_allclose(rest.effort_nm[1:], whole.effort_nm[301:], atol=1e-6)


def test_efforts_that_were_measured_move_the_arm_as_they_did(plant):
    time_s = np.arange(0.0, 1.0, 1e-3)
    whole = roll(plant, params_of(), sample_s=time_s)
    # An effort is of the step that ends at its sample: its middle is half a step before.
    replayed = plant.replay_efforts(
        params_of(), time_s - 0.5e-3, whole.effort_nm, PANDA.home_rad, np.zeros(7), time_s[:300]
    )
    np.testing.assert_allclose(replayed.position_rad, whole.position_rad[:300], atol=5e-4)


def test_a_constant_effort_accelerates_a_pendulum(tmp_path):
    robot = pendulum(tmp_path, "0 0 1")
    inertia = INERTIA_KG_M2
    time_s = np.linspace(3.0, 4.0, 11)
    motion = Plant(robot, 1000).replay_efforts(
        SimParams(dynamics=ArmDynamics.nominal(robot)),
        [3.4],
        [[0.6]],
        np.zeros(1),
        np.zeros(1),
        time_s,
    )
    speed = 0.6 / inertia * (time_s - 3.0)
    np.testing.assert_allclose(motion.velocity_rad_s[:, 0], speed, atol=1e-12)


def test_stiction_holds_an_arm_that_is_pulled_less(plant):
    pull = Commands(mode="effort", time_s=[0.0], values=[[0.9] * 7], topic="")
    for coulomb_nm, moves in ((1.0, False), (0.2, True)):
        params = params_of("effort", values={"coulomb/*": coulomb_nm})
        motion = roll(plant, params, pull)
        moved_rad = np.abs(motion.position_rad[-1] - PANDA.home_rad).max()
        assert bool(moved_rad > 1e-3) is moves


def test_a_stop_holds_an_arm(plant):
    there = np.tile(PANDA.limits.position_upper_rad + 0.5, (1, 1))
    push = Commands(mode="position", time_s=[0.0], values=there, topic="")
    motion = roll(plant, params_of(), push, sample_s=np.arange(0.0, 4.0, 0.01))
    beyond = motion.position_rad - PANDA.limits.position_upper_rad
    assert np.abs(beyond[-1]).max() < 1e-3
    assert beyond.max() < 0.03


def test_threads_get_the_same_bits(plant):
    expected = roll(plant, params_of()).position_rad
    with ThreadPoolExecutor(2) as pool:
        motions = list(pool.map(lambda _: roll(plant, params_of()).position_rad, range(4)))
    for motion in motions:
        np.testing.assert_array_equal(motion, expected)


def test_gains_too_high_for_the_rate_are_refused_with_one_that_works(plant):
    stiff = {name: [4.0 * gain for gain in gains] for name, gains in GAINS["position"].items()}
    params = params_of(values={})
    controller = dataclasses.replace(params.controller, gains=stiff)
    params = dataclasses.replace(params, controller=controller)
    with pytest.raises(ConfigError, match=r"use (\d+) or more") as error:
        roll(plant, params)
    least = int(str(error.value).split("use ")[1].split()[0])
    assert RATE_HZ < least < 20_000
    roll(Plant(PANDA, least), params)
    with pytest.raises(ConfigError, match=f"use {least} or more"):
        roll(Plant(PANDA, least - 1), params)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gains": {"kp": [1.0] * 7}}, "kd is missing"),
        ({"gains": {"kp": [1.0] * 7, "kd": [1.0] * 6}}, "kd is 6 values"),
        ({"gains": {"kp": [1.0] * 7, "kd": [-1.0] * 7}}, "numbers from 0 up"),
        ({"mode": "velocity"}, "the controller's is 'velocity'"),
    ],
)
def test_wrong_controllers_are_refused(plant, change, message):
    params = params_of()
    wrong = dataclasses.replace(params.controller, **change)
    with pytest.raises(ConfigError, match=message):
        roll(plant, dataclasses.replace(params, controller=wrong), commands_of("position"))
