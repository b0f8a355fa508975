"""Explorers of discrete actions: how often they choose what, by numpy alone."""

import pickle

import numpy as np
import pytest

from sinew_core.algorithms.exploration import CategoricalSampling, EpsilonGreedy
from sinew_core.bundle.runtime import PolicyNetwork

CHOICES = np.array([[0.0, 0.0], [0.5, 0.0], [0.0, -0.5], [0.1, 0.1]], np.float32)
OBSERVATION = np.zeros(1, np.float32)


def network(scores):
    return PolicyNetwork(
        layers=((np.zeros((4, 1)), np.array(scores)),),
        hidden_activation="relu",
        output_activation="argmax",
        observation_mean=np.zeros(1),
        observation_std=np.ones(1),
        choices=CHOICES,
    )


def chosen(explorer, count, seed=0):
    choose = explorer.begin(seed)
    return np.array([int(choose(OBSERVATION).action[0]) for _ in range(count)])


def test_a_choice_is_an_index_and_commands_its_row():
    choice = EpsilonGreedy(network=network([0, 3, 1, 2]), epsilon=0.0).begin(0)(OBSERVATION)
    assert choice.action.tolist() == [1.0]
    assert np.array_equal(choice.command, CHOICES[1])


@pytest.mark.parametrize("persistence", [1.0, 4.0])
def test_a_share_epsilon_is_random_however_long_a_random_action_lasts(persistence):
    explorer = EpsilonGreedy(network=network([0, 3, 1, 2]), epsilon=0.4, persistence=persistence)
    shares = np.bincount(chosen(explorer, 20_000), minlength=4) / 20_000
    # 0.6 + 0.4 / 4 = 0.7 for the best, 0.1 for each other
    np.testing.assert_allclose(shares, [0.1, 0.7, 0.1, 0.1], atol=0.02)


def test_a_random_action_lasts_as_long_as_asked_for_in_the_mean():
    explorer = EpsilonGreedy(network=network([0, 3, 1, 2]), epsilon=1.0, persistence=5.0)
    indices = chosen(explorer, 20_000)
    # It changes with probability 1/5, to another action in 3 cases of 4.
    assert np.mean(np.diff(indices) != 0) == pytest.approx(0.15, abs=0.01)


def test_choices_are_drawn_by_the_softmax_of_the_scores():
    explorer = CategoricalSampling(network=network(np.log([1, 2, 3, 4])))
    shares = np.bincount(chosen(explorer, 20_000), minlength=4) / 20_000
    np.testing.assert_allclose(shares, [0.1, 0.2, 0.3, 0.4], atol=0.015)


@pytest.mark.parametrize("kind", [EpsilonGreedy, CategoricalSampling])
def test_one_seed_gives_one_episode_in_another_process_too(kind):
    values = {"epsilon": 0.5} if kind is EpsilonGreedy else {}
    explorer = kind(network=network([0.0, 0.3, 0.1, 0.2]), **values)
    there = pickle.loads(pickle.dumps(explorer))
    assert np.array_equal(chosen(explorer, 50, seed=3), chosen(there, 50, seed=3))
    assert not np.array_equal(chosen(explorer, 50, seed=3), chosen(there, 50, seed=4))
