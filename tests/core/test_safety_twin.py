"""The compiled filter equals the scalar one to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_samples import HOME, PANDA, any_float, assumptions
from sinew_core.errors import ConfigError
from sinew_core.safety.filter import VelocityFilter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.twin import BatchVelocityFilter

PERIOD_S = 0.01


def run_both(parameters, start, desired, measured):
    """Yield (scalar result, twin's command, causes, fault) for each period; None: unmeasured."""
    scalar = VelocityFilter(PANDA, parameters, PERIOD_S)
    twin = BatchVelocityFilter(PANDA, parameters, PERIOD_S, 3)
    twin.reset(slice(None), np.tile(HOME, (3, 1)))
    twin.reset(1, np.array(start))
    scalar.reset(start)
    out = np.empty((3, 7))
    for wish, seen in zip(desired, measured, strict=True):
        z = None if seen is None else np.tile(np.asarray(seen), (3, 1))
        twin.step(np.tile(wish, (3, 1)), z, out)
        yield scalar.step(wish, seen), out[1].copy(), twin.causes[1], int(twin.faults[1])


def assert_equal_bits(run):
    for result, command, causes, fault in run:
        assert np.array(result.command).tobytes() == command.tobytes()
        assert list(result.causes) == causes.tolist()
        assert (result.fault or 0) == fault


@given(assumptions, st.integers(0, 2**32), st.sampled_from([0.0, 0.3]))
def test_twin_equals_the_scalar_filter_on_noisy_histories(parameters, seed, lost):
    rng = np.random.default_rng(seed)
    lower, upper = PANDA.position_lower_rad, PANDA.position_upper_rad
    q = rng.uniform(lower, upper)
    scalar = VelocityFilter(PANDA, parameters, PERIOD_S)
    scalar.reset(q)
    desired, measured = [], []
    for _ in range(60):
        wish = PANDA.velocity_rad_s * rng.uniform(-2, 2) * rng.choice([0.0, 1.0, 1.0], 7)
        seen = None if rng.random() < lost else q + rng.uniform(-1, 1, 7) * parameters.noise_rad
        desired.append(wish.tolist())
        measured.append(seen)
        q = q + PERIOD_S * np.array(scalar.step(wish, seen).command)
    start = measured[0] if measured[0] is not None else q
    assert_equal_bits(run_both(parameters, start.tolist(), desired, measured))


rows = st.lists(any_float, min_size=7, max_size=7)


@given(assumptions, st.lists(st.tuples(rows, st.none() | rows), min_size=1, max_size=6))
def test_twin_equals_the_scalar_filter_on_any_bits(parameters, history):
    desired, measured = zip(*history, strict=True)
    assert_equal_bits(run_both(parameters, HOME, desired, measured))


def test_reset_of_one_arm_leaves_the_others_alone():
    twin = BatchVelocityFilter(PANDA, SafetyParameters(), PERIOD_S, 2)
    twin.reset(slice(None), np.tile(HOME, (2, 1)))
    out = np.empty((2, 7))
    twin.step(np.full((2, 7), 5.0), np.tile(HOME, (2, 1)), out)
    assert twin.interventions.tolist() == [[1] * 7] * 2
    twin.reset(0, np.array(HOME))
    assert twin.interventions.tolist() == [[0] * 7, [1] * 7]
    first = out.copy()
    twin.step(np.full((2, 7), 5.0), None, out)
    np.testing.assert_array_equal(out[0], first[0])
    np.testing.assert_allclose(out[1], 2 * first[1], rtol=1e-15)


def test_an_arm_against_its_commands_brakes_until_its_reset():
    twin = BatchVelocityFilter(PANDA, SafetyParameters(), PERIOD_S, 2)
    q = np.tile(HOME, (2, 1))
    twin.reset(slice(None), q)
    teleported = q.copy()
    teleported[0, 3] += 0.5
    out = np.empty((2, 7))
    for _ in range(3):
        twin.step(np.full((2, 7), 0.01), teleported, out)
    assert out.tolist() == [[0.0] * 7, [0.01] * 7]
    twin.reset(np.array([0]), teleported[:1])
    twin.step(np.full((2, 7), 0.01), teleported, out)
    assert (out == 0.01).all()


def test_reset_from_a_position_that_is_not_finite_is_refused():
    twin = BatchVelocityFilter(PANDA, SafetyParameters(), PERIOD_S, 1)
    with pytest.raises(ValueError, match="finite"):
        twin.reset(0, np.full(7, np.nan))


def test_impossible_period_is_refused():
    with pytest.raises(ConfigError, match="period_s"):
        BatchVelocityFilter(PANDA, SafetyParameters(), 0.0, 1)
