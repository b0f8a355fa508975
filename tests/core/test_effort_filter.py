"""The effort filter: numbers by hand, limits in both engines, rest after braking."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort_samples import EXACT, INERTIA, SimulatedArm, wheel, wishes
from safety_samples import any_float
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.effort_filter import EffortFilter
from sinew_core.safety.effort_twin import BatchEffortFilter
from sinew_core.safety.filter import Cause, FilterFault
from sinew_core.safety.make import make_filter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.simulation import ENGINE_NAMES

PERIOD_S = 0.01
# Best effort: the most by which speeds may exceed their limits of 1.3 to 2.6 rad/s.
TOLERANCE_RAD_S = 0.15
LEAST_ROOM_RAD = 0.5 * SafetyParameters().margin_rad
PANDA = load_robot("panda")


def step_wheel(desired, q=0.0, v=0.0, **limits):
    limiter = EffortFilter(wheel(**limits), EXACT, PERIOD_S, gravity_compensation=False)
    limiter.reset([q], [v])
    return limiter.step([desired], [q], [v])


@pytest.mark.parametrize(
    ("desired", "q", "v", "limits", "expected", "cause"),
    [
        # 4 N m accelerate 2 kg m² by 2 rad/s², of 5 that may be used.
        (4.0, 0.0, 0.0, {}, 4.0, Cause.NONE),
        (30.0, 0.0, 0.0, {}, 5.0 * INERTIA, Cause.ACCELERATION),
        # 300 N m/s for 10 ms.
        (8.0, 0.0, 0.0, {"effort_rate_nm_s": 300.0}, 3.0, Cause.EFFORT_RATE),
        (8.0, 0.0, 0.0, {"effort_nm": 6.0}, 6.0, Cause.EFFORT),
        # 0.02 rad/s below the limit: 2 rad/s² for 10 ms.
        (9.0, 0.0, 0.98, {}, 2.0 * INERTIA, Cause.VELOCITY),
    ],
)
def test_one_joint_by_hand(desired, q, v, limits, expected, cause):
    result = step_wheel(desired, q, v, **limits)
    assert result.command[0] == pytest.approx(expected, abs=1e-8)
    assert result.causes == (cause,)
    assert result.intervened == (cause is not Cause.NONE)


def test_one_joint_brakes_in_time_for_its_position_limit():
    # The effort can turn round within one period, so s = 1 / dt, T = 2 dt, c = 2. From
    # u = 0.46 rad/s = 9.2 steps of A dt = 0.05: S_2 = 0.05 * 0.01 * (45 + 10 * 0.2) + 2 * 0.01 * u.
    braking = 0.0235 + 0.0092
    room = braking + 0.5 * PERIOD_S * 0.5 + 5.0 * (2.0 * PERIOD_S) ** 2 / 6.0
    result = step_wheel(10.0, 1.0 - room, 0.5)
    assert result.command[0] == pytest.approx(INERTIA * (0.46 - 0.5) / PERIOD_S, abs=1e-8)
    assert result.causes == (Cause.POSITION,)
    mirrored = step_wheel(-10.0, room - 1.0, -0.5)
    assert mirrored.command[0] == -result.command[0]


@pytest.mark.parametrize("compensated", [True, False])
@pytest.mark.parametrize("name", ["panda", "iiwa14"])
def test_safe_efforts_pass_bit_for_bit(name, compensated):
    robot = load_robot(name)
    limiter = EffortFilter(robot, SafetyParameters(), PERIOD_S, gravity_compensation=compensated)
    q = robot.home_rad.tolist()
    limiter.reset(q)
    holding = np.array(limiter.command)
    for wish in np.random.default_rng(1).uniform(-5e-4, 5e-4, (20, 7)):
        desired = (holding + wish).tolist()
        result = limiter.step(desired, q, [0.0] * 7)
        assert np.array(result.command).tobytes() == np.array(desired).tobytes()
        assert not result.intervened


rows = st.lists(any_float, min_size=7, max_size=7)
measurements = st.none() | st.tuples(rows, rows)


@settings(max_examples=25)
@given(st.lists(st.tuples(rows, measurements), min_size=1, max_size=5), st.booleans())
def test_any_bits_give_finite_efforts_within_level_and_rate_and_the_same_in_the_twin(
    history, compensated
):
    plain = EffortFilter(PANDA, SafetyParameters(), PERIOD_S, gravity_compensation=compensated)
    twin = BatchEffortFilter(
        PANDA, SafetyParameters(), PERIOD_S, 2, gravity_compensation=compensated
    )
    plain.reset(PANDA.home_rad)
    twin.reset(slice(None), np.tile(PANDA.home_rad, (2, 1)))
    out = np.empty((2, 7))
    limit, step = PANDA.limits.effort_nm, PANDA.limits.effort_rate_nm_s * PERIOD_S
    for desired, measured in history:
        last = np.array(plain.command)
        q, v = measured or (None, None)
        result = plain.step(desired, q, v)
        command = np.array(result.command)
        assert np.isfinite(command).all()
        assert (np.abs(command) <= limit).all()
        assert (np.abs(command - last) <= step * (1.0 + 1e-12)).all()
        arrays = (None, None) if measured is None else (np.tile(q, (2, 1)), np.tile(v, (2, 1)))
        twin.step(np.tile(desired, (2, 1)), *arrays, out)
        assert out[1].tobytes() == command.tobytes()
        assert twin.causes[1].tolist() == list(result.causes)
        assert twin.faults[1] == (result.fault or 0)


@pytest.mark.parametrize("rate_hz", [100, 500])
@pytest.mark.parametrize("compensated", [True, False], ids=["compensated", "raw"])
@pytest.mark.parametrize("name", ["panda", "iiwa14"])
@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_simulated_arms_keep_their_limits_under_wild_efforts(engine, name, compensated, rate_hz):
    pytest.importorskip(engine)
    for seed, style in enumerate(("push", "random")):
        arm = SimulatedArm(engine, name, rate_hz, compensated)
        limits = arm.robot.limits
        limiter = BatchEffortFilter(
            arm.robot, SafetyParameters(), 1.0 / rate_hz, 1, gravity_compensation=compensated
        )
        limiter.reset(0, arm.position)
        out = np.zeros((1, 7))
        for wish in wishes(limits, rate_hz, 15 * rate_hz, style, seed):
            limiter.step(wish[None], arm.position[None], arm.velocity[None], out)
            arm.move(out[0])
            assert (arm.position >= limits.position_lower_rad + LEAST_ROOM_RAD).all()
            assert (arm.position <= limits.position_upper_rad - LEAST_ROOM_RAD).all()
            # Where rate and bounds contradict each other the arm brakes, but not at once.
            assert (np.abs(arm.velocity) <= limits.velocity_rad_s + TOLERANCE_RAD_S).all()
        arm.engine.close()


@pytest.mark.parametrize("rate_hz", [25, 100, 500])
@pytest.mark.parametrize("compensated", [True, False], ids=["compensated", "raw"])
@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_braking_comes_to_rest_and_holds(engine, compensated, rate_hz):
    pytest.importorskip(engine)
    arm = SimulatedArm(engine, "panda", rate_hz, compensated)
    limiter = make_filter(
        "joint_effort",
        arm.robot,
        SafetyParameters(),
        1.0 / rate_hz,
        gravity_compensation=compensated,
    )
    limiter.reset(arm.position)
    for wish in wishes(arm.robot.limits, 25, rate_hz, "push", 3):
        arm.move(limiter.step(wish.tolist(), *arm.state()).command)
    assert np.abs(arm.velocity).max() > 0.5
    # Full speed over the least deceleration, and the same again for turning efforts and settling.
    least = SafetyParameters().acceleration_scale * arm.robot.limits.acceleration_rad_s2
    for _ in range(math.ceil(2.0 * max(arm.robot.limits.velocity_rad_s / least) * rate_hz)):
        result = limiter.brake(*arm.state())
        assert set(result.causes) == {Cause.BRAKE}
        arm.move(result.command)
    limiter.brake(*arm.state())
    assert limiter.at_rest
    rest = arm.position.copy()
    for _ in range(2 * rate_hz):
        arm.move(limiter.brake(*arm.state()).command)
        assert np.abs(arm.position - rest).max() < 2e-3
        assert limiter.at_rest
    arm.engine.close()


def test_missing_measurements_brake_on_the_prediction_and_then_are_a_fault():
    limiter = EffortFilter(wheel(), EXACT, PERIOD_S, gravity_compensation=False)
    limiter.reset([0.0], [0.5])
    limiter.step([0.0], [0.0], [0.5])
    results = [limiter.step([5.0], None) for _ in range(11)]
    # 5 rad/s² of deceleration take 0.5 rad/s in 10 periods.
    assert results[0].command[0] == pytest.approx(-5.0 * INERTIA)
    assert {r.causes for r in results} == {(Cause.BRAKE,)}
    assert [r.fault for r in results] == [None] * 10 + [FilterFault.OBSERVER_EMPTY]
    assert not limiter.at_rest
    assert limiter.step([1.0], [0.0], [0.0]).causes == (Cause.BRAKE,)
    limiter.reset([0.0])
    assert limiter.step([1.0], [0.0], [0.0]).command == (1.0,)


def test_a_declared_latency_is_bridged_by_the_prediction():
    late = SafetyParameters(max_latency_periods=2)
    limiter = EffortFilter(wheel(), late, PERIOD_S, gravity_compensation=False)
    limiter.reset([0.0])
    causes = [limiter.step([1.0], None).causes[0] for _ in range(3)]
    assert causes == [Cause.NONE, Cause.NONE, Cause.BRAKE]


def test_a_pause_is_predicted_as_far_as_it_is_built_on_and_is_a_fault():
    late = SafetyParameters(max_latency_periods=2)

    def after(periods):
        limiter = EffortFilter(wheel(), late, PERIOD_S, gravity_compensation=False)
        limiter.reset([0.0])
        limiter.step([1.0], [0.0], [0.0])
        limiter.hold(periods)
        return limiter.step([1.0], None)

    # A loop over them would take years.
    assert after(10**12).fault is FilterFault.OBSERVER_EMPTY
    assert after(10**12).command == after(3).command
    assert [after(n).fault for n in (11, 12)] == [None, FilterFault.OBSERVER_EMPTY]


def test_an_effort_that_is_not_finite_brakes_the_arm():
    result = step_wheel(math.nan, v=0.5)
    assert result.fault is FilterFault.NOT_FINITE
    assert result.command[0] == pytest.approx(-5.0 * INERTIA)


def test_past_a_limit_an_arm_moves_only_inward():
    out, back = (step_wheel(d, q=1.1) for d in (5.0, -5.0))
    assert out.fault is back.fault is FilterFault.OUTSIDE_LIMITS
    assert out.command[0] <= 0.0
    # 0.05 rad/s inward in one period would take 5 rad/s².
    assert back.command[0] == -5.0


def test_a_filter_that_was_not_reset_is_refused():
    limiter = EffortFilter(wheel(), EXACT, PERIOD_S, gravity_compensation=False)
    with pytest.raises(RuntimeError, match="reset"):
        limiter.step([0.0], [0.0], [0.0])
