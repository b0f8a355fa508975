"""What the position filter guarantees: exact pass-through, limits, rest, and its compiled twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_samples import EXACT, HOME, PANDA, any_float, one_joint
from sinew_core.safety.filter import Cause, FilterFault, PositionFilter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.twin import BatchPositionFilter

PERIOD_S = 0.01
ARMS, PERIODS = 1000, 300  # times 7 joints: 2,100,000 steps of a joint a case, 1e7 in all


def filter_at(position, limits=PANDA, parameters=EXACT, period_s=PERIOD_S):
    made = PositionFilter(limits, parameters, period_s)
    made.reset(position)
    return made


def test_a_safe_position_passes_bit_for_bit():
    rng = np.random.default_rng(0)
    made = filter_at(HOME)
    wish = np.array(HOME)
    speed = np.zeros(7)
    step = PANDA.acceleration_rad_s2 * PERIOD_S
    for _ in range(2000):
        speed = np.clip(speed + rng.uniform(-0.5, 0.5, 7) * step, -0.5, 0.5)
        speed -= 0.01 * (wish - HOME)  # stay around home, far from the limits
        wish = wish + PERIOD_S * speed
        result = made.step(wish.tolist(), None)
        assert result.command == tuple(wish.tolist())
        assert not result.intervened


def test_a_far_target_is_approached_and_reached_exactly():
    made = filter_at([0.0], one_joint(velocity=1.0, acceleration=10.0))
    path = [made.step([0.5], None).command[0] for _ in range(200)]
    speeds = np.diff([0.0, *path]) / PERIOD_S
    assert path[-1] == 0.5
    assert max(path) <= 0.5 + 3 * 10.0 * PERIOD_S**2
    assert speeds.max() == pytest.approx(1.0)
    assert np.abs(np.diff([0.0, *speeds])).max() <= 10.0 * PERIOD_S + 1e-9
    # Half a metre at 1 rad/s and 10 rad/s^2 takes 0.6 s.
    assert np.argmax(np.array(path) == 0.5) <= 62


def test_targets_that_stand_still_are_reached_with_little_overshoot():
    rng = np.random.default_rng(0)
    start = np.tile((PANDA.position_lower_rad + PANDA.position_upper_rad) / 2, (ARMS, 1))
    target = start + rng.uniform(-0.8, 0.8, start.shape)
    twin = BatchPositionFilter(PANDA, EXACT, PERIOD_S, ARMS)
    twin.reset(slice(None), start)
    out, beyond = np.empty_like(start), 0.0
    for _ in range(200):
        twin.step(target, None, out)
        passed = (out - target) * np.sign(target - start)
        beyond = max(beyond, (passed / (PANDA.acceleration_rad_s2 * PERIOD_S**2)).max())
    assert 7.0 < beyond <= 8.0
    assert (out == target).all()


def test_the_limits_shrink_by_the_tracking_error():
    parameters = SafetyParameters(margin_rad=0.0, tracking_error_rad=0.1)
    made = filter_at([0.8], one_joint(), parameters)
    results = [made.step([5.0], None) for _ in range(100)]
    assert results[-1].command[0] == pytest.approx(0.9)
    assert results[-1].causes == (Cause.POSITION,)


def test_an_arm_that_does_not_follow_is_stopped_and_stays_so():
    parameters = SafetyParameters(noise_rad=0.0, tracking_error_rad=0.05, max_latency_periods=1)
    made = filter_at([0.0], one_joint(), parameters)
    faults = [made.step([1.0], [0.0]).fault for _ in range(60)]
    assert faults[0] is None
    assert faults[-1] is FilterFault.OBSERVER_EMPTY
    rest = made.command
    assert made.step([-1.0], list(rest)).command == rest  # until a reset
    made.reset(rest)
    assert made.step([0.0], list(rest)).fault is None


def test_a_measurement_as_old_as_declared_is_no_fault():
    parameters = SafetyParameters(noise_rad=0.0, tracking_error_rad=0.001, max_latency_periods=3)
    made = filter_at([0.0], one_joint(), parameters)
    published = [0.0] * 5
    for _ in range(100):
        result = made.step([0.7], [published[-4]])
        assert result.fault is None
        published.append(result.command[0])
    assert published[-1] == 0.7


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_target_that_is_not_finite_brakes_the_arm(bad):
    made = filter_at([0.0, *HOME[1:]])
    for _ in range(20):
        moving = made.step([0.5, *HOME[1:]], None)
    result = made.step([bad, *HOME[1:]], None)
    assert result.fault is FilterFault.NOT_FINITE
    assert result.causes == (Cause.BRAKE,) * 7
    assert 0.0 < result.command[0] - moving.command[0] < PERIOD_S * 2.175
    for _ in range(40):
        before, result = result, made.step([bad] * 7, None)
    assert result.command == before.command


def test_outside_the_limits_the_arm_may_only_move_inward_and_slowly():
    made = filter_at([1.05], one_joint(), SafetyParameters(tracking_error_rad=0.0))
    outward = made.step([2.0], None)
    assert outward.fault is FilterFault.OUTSIDE_LIMITS
    assert outward.command == (1.05,)
    path = [made.step([0.0], None).command[0] for _ in range(50)]
    assert np.diff([1.05, *path]).min() >= -0.05 * PERIOD_S - 1e-12
    assert path[-1] < 1.05


def test_periods_without_a_command_end_at_rest():
    made = filter_at([0.0], one_joint())
    for _ in range(15):
        made.step([0.9], None)
    at = made.command
    made.hold(3)
    assert made.command == at
    # The drive came to rest, so the arm starts from there again.
    assert made.step([0.9], None).command[0] - at[0] == pytest.approx(10.0 * PERIOD_S**2)


CASES = [
    (0.01, EXACT),
    (0.01, SafetyParameters()),
    (0.002, SafetyParameters(jitter=0.1, tracking_error_rad=0.05)),
    (0.001, SafetyParameters(velocity_scale=0.5, acceleration_scale=0.2, max_latency_periods=4)),
    (0.02, SafetyParameters(margin_rad=0.02, acceleration_scale=1.0)),
]


@pytest.mark.parametrize(("period_s", "parameters"), CASES)
def test_limits_hold_for_the_worst_targets(period_s, parameters):
    rng = np.random.default_rng(1)
    inset = parameters.margin_rad + parameters.tracking_error_rad
    lower, upper = PANDA.position_lower_rad + inset, PANDA.position_upper_rad - inset
    scale = 1.0 - parameters.jitter
    speed = PANDA.velocity_rad_s * parameters.velocity_scale * scale
    change = PANDA.acceleration_rad_s2 * parameters.acceleration_scale * scale * period_s
    near = 0.05 * rng.random((ARMS, 7)) ** 3
    position = np.where(rng.random((ARMS, 7)) < 0.5, upper - near, lower + near)
    twin = BatchPositionFilter(PANDA, parameters, period_s, ARMS)
    twin.reset(slice(None), position)
    velocity, target, out = np.zeros((ARMS, 7)), position.copy(), np.empty((ARMS, 7))
    for _ in range(PERIODS):
        kind = rng.integers(0, 60, (ARMS, 7))
        target = np.where(kind == 0, upper + rng.random((ARMS, 7)), target)
        target = np.where(kind == 1, lower - rng.random((ARMS, 7)), target)
        target = np.where(kind == 2, rng.uniform(lower, upper), target)
        target = np.where(kind == 3, position + velocity * period_s, target)
        target = np.where(kind == 4, position + change * period_s * rng.normal(size=1), target)
        twin.step(target, None, out)
        assert not twin.faults.any()
        assert (out >= lower - 1e-9).all()
        assert (out <= upper + 1e-9).all()
        after = (out - position) / period_s
        assert (np.abs(after) <= speed + 1e-9).all()
        assert (np.abs(after - velocity) <= change + 1e-9).all()
        assert (out[twin.causes == Cause.NONE] == target[twin.causes == Cause.NONE]).all()
        velocity, position = after, out.copy()
    for _ in range(int(2 * (speed / change).max()) + 2):  # no more targets that move: all rests
        twin.step(position, None, out)
        position, before = out.copy(), position
    assert (position == before).all()


parameter_sets = st.builds(
    SafetyParameters,
    margin_rad=st.floats(0.0, 0.02),
    noise_rad=st.sampled_from([0.0, 1e-3]),
    tracking_error_rad=st.sampled_from([0.0, 0.02, 0.1]),
    jitter=st.sampled_from([0.0, 0.1]),
    max_latency_periods=st.integers(0, 4),
)


@given(parameter_sets, st.lists(st.lists(any_float, min_size=7, max_size=7), max_size=8), st.data())
def test_the_twin_equals_the_scalar_filter_on_any_bits(parameters, targets, data):
    scalar = filter_at(HOME, parameters=parameters)
    twin = BatchPositionFilter(PANDA, parameters, PERIOD_S, 2)
    twin.reset(slice(None), np.array(HOME))
    out = np.empty((2, 7))
    rows = st.lists(any_float, min_size=7, max_size=7)
    for target in targets:
        seen = data.draw(st.none() | st.just(list(scalar.command)) | rows)
        result = scalar.step(target, seen)
        twin.step(np.tile(target, (2, 1)), None if seen is None else np.tile(seen, (2, 1)), out)
        assert np.array(result.command).tobytes() == out[1].tobytes()
        assert list(result.causes) == twin.causes[1].tolist()
        assert (result.fault or 0) == twin.faults[1]
        assert np.isfinite(result.command).all()


@given(st.lists(st.floats(-4.0, 4.0), min_size=1, max_size=30))
def test_what_comes_out_passes_again_and_mirrors(targets):
    first, mirror = (filter_at([0.0], one_joint()) for _ in range(2))
    twice = filter_at([0.0], one_joint())
    for target in targets:
        result = first.step([target], None)
        assert mirror.step([-target], None).command == (-result.command[0],)
        assert twice.step(result.command, None).command == result.command
