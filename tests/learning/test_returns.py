import numpy as np
import pytest

from sinew_core.algorithms.returns import (
    discounted_returns,
    generalised_advantages,
    n_step_returns,
)


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


ENDS = {
    "terminated": np.array([False, False, True, False, False]),
    "episode_ends": np.array([False, False, True, False, True]),
}
REWARDS = np.array([1.0, 2.0, 3.0, 4.0, 5.0], np.float32)
NEXT_VALUES = np.array([10.0, 20.0, 30.0, 40.0, 50.0], np.float32)


def test_returns_to_go_end_with_the_episode_and_bootstrap_where_it_was_truncated():
    returns = discounted_returns(REWARDS, NEXT_VALUES, **ENDS, gamma=0.5)
    # Terminated: 3; 2 + 1.5; 1 + 1.75. Truncated: 5 + 0.5 * 50; 4 + 0.5 * 30.
    np.testing.assert_allclose(returns, [2.75, 3.5, 3.0, 19.0, 30.0])


def test_n_step_returns_look_n_rewards_ahead_but_not_beyond_the_episode():
    two = n_step_returns(REWARDS, NEXT_VALUES, **ENDS, gamma=0.5, n=2)
    # 1 + 0.5 * 2 + 0.25 * 20; 2 + 0.5 * 3; 3; 4 + 0.5 * 5 + 0.25 * 50; 5 + 0.5 * 50
    np.testing.assert_allclose(two, [7.0, 3.5, 3.0, 19.0, 30.0])
    # One step is the TD target.
    one = n_step_returns(REWARDS, NEXT_VALUES, **ENDS, gamma=0.5, n=1)
    np.testing.assert_allclose(one, [6.0, 12.0, 3.0, 24.0, 30.0])


def test_as_many_steps_as_the_episode_has_are_the_return_to_go():
    whole = n_step_returns(REWARDS, NEXT_VALUES, **ENDS, gamma=0.5, n=9)
    expected = discounted_returns(REWARDS, NEXT_VALUES, **ENDS, gamma=0.5)
    np.testing.assert_allclose(whole, expected)
