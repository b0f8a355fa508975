"""Behaviour of the velocity filter of one arm."""

import dataclasses
import math
import os
import subprocess
import sys

import pytest

from safety_samples import EXACT, HOME, PANDA, one_joint
from sinew_core.errors import ConfigError
from sinew_core.safety.filter import Cause, FilterFault, VelocityFilter
from sinew_core.safety.parameters import SafetyParameters

NAN = math.nan


def exact(limits, period_s=0.1, **changes):
    return VelocityFilter(limits, dataclasses.replace(EXACT, **changes), period_s)


def at_rest(position, limits=None, **changes):
    limiter = exact(limits or one_joint(), **changes)
    limiter.reset([position])
    return limiter


def test_braking_manoeuvre_into_a_limit_ends_exactly_on_it():
    # a dt = 1 rad/s, dt = 0.1 s, v_max 3. From 0.55 rad before the limit, pushed outward:
    # 1.0 (acceleration), S(1.0) = 0.1; left 0.45 -> U(0.45) = 2.5 but v + a dt = 2.0; left 0.25
    # -> U: x = 2.5, n = 1, f = 0.75: 1.75 > v - 1; left 0.075 -> x = 0.75, n = 0, f = 0.75; left 0
    limiter = at_rest(0.45, one_joint(velocity=3.0))
    q, commands, causes = 0.45, [], []
    for _ in range(5):
        result = limiter.step([9.0], [q])
        commands.append(result.command[0])
        causes.append(result.causes[0])
        q += 0.1 * commands[-1]
    assert commands == pytest.approx([1.0, 2.0, 1.75, 0.75, 0.0], abs=1e-12)
    assert causes == [Cause.ACCELERATION] * 2 + [Cause.POSITION] * 3
    assert q == pytest.approx(1.0, abs=1e-12)


def test_velocity_limit_is_named_as_the_cause():
    limiter = at_rest(-0.9, one_joint(velocity=0.5))
    result = limiter.step([0.6], [-0.9])
    assert result.command == (0.5,)
    assert result.causes == (Cause.VELOCITY,)
    assert result.intervened
    assert result.fault is None


def test_safe_command_passes_bit_identical_and_unnoticed():
    limiter = VelocityFilter(PANDA, SafetyParameters(), 0.01)
    limiter.reset(HOME)
    desired = [0.1 / 3.0, -0.03, 1e-300, -0.0, 0.0, 0.05, -0.05]
    result = limiter.step(desired, HOME)
    assert [x.hex() for x in result.command] == [x.hex() for x in desired]
    assert not result.intervened
    assert result.causes == (Cause.NONE,) * 7


def test_brake_decelerates_with_the_full_acceleration_to_rest():
    limiter = at_rest(0.0, one_joint(upper=9.0, velocity=5.0))
    limiter.reset([0.0], [2.5])
    results = [limiter.brake(None) for _ in range(4)]
    # a dt = 1 rad/s
    assert [r.command[0] for r in results] == [1.5, 0.5, 0.0, 0.0]
    assert all(r.causes == (Cause.BRAKE,) for r in results)


@pytest.mark.parametrize("bad", [NAN, math.inf, -math.inf])
def test_one_command_that_is_not_finite_brakes_the_whole_arm(bad):
    limiter = VelocityFilter(PANDA, SafetyParameters(), 0.01)
    limiter.reset(HOME)
    before = limiter.step([0.05] * 7, HOME).command
    result = limiter.step([0.05] * 6 + [bad], None)
    assert result.fault == FilterFault.NOT_FINITE
    assert result.causes == (Cause.BRAKE,) * 7
    assert all(0.0 <= u < v for u, v in zip(result.command, before, strict=True))
    assert limiter.step([0.01] * 7, None).fault is None


def test_measurement_that_is_not_finite_counts_as_none_and_is_reported():
    told, untold = at_rest(0.2), at_rest(0.2)
    for limiter in (told, untold):
        limiter.step([0.5], [0.2])
    result = told.step([0.5], [NAN])
    assert result.fault == FilterFault.MEASUREMENT_NOT_FINITE
    assert result.command == untold.step([0.5], None).command
    assert told.rest_interval_rad == untold.rest_interval_rad


def test_measurement_against_the_commands_brakes_until_a_reset():
    limiter = at_rest(0.0, noise_rad=0.01)
    limiter.step([0.5], [0.0])
    # commanded 0.05 rad, measured 0.2 rad: further than 0.05 + 2 * 0.01
    result = limiter.step([0.5], [0.2])
    assert result.fault == FilterFault.OBSERVER_EMPTY
    assert result.command == (0.0,)
    later = limiter.step([0.5], [0.2])
    assert later.fault == FilterFault.OBSERVER_EMPTY
    assert later.causes == (Cause.BRAKE,)
    limiter.reset([0.2])
    assert limiter.step([0.5], [0.2]).command == (0.5,)


def test_outside_the_limits_only_inward_motion_slowly():
    limiter = at_rest(1.2, recovery_speed_rad_s=0.05)
    outward = limiter.step([0.5], [1.2])
    assert outward.command == (0.0,)
    assert outward.fault == FilterFault.OUTSIDE_LIMITS
    inward = limiter.step([-0.5], [1.2])
    assert inward.command == (-0.05,)
    assert inward.causes == (Cause.RECOVERY,)


def test_recovery_ends_inside_at_normal_speed():
    limiter, q = at_rest(-1.02, recovery_speed_rad_s=0.1), -1.02
    speeds = []
    for _ in range(6):
        speeds.append(limiter.step([0.5], [q]).command[0])
        q += 0.1 * speeds[-1]
    assert speeds[:2] == [0.1, 0.1]
    assert speeds[-1] == 0.5


def test_joint_in_its_margin_is_sent_back_slowly():
    limiter = at_rest(0.98, margin_rad=0.05, recovery_speed_rad_s=0.05)
    result = limiter.step([0.5], [0.98])
    assert result.command == (-0.05,)
    assert result.causes == (Cause.RECOVERY,)
    assert result.fault is None
    # 0.001 rad in the margin: back in one period of 0.1 s
    limiter.reset([-0.951])
    assert limiter.step([0.0], [-0.951]).command == (pytest.approx(0.01),)


def test_creep_of_a_drive_at_rest_does_not_reach_the_limit():
    limiter, q = at_rest(0.9, margin_rad=0.005, drift_rad_s=0.01, noise_rad=0.001), 0.9
    for _ in range(300):
        q += 0.1 * (limiter.step([1.0], [q]).command[0] + 0.009)
        assert q < 1.0


def test_conflict_after_a_reset_in_motion_is_resolved_by_braking():
    # 3 rad/s with 0.1 rad to go: U = 1.0 is below v - a dt = 2.0
    limiter = exact(one_joint(velocity=3.0))
    limiter.reset([0.9], [3.0])
    result = limiter.step([3.0], None)
    assert result.command == (2.0,)
    assert result.causes == (Cause.BRAKE,)
    assert result.fault == FilterFault.BOUNDS_CONFLICT


def test_missed_periods_move_the_interval_with_the_last_command():
    # A loop over a million million would take years.
    for missed in (2, 10**12):
        limiter = at_rest(0.0)
        limiter.step([0.5], [0.0])
        limiter.hold(missed)
        limiter.step([0.5], None)
        # One period more of 0.1 s at 0.5 rad/s.
        way = pytest.approx((0.05 * (missed + 1),))
        assert limiter.rest_interval_rad == (way, way)


def test_latency_widens_the_interval_by_the_motion_since():
    limiter = at_rest(0.0, max_latency_periods=2)
    for _ in range(4):
        limiter.step([0.5], None)
    limiter.reset([0.0], [0.5])
    # measured now or up to 2 periods ago at 0.05 rad a period; one period more before the step
    lower, upper = limiter.rest_interval_rad
    assert (lower[0], upper[0]) == pytest.approx((-0.05, 0.1))


@pytest.mark.parametrize("values", [[0.0, 0.0], []])
def test_wrong_number_of_joints_is_refused(values):
    with pytest.raises(ValueError, match="for 1 joints"):
        at_rest(0.0).step(values, None)


def test_step_before_a_reset_is_refused():
    with pytest.raises(RuntimeError, match="reset"):
        exact(one_joint()).step([0.0], None)


@pytest.mark.parametrize("position", [NAN, math.inf])
def test_reset_from_a_position_that_is_not_finite_is_refused(position):
    with pytest.raises(ValueError, match="position_rad"):
        at_rest(position)


@pytest.mark.parametrize("period_s", [0.0, -0.01, NAN, math.inf])
def test_impossible_period_is_refused(period_s):
    with pytest.raises(ConfigError, match="period_s"):
        exact(one_joint(), period_s)


def test_margin_that_leaves_no_room_is_refused():
    with pytest.raises(ConfigError, match="margin_rad"):
        exact(one_joint(lower=-0.1, upper=0.1), margin_rad=0.1)


def test_filter_needs_no_compiler_and_no_learning_library():
    check = (
        "import sys, sinew_core.safety.filter; "
        "sys.exit(bool({'numba', 'torch', 'pybullet', 'gymnasium'} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", check], env=environment).returncode == 0
