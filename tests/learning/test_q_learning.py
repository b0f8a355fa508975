"""Tabular Q-learning: its step by hand, and its policy against value iteration."""

import gymnasium
import numpy as np
import pytest

from sinew_core.algorithms.discretiser import Discretiser
from sinew_core.algorithms.parameters.q_learning import QLearningParameters
from sinew_core.algorithms.q_learning import QLearning, learn
from sinew_core.errors import ConfigError


def agent(n_states=3, n_actions=2, seed=0, **changes):
    return QLearning(n_states, n_actions, QLearningParameters(**changes), seed)


def test_a_step_moves_by_the_learning_rate_towards_the_reward_and_the_best_future():
    q = agent(gamma=0.5, learning_rate=0.1, final_learning_rate=0.1)
    q.table[1] = [2.0, 4.0]
    # error = 1 + 0.5 * 4 - 0 = 3; Q = 0.1 * 3
    assert q.update(0, 1, 1.0, 1, terminated=False) == pytest.approx(3.0)
    assert q.table[0].tolist() == pytest.approx([0.0, 0.3])


def test_nothing_follows_a_terminated_step():
    q = agent(gamma=0.5)
    q.table[1] = [2.0, 4.0]
    assert q.update(0, 1, 1.0, 1, terminated=True) == pytest.approx(1.0)


def test_learning_rate_and_epsilon_fall_with_the_steps():
    q = agent(
        schedule="linear",
        learning_rate=0.5,
        final_learning_rate=0.1,
        epsilon_start=1.0,
        epsilon_end=0.2,
        schedule_steps=4,
    )
    for _ in range(2):
        q.update(0, 0, 0.0, 0, terminated=True)
    # Half-way: 0.5 - 0.2 and 1 - 0.4
    assert q.learning_rate(q.steps) == pytest.approx(0.3)
    assert q.epsilon(q.steps) == pytest.approx(0.6)


def test_exploration_is_random_in_a_share_epsilon_and_fair_among_equals():
    q = agent(n_actions=4, epsilon_start=0.4, epsilon_end=0.4)
    q.table[0] = [1.0, 0.0, 1.0, 0.0]
    shares = np.bincount([q.explore(0) for _ in range(4000)], minlength=4) / 4000
    # 0.6 / 2 + 0.4 / 4 = 0.4 for each of the best, 0.1 for the others
    np.testing.assert_allclose(shares, [0.4, 0.1, 0.4, 0.1], atol=0.03)
    assert q.act(0) == 0


def optimal_values(env, gamma):
    """Value iteration on the tables of a toy-text environment."""
    values = np.zeros(env.observation_space.n)
    for _ in range(500):
        values = np.array(
            [
                max(
                    sum(p * (r + gamma * values[n] * (not ended)) for p, n, r, ended in outcomes)
                    for outcomes in actions.values()
                )
                for actions in env.unwrapped.P.values()
            ]
        )
    return values


def test_frozen_lake_is_valued_as_by_value_iteration():
    env = gymnasium.make("FrozenLake-v1", is_slippery=False)
    q = QLearning(16, 4, QLearningParameters(schedule_steps=8000, learning_rate=0.5), 0)
    learn(q, env, steps=12_000, seed=0)
    state, path = 0, []
    while state not in path and env.unwrapped.desc.flat[state] != b"G":
        path.append(state)
        [(_, state, _, _)] = env.unwrapped.P[state][q.act(state)]
    assert env.unwrapped.desc.flat[state] == b"G"
    expected = optimal_values(env, q.parameters.gamma)
    np.testing.assert_allclose([q.table[s].max() for s in path], expected[path], atol=0.02)


class Corridor:
    """A point on a line that earns 1 on the right, and whose episodes are truncated."""

    def reset(self, *, seed=None):
        self.position, self.steps = 0.0, 0
        return np.array([self.position]), {}

    def step(self, action):
        self.position = float(np.clip(self.position + (1.0 if action else -1.0), -2.0, 2.0))
        self.steps += 1
        return np.array([self.position]), float(self.position == 2.0), False, self.steps == 10, {}


def test_a_discretised_observation_is_learned_and_a_truncated_one_goes_on():
    discretiser = Discretiser([-2.5], [2.5], [5])
    q = agent(5, gamma=0.5, learning_rate=0.5, final_learning_rate=0.5, schedule_steps=500)
    returns = learn(q, Corridor(), 2000, seed=0, state_of=discretiser)
    assert len(returns) == 200
    assert [q.act(state) for state in range(5)] == [1] * 5
    # On the right for ever: 1 / (1 - 0.5)
    assert q.table[4, 1] == pytest.approx(2.0, abs=0.01)


def test_it_goes_on_from_its_state_and_one_seed_gives_one_result():
    whole, half, resumed = agent(5, seed=1), agent(5, seed=1), agent(5, seed=9)
    discretiser = Discretiser([-2.5], [2.5], [5])
    for q in (whole, half):
        learn(q, Corridor(), 100, seed=0, state_of=discretiser)
    resumed.load_state(half.state())
    for q in (whole, resumed):
        learn(q, Corridor(), 100, seed=0, state_of=discretiser)
    assert np.array_equal(whole.table, resumed.table)
    assert [whole.explore(0) for _ in range(9)] == [resumed.explore(0) for _ in range(9)]


def test_an_empty_table_is_refused():
    with pytest.raises(ConfigError, match="allowed 1 or more"):
        agent(0)
