import numpy as np
import pytest

from sinew_core.algorithms.returns import generalised_advantages


def gae(rewards, values, next_values, terminated, ends, gamma=0.9, lam=0.5):
    return generalised_advantages(
        np.array(rewards, np.float32),
        np.array(values, np.float32),
        np.array(next_values, np.float32),
        np.array(terminated),
        np.array(ends),
        gamma=gamma,
        lam=lam,
    )


def test_the_last_step_of_a_truncated_episode_bootstraps():
    # delta = r + gamma V(s') - V(s) = 3 + 0.9 * 2 - 1.5 = 3.3
    assert gae([3.0], [1.5], [2.0], [False], [True])[0] == pytest.approx(3.3)


def test_a_terminated_step_has_no_future():
    # delta = r - V(s) = 3 - 1.5 = 1.5
    assert gae([3.0], [1.5], [2.0], [True], [True])[0] == pytest.approx(1.5)


def test_advantages_decay_by_gamma_lambda():
    # delta_1 = 2 + 0.9 * 1 - 0.5 = 2.4; delta_0 = 1 + 0.9 * 0.5 - 1 = 0.45
    # A_0 = 0.45 + 0.9 * 0.5 * 2.4 = 1.53
    result = gae([1.0, 2.0], [1.0, 0.5], [0.5, 1.0], [False, False], [False, True])
    np.testing.assert_allclose(result, [1.53, 2.4], rtol=1e-6)


def test_nothing_flows_across_the_end_of_an_episode():
    # Each is a one-step episode: A = 1 + 0.9 * 0 - 0 = 1 and 100.
    result = gae([1.0, 100.0], [0.0, 0.0], [0.0, 0.0], [False, False], [True, True])
    np.testing.assert_allclose(result, [1.0, 100.0])
