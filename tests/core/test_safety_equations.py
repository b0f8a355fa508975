"""The stopping distance and its inverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.safety.equations import largest_speed, stopping_distance


def test_stopping_distance_sums_the_whole_braking_steps():
    # a dt = 1 rad/s: 2.5, 1.5, 0.5 rad/s for 0.1 s each = 0.45 rad
    assert stopping_distance(2.5, 10.0, 0.1, 0.0) == pytest.approx(0.45, rel=1e-14)


def test_dead_time_adds_the_distance_at_full_speed():
    # 0.45 rad + 2 * 0.1 s * 2.5 rad/s = 0.95 rad
    assert stopping_distance(2.5, 10.0, 0.1, 2.0) == pytest.approx(0.95, rel=1e-14)


def test_largest_speed_from_a_worked_distance():
    # x = 0.45 / (10 * 0.01) = 4.5; n = floor((sqrt(1 + 36) - 1) / 2) = floor(2.54) = 2
    # f = (4.5 - 3) / 3 = 0.5; U = 1 * 2.5 rad/s
    assert largest_speed(0.45, 10.0, 0.1, 0.0) == pytest.approx(2.5, rel=1e-14)


def test_largest_speed_with_dead_time():
    # x = 9.5, b = 5: n = floor((sqrt(25 + 76) - 5) / 2) = floor(2.52) = 2
    # f = (9.5 - 3 - 2 * 2) / (2 + 1 + 2) = 0.5; U = 2.5 rad/s
    assert largest_speed(0.95, 10.0, 0.1, 2.0) == pytest.approx(2.5, rel=1e-14)


@pytest.mark.parametrize("distance", [0.0, -0.0, -1.0, -1e308])
def test_no_room_allows_no_speed(distance):
    assert largest_speed(distance, 10.0, 0.01, 1.0) == 0.0


speeds = st.floats(0.0, 10.0)
decelerations = st.floats(0.5, 100.0)
periods = st.floats(0.001, 0.05)
dead_times = st.floats(0.0, 20.0)


@given(speeds, decelerations, periods, dead_times)
def test_largest_speed_inverts_the_stopping_distance(u, a, dt, c):
    assert largest_speed(stopping_distance(u, a, dt, c), a, dt, c) == pytest.approx(u, abs=1e-11)


@given(speeds, decelerations, periods, dead_times)
def test_stopping_distance_is_the_sum_of_its_definition(u, a, dt, c):
    total, speed = c * dt * u, u
    while speed > 0.0:
        total += dt * speed
        speed -= a * dt
    assert stopping_distance(u, a, dt, c) == pytest.approx(total, abs=1e-9)


@given(speeds, decelerations, periods, dead_times)
def test_one_braking_period_frees_at_least_its_own_motion(u, a, dt, c):
    slower = stopping_distance(max(u - a * dt, 0.0), a, dt, c)
    assert slower <= stopping_distance(u, a, dt, c) - dt * u + 1e-12
