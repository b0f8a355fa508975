"""The simulated arm of the driver, by mode: what commands do, and what silence does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.make import FILTERED_MODES
from sinew_core.simulation import ENGINE_NAMES, make_engine
from sinew_core.simulation.position_drive import PositionDrive
from sinew_sim.arm import SimulatedArm
from sinew_sim.drives import make_drive

ROBOT = load_robot("panda")
HOME = ROBOT.home_rad
PERIOD_NS, PERIOD_S = 10_000_000, 0.01
SPEED = np.array([0.2, 0.1, -0.1, 0.1, 0.2, -0.1, 0.3])


def make_arm(mode, engine="mujoco", *, watchdog_s=0.1, gravity_compensation=True):
    made = make_engine(engine, ROBOT, 500)
    drive = make_drive(mode, made, PERIOD_S, gravity_compensation=gravity_compensation)
    return SimulatedArm(made, drive, period_ns=PERIOD_NS, watchdog_s=watchdog_s)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize("gravity_compensation", [True, False])
@pytest.mark.parametrize("mode", FILTERED_MODES)
def test_without_commands_the_arm_rests_where_it_was_placed(mode, gravity_compensation, engine):
    arm = make_arm(mode, engine, gravity_compensation=gravity_compensation)
    for start in (HOME, HOME + 0.2):
        arm.reset(start)
        for _ in range(100):
            arm.step()
        assert arm.position == pytest.approx(start, abs=2e-3)
    assert arm.watchdog_trips == 0


@pytest.mark.parametrize("mode", FILTERED_MODES)
@pytest.mark.parametrize("bad", [[0.0] * 6, [0.0] * 8, [math.nan] * 7, [math.inf] * 7])
def test_a_malformed_command_is_refused_and_changes_nothing(mode, bad):
    arm = make_arm(mode)
    before = arm.command.copy()
    assert not arm.accept(bad)
    assert np.array_equal(arm.command, before)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_a_position_within_reach_is_where_the_period_ends(engine):
    arm = make_arm("joint_position", engine)
    goal = HOME.copy()
    for k in range(50):
        goal = goal + min(k, 20) / 20 * SPEED * PERIOD_S
        assert arm.accept(goal.tolist())
        arm.step()
        assert arm.position == pytest.approx(goal, abs=1e-4)


def test_a_position_out_of_reach_is_approached_at_the_velocity_limits():
    drive = PositionDrive(ROBOT.limits, PERIOD_S)
    assert drive.velocity(HOME + 1.0, HOME) == pytest.approx(ROBOT.limits.velocity_rad_s)
    assert drive.velocity(HOME - 1.0, HOME) == pytest.approx(-ROBOT.limits.velocity_rad_s)
    # 0.001 rad in 0.01 s
    assert drive.velocity(HOME + 0.001, HOME) == pytest.approx(0.1)


def test_in_silence_the_last_position_is_a_place_to_rest():
    arm = make_arm("joint_position")
    goal = HOME + SPEED * PERIOD_S
    arm.accept(goal.tolist())
    for _ in range(50):
        arm.step()
    assert arm.position == pytest.approx(goal, abs=1e-3)
    assert np.abs(arm.velocity).max() < 1e-3
    assert arm.watchdog_trips == 0


@pytest.mark.parametrize("mode", ["joint_velocity", "joint_effort"])
def test_silence_brings_a_moving_arm_to_rest_once_the_watchdog_is_due(mode):
    arm = make_arm(mode)
    command = SPEED if mode == "joint_velocity" else 10.0 * SPEED
    arm.accept(command.tolist())
    for _ in range(9):
        arm.step()
    assert np.abs(arm.velocity).max() > 0.1
    # 0.1 s after the command at the latest limit of 2.6 rad/s by 20 rad/s² and less is far off.
    for _ in range(60):
        arm.step()
    assert np.abs(arm.velocity).max() < 1e-3
    assert arm.watchdog_trips == 1
    assert arm.accept(command.tolist())
    arm.step()
    assert np.abs(arm.velocity).max() > 1e-3


def test_silence_after_a_velocity_beyond_all_limits_brakes_within_the_time_of_the_limits():
    arm = make_arm("joint_velocity")
    arm.accept([1e6] * 7)
    for _ in range(11):
        arm.step()
    limits = ROBOT.limits
    assert np.all(arm.command <= limits.velocity_rad_s)
    slowest_s = float(np.max(limits.velocity_rad_s / limits.acceleration_rad_s2))
    for _ in range(math.ceil(slowest_s / PERIOD_S)):
        arm.step()
    assert not arm.command.any()
    assert arm.watchdog_trips == 1


def test_a_watchdog_of_zero_is_off():
    arm = make_arm("joint_velocity", watchdog_s=0.0)
    arm.accept(SPEED.tolist())
    for _ in range(100):
        arm.step()
    assert arm.velocity == pytest.approx(SPEED, abs=1e-3)
