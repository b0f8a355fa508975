"""What a fit's end tells of its values, on linear problems whose answers are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.sysid.confidence import Stretch, confidence, correlation_samples
from sinew_core.sysid.elimination import Block
from sinew_core.sysid.identifiable import combinations, in_words


def end_of_fit(derivative, residual, own=None, rate_hz=100.0, mismatch=False):
    """A block of samples of one channel, and the stretch that goes with it."""
    k, p = derivative.shape
    own = np.zeros((k, 0)) if own is None else own
    block = Block(residual=residual, shared=derivative, own=own)
    stretch = Stretch(
        time_s=np.arange(k) / rate_hz,
        residual=residual[:, None],
        derivative=derivative.reshape(k, 1, p),
    )
    return [block], [stretch]


def told(
    derivative, residual, accepted=None, jacobian=None, own=None, rate_hz=100.0, mismatch=False
):
    p = derivative.shape[1]
    return confidence(
        *end_of_fit(derivative, residual, own, rate_hz),
        np.eye(p) if jacobian is None else jacobian,
        np.ones(p) if accepted is None else np.asarray(accepted, dtype=float),
        mismatch=mismatch,
    )


def white(k, seed=0):
    return np.random.default_rng(seed).standard_normal(k)


def test_sigma_is_the_inverse_root_of_the_information():
    # 400 samples of derivative 2: sigma = 1 / (2 sqrt(400)) = 0.025.
    found = told(np.full((400, 1), 2.0), white(400))
    assert found.sigma == pytest.approx([0.025])
    assert found.inflation.tolist() == [1.0]


def test_the_covariance_is_that_of_least_squares():
    derivative = np.random.default_rng(1).standard_normal((300, 3))
    found = told(derivative, white(300), accepted=[0.1, 2.0, 30.0])
    assert found.covariance == pytest.approx(np.linalg.inv(derivative.T @ derivative), rel=1e-9)


def test_what_the_start_explains_tells_nothing():
    # The derivative is constant, and so is the piece's own unknown: nothing is left.
    found = told(np.ones((100, 1)), white(100), own=np.ones((100, 1)))
    assert found.sigma[0] == np.inf
    assert len(found.undetermined) == 1


def test_values_that_depend_on_the_coordinates_get_their_share():
    # value = 3 theta: three times the deviation.
    plain = told(np.ones((100, 1)), white(100))
    tripled = told(np.ones((100, 1)), white(100), jacobian=np.array([[3.0]]))
    assert tripled.sigma == pytest.approx(3.0 * plain.sigma)


def test_a_sum_that_alone_is_known_leaves_both_unknown():
    column = np.sin(np.arange(200.0))[:, None]
    found = told(np.hstack([column, column, np.cos(3.0 * np.arange(200.0))[:, None]]), white(200))
    assert found.sigma[:2].tolist() == [np.inf, np.inf]
    assert found.sigma[2] < 0.2
    alone, mixed = combinations(found.undetermined, np.ones(3))
    assert alone == ()
    names = ("mass/a", "mass/b", "delay_s")
    words = [in_words(d, names, np.array([1.0, 5.0, 0.1])) for d in mixed]
    assert words == ["mass/a and mass/b only as a sum"]


def test_differences_of_derivatives_that_are_only_errors_fix_nothing():
    # Columns equal up to a part in ten thousand, as finite differences leave it, times a million.
    column = 1e6 * np.sin(np.arange(200.0))[:, None]
    wrong = column * (1.0 + 1e-4 * white(200)[:, None])
    found = told(np.hstack([column, wrong]), white(200))
    assert found.sigma.tolist() == [np.inf, np.inf]


def test_a_residual_twice_the_noise_doubles_sigma_at_least():
    derivative = white(4000, 1)[:, None]
    found = told(derivative, 2.0 * white(4000), mismatch=True)
    assert found.inflation[0] == pytest.approx(2.0, rel=0.15)


def slow(k, length, seed):
    """Noise that keeps its value for so many samples."""
    return np.repeat(white(k // length, seed), length)


def test_residuals_that_last_inflate_sigma_as_much_as_estimates_really_scatter():
    # Both residual and derivative last 20 samples: 4000 samples tell what 200 do, a factor
    # sqrt(20) = 4.5; and twice the noise: 8.9.
    derivative = slow(4000, 20, 1)[:, None]
    estimates, sigmas = [], []
    for seed in range(2, 60):
        residual = 2.0 * slow(4000, 20, seed)
        estimates.append(float(np.linalg.lstsq(derivative, residual, rcond=None)[0][0]))
        sigmas.append(told(derivative, residual, mismatch=True).sigma[0])
    assert np.std(estimates) == pytest.approx(np.mean(sigmas), rel=0.2)


def test_with_too_few_stretches_the_correlation_time_counts():
    # Two seconds have four stretches of half a second, for six unknowns: 3 sqrt(10) = 9.5.
    derivative = np.random.default_rng(0).standard_normal((4000, 6))
    found = told(derivative, 3.0 * slow(4000, 10, 1), rate_hz=2000.0, mismatch=True)
    assert found.inflation == pytest.approx(np.full(6, 9.5), rel=0.2)


def test_white_residuals_are_worth_their_number_and_slow_ones_their_share():
    assert correlation_samples(white(5000)[:, None]) == pytest.approx(1.0, abs=0.15)
    # A value kept for ten samples correlates as a triangle: 1 + 2 (0.9 + 0.8 + ... + 0.1) = 10.
    assert correlation_samples(slow(50000, 10, 0)[:, None]) == pytest.approx(10.0, rel=0.1)


@settings(max_examples=50)
@given(
    seed=st.integers(0, 10**6),
    p=st.integers(1, 6),
    scale=st.floats(1e-3, 1e3),
    rank=st.integers(1, 6),
)
def test_sigmas_do_not_depend_on_what_deviations_are_accepted(seed, p, scale, rank):
    rng = np.random.default_rng(seed)
    derivative = rng.standard_normal((50, min(p, rank))) @ rng.standard_normal((min(p, rank), p))
    first = told(derivative, white(50))
    second = told(derivative, white(50), accepted=np.full(p, scale))
    finite = np.isfinite(first.sigma)
    assert (finite == np.isfinite(second.sigma)).all()
    assert second.sigma[finite] == pytest.approx(first.sigma[finite], rel=1e-6)
    if rank < p:
        assert not finite.all()


@pytest.mark.parametrize(
    ("direction", "values", "words"),
    [
        ([1.0, -1.0, 0.0], [2.0, 3.0, 1.0], "a and b only as a sum"),
        ([1.0, 1.0, 0.0], [2.0, -3.0, 1.0], "a and b only as a difference"),
        # 1 a + 4 b stays the same along (1, -1/4).
        ([1.0, -0.25, 0.0], [2.0, 3.0, 1.0], "a and b only as a + 4 b"),
        ([4.0, 0.0, 2.0], [2.0, 3.0, 1.0], "a and c only as a ratio"),
        ([2.0, 3.0, 1.0], [2.0, 3.0, 1.0], "a, b and c only up to one common factor"),
        (
            [1.0, -2.0, 1.0],
            [2.0, 3.0, 1.0],
            "a, b and c only in combinations: one of them has to be known",
        ),
        ([0.0, 1.0, 0.0], [2.0, 3.0, 1.0], "b by itself"),
    ],
)
def test_combinations_are_named(direction, values, words):
    assert in_words(np.array(direction), ("a", "b", "c"), np.array(values)) == words


def test_unknown_values_and_unknown_sums_are_told_apart_in_any_basis():
    # Unknown: c by itself, and a against b; the basis mixes them.
    apart = np.array([[0.0, 0.0, 1.0, 0.0], [np.sqrt(0.5), -np.sqrt(0.5), 0.0, 0.0]])
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    alone, mixed = combinations(turn @ apart, np.ones(4))
    assert alone == (2,)
    assert len(mixed) == 1
    assert np.abs(mixed[0] / mixed[0][0]) == pytest.approx([1.0, 1.0, 0.0, 0.0])
