"""The jerk limit: the braking law ends exactly, its closed forms are exact, and the limits hold."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from safety_plant import Plant, Wishes
from safety_samples import EXACT, HOME, PANDA, one_joint
from sinew_core.robots.limits import JointLimits
from sinew_core.safety import equations, jerk
from sinew_core.safety.brake_plan import JointPlan
from sinew_core.safety.certified import CertifiedPositionFilter, CertifiedVelocityFilter
from sinew_core.safety.certified_constants import certified_velocity_constants
from sinew_core.safety.certified_equations import outward_reach, reach_at_most
from sinew_core.safety.certified_twin import BatchCertifiedVelocityFilter
from sinew_core.safety.equations import braked
from sinew_core.safety.filter import Cause, FilterFault, PositionFilter, VelocityFilter
from sinew_core.safety.parameters import SafetyParameters

SPEED_STEP = 0.1
ROUNDING = jerk.ROUNDING_RAD_S
POSITION_ROUNDING = 4e-15 / 0.001
steps = st.floats(-SPEED_STEP, SPEED_STEP)
jerk_steps = st.sampled_from([0.2, 0.15, 0.1, 0.05, 0.03, 0.01, 0.1 / 30])
commands = st.one_of(st.floats(-2.0, 2.0), st.sampled_from([0.0, 0.1, -0.3, 0.05]))


def brake_from(command, step, jerk_step, rounding=ROUNDING):
    """Return the commands of the law, from `command` until it and its step are zero."""
    path = [command]
    while path[-1] != 0.0 or step != 0.0:
        after = jerk.braked_smoothly(path[-1], step, SPEED_STEP, jerk_step, rounding)
        assert abs(after - path[-1]) <= SPEED_STEP * (1 + 1e-12)
        assert abs(after - path[-1] - step) <= jerk_step * (1 + 1e-9) or jerk_step >= 0.2
        step = after - path[-1]
        path.append(after)
        assert len(path) < 2000
    return path


@given(st.floats(0.0, 0.1), jerk_steps)
def test_largest_step_is_the_inverse_of_the_ramp(step, jerk_step):
    change = jerk.ramp_change(step, jerk_step)
    by_steps = sum(max(step - k * jerk_step, 0.0) for k in range(40))
    assert change == pytest.approx(by_steps, abs=1e-13)
    assert jerk.largest_step(change, jerk_step) == pytest.approx(step, abs=1e-12)


parts = st.floats(-0.04, 0.04)


@settings(max_examples=400)
@given(st.integers(0, 3), jerk_steps, parts, parts, st.sampled_from([ROUNDING, POSITION_ROUNDING]))
def test_a_law_that_ends_at_zero_has_no_second_lobe_whatever_the_rounding(
    ahead, jerk_step, off_command, off_step, rounding
):
    assume(jerk_step * (ahead + 1) < SPEED_STEP)
    command = 0.5 * jerk_step * ahead * (ahead + 1) + off_command * rounding
    step = -jerk_step * (ahead + 1) + off_step * rounding
    path = brake_from(command, step, jerk_step, rounding)
    sign = 1.0 if command > 0.0 or (command == 0.0 and step > 0.0) else -1.0
    if min(sign * v for v in path) >= 0.0:
        lobes = jerk.brake_lobes(command, step, SPEED_STEP, jerk_step, rounding)
        assert lobes[3:] == (0.0, 0.0, 0.0)


@settings(max_examples=400)
@given(commands, steps, jerk_steps)
def test_law_ends_at_zero_within_the_limits_and_lobes_are_its_areas(command, step, jerk_step):
    path = brake_from(command, step, jerk_step)
    area, _, peak, area_back, _, peak_back = jerk.brake_lobes(
        command, step, SPEED_STEP, jerk_step, ROUNDING
    )
    sign = 1.0 if command > 0.0 or (command == 0.0 and step > 0.0) else -1.0
    ahead = [sign * v for v in path]
    assert area == pytest.approx(sum(max(v, 0.0) for v in ahead), abs=1e-9)
    assert area_back == pytest.approx(sum(max(-v, 0.0) for v in ahead), abs=1e-9)
    assert peak == pytest.approx(max(0.0, *ahead, 0.0), abs=1e-9)
    assert peak_back == pytest.approx(-min(0.0, *ahead, 0.0), abs=1e-9)


@settings(max_examples=200)
@given(commands, steps, jerk_steps, st.integers(0, 200))
def test_plan_knows_the_way_after_any_period(command, step, jerk_step, k):
    before = command - step
    path = brake_from(command, command - before, jerk_step)
    path += [0.0] * 300
    plan = JointPlan(before, command, SPEED_STEP, jerk_step, ROUNDING)
    forwards, backwards, velocity = plan.after(float(k))
    assert forwards == pytest.approx(sum(max(v, 0.0) for v in path[:k]), abs=1e-9)
    assert backwards == pytest.approx(sum(max(-v, 0.0) for v in path[:k]), abs=1e-9)
    assert velocity == pytest.approx(path[k - 1] if k else before, abs=1e-9)
    assert plan.fastest >= max(path) - 1e-9
    assert plan.slowest <= min(path) + 1e-9


@settings(max_examples=200)
@given(commands, steps, steps, jerk_steps)
def test_a_greater_command_never_falls_behind(before, one, other, jerk_step):
    less, more = sorted((one, other))
    behind = brake_from(before + less, before + less - before, jerk_step)
    ahead = brake_from(before + more, before + more - before, jerk_step)
    length = max(len(behind), len(ahead))
    behind += [0.0] * (length - len(behind))
    ahead += [0.0] * (length - len(ahead))
    assert all(a >= b - 1e-12 for a, b in zip(ahead, behind, strict=True))


@settings(max_examples=300)
@given(commands, steps, st.sampled_from([0.001, 0.002, 0.005]), st.sampled_from([1.0, 0.1, 0.01]))
def test_cheap_bound_of_the_reach_is_no_less_than_the_reach(before, step, period_s, jerk_scale):
    parameters = SafetyParameters(jerk_scale=jerk_scale, dead_time_periods=1.5)
    joints, model = certified_velocity_constants(PANDA, parameters, period_s)
    step *= joints[equations.SPEED_STEP][0] / SPEED_STEP
    reach = outward_reach(joints, model, 0, before, before + step)
    assert reach_at_most(joints, model, 0, before, before + step) >= reach


@given(commands, steps)
def test_law_of_a_jerk_that_cannot_bind_is_the_plain_one(command, step):
    after = jerk.braked_smoothly(command, step, SPEED_STEP, 2.0 * SPEED_STEP, 0.0)
    assert after == braked(command, SPEED_STEP)


def smooth(jerk_rad_s3):
    return JointLimits.from_mapping(
        {**PANDA.to_mapping(), "jerk_rad_s3": [jerk_rad_s3 * k for k in (2, 1, 1.5, 1.5, 2, 3, 3)]},
        "smooth",
    )


def assumed(**changes):
    return SafetyParameters(**{"drift_rad_s": 0.0, **changes})


CASES = [
    (0.01, 100.0, SafetyParameters()),
    (0.01, 300.0, assumed()),
    (0.01, 20.0, assumed(interpolation=0.0, noise_rad=0.0, gain_error=0.0, margin_rad=0.0)),
    (0.02, 100.0, assumed(interpolation=0.25, jitter=0.3, gain_error=0.05)),
    (0.01, 50.0, assumed(noise_rad=0.002, max_latency_periods=4, gain_error=0.05)),
    (0.002, 300.0, assumed(max_latency_periods=2, jitter=0.1, dead_time_periods=5.0)),
    (0.01, 150.0, assumed(limiting="scale", velocity_scale=0.3)),
]
ARMS, PERIODS = 200, 120


class World:
    """Arms close to their limits behind a filter whose jerk limit binds, pushed about."""

    def __init__(self, case):
        self.period_s, jerk_rad_s3, self.p = CASES[case]
        self.limits = smooth(jerk_rad_s3)
        self.rng = rng = np.random.default_rng(case)
        self.lower = PANDA.position_lower_rad + self.p.margin_rad
        self.upper = PANDA.position_upper_rad - self.p.margin_rad
        near = 2.1 * self.p.noise_rad + 0.1 * rng.random((ARMS, 7)) ** 2
        start = np.where(rng.random((ARMS, 7)) < 0.5, self.upper - near, self.lower + near)
        self.plant = Plant(start, self.p, self.period_s, rng)
        self.filter = BatchCertifiedVelocityFilter(self.limits, self.p, self.period_s, ARMS)
        self.filter.reset(slice(None), self.plant.measure())
        self.command, self.step_before = np.zeros((ARMS, 7)), np.zeros((ARMS, 7))
        self.slack = self.p.margin_rad if self.p.drift_rad_s > 0.0 else 1e-9

    def step(self, desired, measured):
        p, before = self.p, self.command.copy()
        self.filter.step(desired, measured, self.command)
        gain = 1.0 + p.gain_error
        speed = np.abs(self.command) * gain + p.drift_rad_s
        assert (speed <= p.velocity_scale * PANDA.velocity_rad_s + 1e-9).all()
        step = self.command - before
        most = p.acceleration_scale * PANDA.acceleration_rad_s2 * self.period_s
        assert (np.abs(step) * gain <= most * (1.0 - p.jitter) + 1e-9).all()
        most = self.limits.jerk_rad_s3 * self.period_s**2
        assert (np.abs(step - self.step_before) * gain <= most + 1e-13).all()
        self.step_before = step
        least, greatest = self.plant.move(self.command)
        assert (least >= self.lower - self.slack).all()
        assert (greatest <= self.upper + self.slack).all()


@pytest.mark.parametrize("case", range(len(CASES)))
def test_no_drive_within_the_assumptions_breaks_a_limit(case):
    world = World(case)
    wishes = Wishes((ARMS, 7), PANDA.velocity_rad_s, world.rng)
    for period in range(PERIODS):
        measured = world.plant.measure()
        measured[world.rng.random(measured.shape) < (0.3 if period % 40 < 20 else 0.0)] = np.nan
        world.step(wishes.next(), measured)
        assert set(world.filter.faults.tolist()) <= {0, FilterFault.MEASUREMENT_NOT_FINITE}
    causes = world.filter.causes
    assert {Cause.JERK, Cause.POSITION} & set(causes.ravel().tolist())
    unable = np.full((ARMS, 7), math.nan)
    for _ in range(2000):  # no more messages: all arms come to rest inside
        world.step(unable, None)
        if not world.command.any() and not world.step_before.any():
            break
    assert not world.command.any()


@pytest.mark.parametrize("dead_periods", [1, 3, 5])
def test_driver_that_brakes_after_the_dead_time_ends_inside(dead_periods):
    case = 5
    world = World(case)
    wishes = Wishes((ARMS, 7), PANDA.velocity_rad_s, world.rng)
    for _ in range(40):
        world.step(wishes.next(), world.plant.measure())
    p, command = world.p, world.command
    step = PANDA.acceleration_rad_s2 * p.acceleration_scale * (1.0 - p.jitter)
    step = step / (1.0 + p.gain_error) * world.period_s
    for _ in range(dead_periods):
        world.plant.move(command)
    while command.any():
        command = np.sign(command) * np.maximum(np.abs(command) - step, 0.0)
        least, greatest = world.plant.move(command)
        assert (least >= world.lower - world.slack).all()
        assert (greatest <= world.upper + world.slack).all()


def test_largest_certified_command_is_found():
    # From rest at 0.05 rad before the limit the arm gets as near as the search's tolerance, and
    # meets its limit no later than twice the time of the fastest way there and to rest.
    limits = JointLimits.from_mapping(
        {**one_joint(-1.0, 1.0, 1.0, 10.0).to_mapping(), "jerk_rad_s3": [200.0]}, "one"
    )
    made = CertifiedVelocityFilter(limits, EXACT, 0.01)
    made.reset([0.95])
    x = 0.95
    for _ in range(60):
        x += 0.01 * made.step([1.0], [x]).command[0]
    assert 1.0 - 1e-5 <= x <= 1.0 + 1e-12


@settings(max_examples=60)
@given(
    st.sampled_from([0.0, 0.01]),
    st.lists(st.lists(st.floats(-4.0, 4.0), min_size=7, max_size=7), min_size=1, max_size=12),
)
def test_what_is_certified_passes_again_and_mirrors(noise, wishes):
    parameters = SafetyParameters(noise_rad=noise, jerk_scale=0.05)
    mapping = PANDA.to_mapping()
    mapping["position_lower_rad"] = [-x for x in PANDA.position_upper_rad.tolist()]
    mapping["position_upper_rad"] = [-x for x in PANDA.position_lower_rad.tolist()]
    mirror = JointLimits.from_mapping(mapping, "mirror")
    first, twice, other = (
        CertifiedVelocityFilter(limits, parameters, 0.002) for limits in (PANDA, PANDA, mirror)
    )
    first.reset(HOME)
    twice.reset(HOME)
    other.reset([-x for x in HOME])
    for wish in wishes:
        for _ in range(5):
            result = first.step(wish, None)
            again = twice.step(result.command, None)
            assert again.command == result.command
            assert not again.intervened
            mirrored = other.step([-w for w in wish], None)
            assert mirrored.command == tuple(-u for u in result.command)
            assert mirrored.causes == result.causes


@settings(max_examples=50)
@given(st.lists(st.lists(st.floats(width=64), min_size=7, max_size=7), min_size=1, max_size=8))
def test_output_is_finite_for_any_bits(rows):
    velocities = CertifiedVelocityFilter(PANDA, SafetyParameters(limiting="scale"), 0.001)
    positions = CertifiedPositionFilter(PANDA, SafetyParameters(limiting="scale"), 0.001)
    velocities.reset(HOME)
    positions.reset(HOME)
    for row in rows:
        assert all(abs(u) <= 2.61 for u in velocities.step(row, row).command)
        assert all(abs(q) <= 4.0 for q in positions.step(row, row).command)


@settings(max_examples=60)
@given(st.lists(st.lists(st.floats(-4.0, 4.0), min_size=7, max_size=7), min_size=1, max_size=12))
def test_filters_are_the_plain_ones_where_no_further_limit_binds(wishes):
    parameters = SafetyParameters(limit_jerk=False)
    pairs = [
        (VelocityFilter(PANDA, parameters, 0.01), CertifiedVelocityFilter(PANDA, parameters, 0.01)),
        (PositionFilter(PANDA, parameters, 0.01), CertifiedPositionFilter(PANDA, parameters, 0.01)),
    ]
    for plain, certified in pairs:
        plain.reset(HOME)
        certified.reset(HOME)
        for wish in wishes:
            assert certified.step(wish, None) == plain.step(wish, None)


@pytest.mark.parametrize("jerk_scale", [1.0, 0.05, 0.01])
def test_positions_keep_all_limits_and_come_to_rest_at_the_target(jerk_scale):
    parameters = SafetyParameters(jerk_scale=jerk_scale, tracking_error_rad=0.01)
    period_s, rng = 0.002, np.random.default_rng(1)
    made = CertifiedPositionFilter(PANDA, parameters, period_s)
    made.reset(HOME)
    past = [np.array(HOME)] * 3
    inset = parameters.margin_rad + parameters.tracking_error_rad
    lower, upper = PANDA.position_lower_rad + inset, PANDA.position_upper_rad - inset
    for period in range(1200):
        if period % 200 == 0:
            target = rng.uniform(lower - 0.3, upper + 0.3)
        past = [*past[1:], np.array(made.step(target.tolist(), None).command)]
        velocity, before = np.diff(past, axis=0)[::-1] / period_s
        assert (past[-1] <= upper + 1e-9).all()
        assert (past[-1] >= lower - 1e-9).all()
        assert (np.abs(velocity) <= PANDA.velocity_rad_s + 1e-9).all()
        change = np.abs(velocity - before)
        assert (change <= 0.5 * PANDA.acceleration_rad_s2 * period_s + 1e-9).all()
    target = np.clip(target, lower, upper)
    for _ in range(3000):
        made.step(target.tolist(), None)
    assert made.command == tuple(target.tolist())


def test_jerk_is_the_cause_of_a_first_step_that_it_limits():
    # J dt^2 = 0.05 * 5000 * 0.002^2 = 0.001 rad/s, less than any a dt = 0.5 * 7.5 * 0.002.
    exact = SafetyParameters(jerk_scale=0.05, gain_error=0.0)
    made = CertifiedVelocityFilter(PANDA, exact, 0.002)
    made.reset(HOME)
    result = made.step([1.0] * 7, HOME)
    assert result.command == pytest.approx([0.001] * 7)
    assert set(result.causes) == {Cause.JERK}
