"""Rao's score test on linear problems, in which what was left out is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, kstest

from sinew_core.sysid.score_test import LEVEL, LinearFit

SAMPLES = 60


def columns(rng, count):
    return rng.standard_normal((SAMPLES, count)) * 10.0 ** rng.uniform(-3.0, 3.0, count)


def ended(rng, fitted, added, left_out=0.0, dispersion=1.0, noise=None):
    """The end of a fit of noise, and of what some left-out columns add."""
    noise = rng.standard_normal(SAMPLES) if noise is None else noise
    signal = noise + added @ np.full(added.shape[1], left_out)
    step = np.linalg.lstsq(fitted, signal, rcond=None)[0]
    residual = signal - fitted @ step
    return LinearFit(residual=residual, fitted=fitted, added=added, dispersion=dispersion)


@settings(max_examples=15, derandomize=True)
@given(p=st.integers(0, 8), count=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_the_statistic_is_chi_square_with_a_degree_of_freedom_for_each_column(p, count, seed):
    rng = np.random.default_rng(seed)
    fitted, added = columns(rng, p), columns(rng, count)
    scores = [ended(rng, fitted, added).score(range(count)) for _ in range(400)]
    assert {score.dof for score in scores} == {count}
    assert kstest([score.statistic for score in scores], chi2(count).cdf).pvalue > 1e-3
    first = scores[0]
    assert np.exp(first.log_p) == pytest.approx(chi2.sf(first.statistic, count))


@settings(max_examples=10, derandomize=True)
@given(imitated=st.integers(0, 4), seed=st.integers(0, 10**6))
def test_what_fitted_columns_imitate_is_no_degree_of_freedom(imitated, seed):
    rng = np.random.default_rng(seed)
    fitted, added = columns(rng, 5), rng.standard_normal((SAMPLES, 4))
    added[:, :imitated] = fitted @ rng.standard_normal((5, imitated))
    scores = [ended(rng, fitted, added).score(range(4)) for _ in range(300)]
    assert {score.dof for score in scores} == {4 - imitated}
    if imitated < 4:
        statistics = [score.statistic for score in scores]
        assert kstest(statistics, chi2(4 - imitated).cdf).pvalue > 1e-3


def test_a_column_that_changes_nothing_tells_nothing():
    rng = np.random.default_rng(0)
    score = ended(rng, columns(rng, 2), np.zeros((SAMPLES, 3))).score(range(3))
    assert (score.statistic, score.dof, score.log_p) == (0.0, 0, 0.0)


def test_the_statistic_is_the_square_of_what_is_left_along_the_column():
    # The fitted column is (1, 0), the other (1, 1): beside the first it is (0, 1), where r is 3.
    fit = LinearFit(
        residual=np.array([0.0, 3.0]),
        fitted=np.array([[1.0], [0.0]]),
        added=np.array([[1.0], [1.0]]),
    )
    assert fit.score([0]).statistic == pytest.approx(9.0)
    # A fit that ended beside its optimum, at which the first residual is not 0, is told the same.
    beside = LinearFit(residual=np.array([7.0, 3.0]), fitted=fit.fitted, added=fit.added)
    assert beside.score([0]).statistic == pytest.approx(9.0)


@pytest.mark.parametrize("dof", [1, 3])
def test_tails_beyond_the_smallest_number_are_told_apart(dof):
    def log_p(length):
        residual = np.zeros(4)
        residual[0] = length
        fit = LinearFit(residual=residual, fitted=np.zeros((4, 0)), added=np.eye(4)[:, :dof])
        return fit.score(range(dof)).log_p

    # exp(-700) is about the smallest: before it and behind it the logarithm falls by a half for
    # each unit of the statistic.
    near, far = log_p(np.sqrt(1300.0)), log_p(np.sqrt(2300.0))
    assert near - far == pytest.approx(500.0, abs=0.5)


def test_samples_that_go_together_count_once():
    rng = np.random.default_rng(1)
    fitted, added = columns(rng, 2), columns(rng, 2)
    noise = rng.standard_normal(SAMPLES)
    one = ended(rng, fitted, added, noise=noise).score([0, 1])
    four = ended(rng, fitted, added, noise=noise, dispersion=4.0).score([0, 1])
    assert four.statistic == pytest.approx(one.statistic / 4.0)


def test_where_nothing_was_left_out_hardly_ever_a_group_is_shown():
    rng = np.random.default_rng(2)
    groups = {"a": [0], "b": [1, 2], "c": [3, 4, 5]}
    fitted, added = columns(rng, 3), columns(rng, 6)
    wrong = sum(bool(ended(rng, fitted, added).select(groups, 0.05)[1]) for _ in range(1000))
    # Bonferroni: 5 % at most, 50 of 1000 with a deviation of 7.
    assert wrong <= 50 + 3 * 7
    assert wrong >= 20
    assert LEVEL < 0.05


def test_only_the_group_that_was_left_out_is_shown_though_others_imitate_it():
    rng = np.random.default_rng(3)
    fitted, own = rng.standard_normal((SAMPLES, 2)), rng.standard_normal((SAMPLES, 2))
    alike = own @ rng.standard_normal((2, 3)) + 0.3 * rng.standard_normal((SAMPLES, 3))
    added = np.hstack([alike, own])
    groups = {"alike": [0, 1, 2], "left out": [3, 4]}
    signal = own @ [4.0, -3.0] + rng.standard_normal(SAMPLES)
    fit = LinearFit(residual=signal, fitted=fitted, added=added)
    alone, shown = fit.select(groups)
    assert np.exp(alone["alike"].log_p) < 1e-6
    assert list(shown) == ["left out"]
    step = fit.enlarged([3, 4], np.zeros(7), np.zeros(7))
    # The step is that to the truth, minus what was left out, as residuals are model less measured.
    assert np.abs(step.added - [-4.0, 3.0]).max() < 4.0 * step.added_sigma.max()


def test_one_step_tells_what_a_fitted_value_stood_in_for():
    # Measured 2 a + 1 b with b = (1, 1), a = (1, 0); a alone, fitted, comes to 3, so r = (0, -1).
    fit = LinearFit(
        residual=np.array([0.0, -1.0]),
        fitted=np.array([[1.0], [0.0]]),
        added=np.array([[1.0], [1.0]]),
    )
    step = fit.enlarged([0], np.zeros(2), np.zeros(2))
    assert step.fitted == pytest.approx([-1.0])
    assert step.added == pytest.approx([1.0])
    # Of (a, b) the covariance is ((2, -1), (-1, 1)).
    assert step.fitted_sigma == pytest.approx([np.sqrt(2.0)])
    assert step.added_sigma == pytest.approx([1.0])


def test_a_prior_holds_back_what_the_data_do_not_tell():
    fit = LinearFit(residual=np.zeros(2), fitted=np.eye(2)[:, :1], added=np.eye(2)[:, :1])
    step = fit.enlarged([0], np.array([0.0, 2.0]), np.array([0.0, 1.0]))
    # Half a deviation-unit back to where the prior has it, and the fitted value takes it over.
    assert step.added == pytest.approx([-0.5])
    assert step.fitted == pytest.approx([0.5])


def test_the_share_of_an_effect_that_left_out_columns_have():
    # Beside the other fitted one, (1, 1, 0) has (1, 0, 0), of which (1, 0, 1) has half.
    fit = LinearFit(
        residual=np.zeros(3),
        fitted=np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]),
        added=np.array([[1.0], [0.0], [1.0]]),
    )
    assert fit.imitated(0, [0]) == pytest.approx(0.5)
