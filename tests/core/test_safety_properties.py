"""What the velocity filter guarantees, sought to be broken by drives at the edge of the allowed."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_plant import Plant, Wishes
from safety_samples import HOME, PANDA, any_float, assumptions, one_joint
from sinew_core.robots.limits import JointLimits
from sinew_core.safety.filter import Cause, FilterFault, VelocityFilter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.twin import BatchVelocityFilter

ARMS, PERIODS = 600, 200  # times 7 joints: 840,000 steps of a joint a case


def assumed(**changes):
    """Return assumptions without drift, whose guarantee holds without the margin."""
    return SafetyParameters(**{"drift_rad_s": 0.0, **changes})


CASES = [
    (0.01, SafetyParameters()),
    (0.01, assumed()),
    (0.002, assumed(interpolation=0.0, noise_rad=0.0, gain_error=0.0)),
    (0.01, assumed(interpolation=0.0, noise_rad=0.0, gain_error=0.0, margin_rad=0.0)),
    (0.02, assumed(interpolation=0.25, jitter=0.3, gain_error=0.05)),
    (0.01, assumed(noise_rad=0.002, max_latency_periods=1)),
    (0.01, assumed(noise_rad=0.002, max_latency_periods=4, gain_error=0.05)),
    (0.01, assumed(max_latency_periods=3, jitter=0.3, dead_time_periods=0.5)),
    (0.001, assumed(max_latency_periods=4, jitter=0.1, dead_time_periods=10.0)),
    (0.002, assumed(noise_rad=0.01, interpolation=0.0, max_latency_periods=2)),
    (0.02, SafetyParameters(drift_rad_s=0.01, margin_rad=0.02, max_latency_periods=2, jitter=0.1)),
    (0.01, assumed(velocity_scale=0.3, acceleration_scale=0.2, dead_time_periods=3.0)),
]


class World:
    """Many arms that start close to their limits, pushed about through the filter."""

    def __init__(self, period_s, parameters, seed):
        self.p, self.period_s = parameters, period_s
        self.rng = rng = np.random.default_rng(seed)
        self.lower = PANDA.position_lower_rad + parameters.margin_rad
        self.upper = PANDA.position_upper_rad - parameters.margin_rad
        near = 2.1 * parameters.noise_rad + 0.1 * rng.random((ARMS, 7)) ** 2
        self.plant = Plant(
            np.where(rng.random((ARMS, 7)) < 0.5, self.upper - near, self.lower + near),
            parameters,
            period_s,
            rng,
        )
        self.filter = BatchVelocityFilter(PANDA, parameters, period_s, ARMS)
        self.filter.reset(slice(None), self.plant.measure())
        self.command = np.zeros((ARMS, 7))
        # Drift of a joint at rest is not acted against: the margin takes it up.
        self.slack = parameters.margin_rad if parameters.drift_rad_s > 0.0 else 1e-9

    def step(self, desired, measured):
        """Run one period and check all that must hold in it."""
        before = self.command.copy()
        self.filter.step(desired, measured, self.command)
        gain = 1.0 + self.p.gain_error
        speed = np.abs(self.command) * gain + self.p.drift_rad_s
        assert (speed <= self.p.velocity_scale * PANDA.velocity_rad_s + 1e-12).all()
        acceleration = np.abs(self.command - before) * gain / (self.period_s * (1 - self.p.jitter))
        assert (acceleration <= self.p.acceleration_scale * PANDA.acceleration_rad_s2 + 1e-9).all()
        self.move(self.command)

    def move(self, command):
        """Run one period of the drives alone, and check the positions in and after it."""
        least, greatest = self.plant.move(command)
        assert (least >= self.lower - self.slack).all()
        assert (greatest <= self.upper + self.slack).all()

    def assert_no_fault_but(self, fault=0):
        assert set(self.filter.faults.tolist()) <= {0, int(fault)}


@pytest.mark.parametrize("case", range(len(CASES)))
def test_no_drive_within_the_assumptions_breaks_a_limit(case):
    world = World(*CASES[case], seed=case)
    wishes = Wishes((ARMS, 7), PANDA.velocity_rad_s, world.rng)
    for period in range(PERIODS):
        measured = world.plant.measure()
        lost = world.rng.random(measured.shape) < (0.3 if period % 40 < 20 else 0.0)
        measured[lost] = np.nan
        world.step(wishes.next(), measured)
        # lo <= hi in every step, else BOUNDS_CONFLICT; the truth in the interval, else EMPTY
        world.assert_no_fault_but(FilterFault.MEASUREMENT_NOT_FINITE)
    assert world.filter.interventions.min() > 0


@pytest.mark.parametrize("case", range(len(CASES)))
def test_arm_comes_to_rest_inside_when_all_messages_stop(case):
    period_s, parameters = CASES[case]
    world = World(period_s, parameters, seed=case)
    wishes = Wishes((ARMS, 7), PANDA.velocity_rad_s, world.rng)
    for _ in range(30):
        world.step(wishes.next(), world.plant.measure())
    for _ in range(20):
        world.step(wishes.next(), None)
        world.assert_no_fault_but()
    unable = np.full((ARMS, 7), math.nan)
    for _ in range(math.ceil(2.61 / (0.1 * 7.5 * period_s))):
        world.step(unable, None)
        if not world.command.any():
            break
    assert not world.command.any()


@pytest.mark.parametrize("case", [c for c in range(len(CASES)) if CASES[c][1].dead_time_periods])
def test_driver_that_brakes_after_the_dead_time_ends_inside(case):
    period_s, p = CASES[case]
    world = World(period_s, p, seed=case)
    wishes = Wishes((ARMS, 7), PANDA.velocity_rad_s, world.rng)
    for _ in range(40):
        world.step(wishes.next(), world.plant.measure())
    for _ in range(math.floor(p.dead_time_periods)):
        world.move(world.command)
    deceleration = PANDA.acceleration_rad_s2 * p.acceleration_scale
    step = deceleration * (1.0 - p.jitter) / (1.0 + p.gain_error) * period_s
    while world.command.any():
        world.command = np.sign(world.command) * np.maximum(np.abs(world.command) - step, 0.0)
        world.move(world.command)


rows = st.lists(any_float, min_size=7, max_size=7)
wishes = st.lists(st.floats(-3.0, 3.0), min_size=7, max_size=7)
LOWER, UPPER = PANDA.position_lower_rad.tolist(), PANDA.position_upper_rad.tolist()
starts = st.tuples(*[st.floats(a, b) for a, b in zip(LOWER, UPPER, strict=True)]).map(list)


def ready(parameters, start, limits=PANDA):
    limiter = VelocityFilter(limits, parameters, 0.01)
    limiter.reset(start)
    return limiter


@settings(max_examples=300)
@given(
    assumptions,
    st.lists(
        st.tuples(st.sampled_from(["push", "wish", "brake", "lost"]), st.floats(-3.0, 3.0)),
        min_size=1,
        max_size=10,
    ),
    st.integers(0, 2**32),
)
def test_any_history_of_one_joint_stays_inside(parameters, history, seed):
    limits = one_joint(-0.1, 0.1, velocity=2.0, acceleration=8.0)
    plant = Plant(np.zeros((1, 1)), parameters, 0.01, np.random.default_rng(seed))
    limiter = VelocityFilter(limits, parameters, 0.01)
    limiter.reset(plant.measure()[0])
    slack = 1e-9 - parameters.margin_rad + parameters.drift_rad_s * 0.01 * 2 * len(history) * 1.3
    for kind, value in history:
        for _ in range(2):
            measured = None if kind == "lost" else plant.measure()[0]
            wish = math.copysign(9.0, value) if kind in ("push", "lost") else value
            result = limiter.brake(measured) if kind == "brake" else limiter.step([wish], measured)
            assert result.fault is None
            least, greatest = plant.move(np.array([result.command]))
            assert least.min() >= -0.1 - slack
            assert greatest.max() <= 0.1 + slack


@given(assumptions, starts, st.lists(wishes, min_size=1, max_size=5))
def test_filter_is_idempotent(parameters, start, history):
    limiter = ready(parameters, start)
    for wish in history:
        twice = copy.deepcopy(limiter)
        first = limiter.step(wish, None)
        again = twice.step(first.command, None)
        assert again.command == first.command
        assert not again.intervened
        changed = [f != w for f, w in zip(first.command, wish, strict=True)]
        assert [c != Cause.NONE for c in first.causes] == changed


@given(assumptions, starts, st.lists(wishes, min_size=1, max_size=5))
def test_mirrored_world_gives_mirrored_commands(parameters, start, history):
    mapping = PANDA.to_mapping()
    mapping["position_lower_rad"] = [-x for x in PANDA.position_upper_rad.tolist()]
    mapping["position_upper_rad"] = [-x for x in PANDA.position_lower_rad.tolist()]
    one = ready(parameters, start)
    other = ready(parameters, [-x for x in start], JointLimits.from_mapping(mapping, "mirror"))
    for wish in history:
        result = one.step(wish, start)
        mirrored = other.step([-w for w in wish], [-x for x in start])
        assert mirrored.command == tuple(-u for u in result.command)
        assert mirrored.causes == result.causes
        assert mirrored.fault == result.fault


@given(assumptions, starts, st.lists(wishes, min_size=1, max_size=5), st.permutations(range(7)))
def test_order_of_the_joints_does_not_matter(parameters, start, history, order):
    def sort(values):
        return [values[j] for j in order]

    mapping = {name: sort(values) for name, values in PANDA.to_mapping().items()}
    one = ready(parameters, start)
    other = ready(parameters, sort(start), JointLimits.from_mapping(mapping, "sorted"))
    for wish in history:
        result = one.step(wish, None)
        moved = other.step(sort(wish), None)
        assert moved.command == tuple(sort(result.command))
        assert moved.causes == tuple(sort(result.causes))


@given(
    assumptions,
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=7, max_size=7),
    st.lists(st.tuples(rows, st.none() | rows), min_size=1, max_size=6),
)
def test_output_is_finite_for_any_bits(parameters, start, history):
    limiter = ready(parameters, start)
    for desired, measured in history:
        result = limiter.step(desired, measured)
        assert all(abs(u) <= 2.61 for u in result.command)


def test_faster_filter_than_in_training_keeps_the_limits_too():
    limiter = VelocityFilter(PANDA, SafetyParameters(), 0.001)
    limiter.reset(HOME)
    q = list(HOME)
    for _ in range(3000):
        command = limiter.step([9.0] * 7, q).command
        q = [x + 0.001 * u for x, u in zip(q, command, strict=True)]
    upper = PANDA.position_upper_rad - SafetyParameters().margin_rad
    assert (np.array(q) <= upper + 1e-9).all()
    np.testing.assert_allclose(q, upper, atol=0.004)
