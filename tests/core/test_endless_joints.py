"""A joint that turns without end, on a driver that reports its position within -pi to pi."""

import math

import numpy as np
import pytest

from sinew_core.robots import load_robot
from sinew_core.safety.filter import FilterFault
from sinew_core.safety.make import make_filter
from sinew_core.safety.parameters import SafetyParameters

GEN3 = load_robot("gen3")
PERIOD_S = 0.01
ENDLESS = 6
"""Joint 7, which turns the tool and hits nothing."""


def reported(position_rad):
    """Return positions (n,) as the driver reports them."""
    return ((np.asarray(position_rad) + math.pi) % (2.0 * math.pi) - math.pi).tolist()


def turned(position_rad):
    posture = GEN3.home_rad.copy()
    posture[ENDLESS] = position_rad
    return posture


def started(position_rad, mode="joint_velocity"):
    limiter = make_filter(mode, GEN3, SafetyParameters(), PERIOD_S)
    limiter.reset(reported(position_rad))
    return limiter


def turning(speed_rad_s):
    command = [0.0] * GEN3.n_joints
    command[ENDLESS] = speed_rad_s
    return command


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_turning_on_and_on_ends_before_the_reported_position_jumps(side):
    position = turned(side * 2.0)
    limiter = started(position)
    for _ in range(160):
        result = limiter.step(turning(side * 1.2), reported(position))
        assert result.fault is None
        position = position + PERIOD_S * np.array(result.command)
    # At rest, at the end of the range but for the filter's own margins.
    assert result.command[ENDLESS] == pytest.approx(0.0, abs=1e-3)
    assert 2.9 < side * position[ENDLESS] < 3.05


def test_a_jump_by_a_turn_is_a_fault_that_brakes_the_arm():
    position = turned(3.0)
    limiter = started(position)
    for _ in range(5):
        limiter.step(turning(-0.3), position.tolist())
    position[ENDLESS] -= 2.0 * math.pi
    faults = set()
    for _ in range(40):
        result = limiter.step(turning(-0.3), position.tolist())
        faults.add(result.fault)
    assert faults == {FilterFault.OBSERVER_EMPTY}
    assert result.command == pytest.approx([0.0] * GEN3.n_joints, abs=1e-9)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_an_arm_that_starts_past_the_range_moves_inwards_only(side):
    position = turned(side * 3.1)
    limiter = started(position)
    for _ in range(20):
        result = limiter.step(turning(side * 0.5), reported(position))
        assert side * result.command[ENDLESS] <= 0.0
        position = position + PERIOD_S * np.array(result.command)
    # Slowly up to the range, and then as fast as asked.
    for _ in range(250):
        result = limiter.step(turning(-side * 0.5), reported(position))
        position = position + PERIOD_S * np.array(result.command)
    assert side * position[ENDLESS] < 3.0
