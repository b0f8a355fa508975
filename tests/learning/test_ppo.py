import math

import numpy as np
import pytest
import torch

from learning import toy
from sinew_core.algorithms.parameters import PPOParameters
from sinew_core.algorithms.ppo import (
    PPO,
    Steps,
    clip_norm,
    clipped_surrogate,
    log_probability,
    normalised,
)


def test_log_probabilities_are_summed_over_the_action():
    # Two standard normals at their mean and one deviation off: -log(2 pi) - 0.5 * 1^2.
    value = log_probability(torch.tensor([[0.0, 1.0]]), torch.zeros(1, 2), torch.zeros(2))
    assert value.shape == (1,)
    assert float(value) == pytest.approx(-math.log(2 * math.pi) - 0.5)


def test_log_probability_is_torchs():
    generator = torch.Generator().manual_seed(0)
    action, mean = (torch.randn(6, 3, generator=generator) for _ in range(2))
    log_std = torch.tensor([-1.0, 0.0, 0.5])
    expected = torch.distributions.Normal(mean, log_std.exp()).log_prob(action).sum(1)
    torch.testing.assert_close(log_probability(action, mean, log_std), expected)


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected"),
    [
        (1.5, 2.0, -2.4),  # a gain beyond 1.2 is not rewarded: min(3, 1.2 * 2)
        (0.5, 2.0, -1.0),  # a loss is felt in full: min(1, 0.8 * 2)
        (1.5, -2.0, 3.0),  # a worse action made likelier is felt in full: min(-3, -2.4)
        (0.5, -2.0, 1.6),  # made less likely beyond 0.8 is not rewarded: min(-1, -1.6)
    ],
)
def test_the_surrogate_is_the_pessimistic_bound(ratio, advantage, expected):
    loss = clipped_surrogate(torch.tensor([ratio]).log(), torch.tensor([advantage]), 0.2)
    assert float(loss) == pytest.approx(expected)


def test_advantages_are_normalised():
    # 1, 2, 3 have mean 2 and sample deviation 1.
    torch.testing.assert_close(
        normalised(torch.tensor([1.0, 2.0, 3.0])), torch.tensor([-1.0, 0.0, 1.0])
    )


def test_gradients_are_clipped_by_their_norm():
    gradient = torch.tensor([3.0, 4.0])
    clip_norm(gradient, 1.0)  # norm 5
    torch.testing.assert_close(gradient, torch.tensor([0.6, 0.8]))
    clip_norm(gradient, 2.0)
    torch.testing.assert_close(gradient, torch.tensor([0.6, 0.8]))


def test_the_deployed_action_is_bounded():
    ppo = PPO(4, 2, PPOParameters(), 0)
    ppo.actor.parameters.mul_(1000.0)
    action = ppo.act(np.ones(4, np.float32))
    assert np.abs(action).max() <= 1.0


def collect(ppo, rng, episodes=10, length=20):
    rows = []
    std = ppo.log_std.exp().numpy().copy()
    for _ in range(episodes):
        explore = lambda o: ppo.act(o) + std * rng.standard_normal(2)  # noqa: E731
        rows.append(toy.episode(explore, rng, length)[0])
    join = lambda name: np.concatenate([getattr(r, name) for r in rows])  # noqa: E731
    ends = np.tile(np.arange(length) == length - 1, episodes)
    return Steps(
        observation=join("observation"),
        action=join("action"),
        reward=join("reward"),
        next_observation=join("next_observation"),
        terminated=np.zeros(len(ends), bool),
        episode_ends=ends,
    )


def train(seed, iterations):
    rng = np.random.default_rng(seed)
    parameters = PPOParameters(
        hidden_units=32,
        minibatch_size=100,
        gamma=0.8,
        learning_rate=3e-3,
        epochs=8,
        action_friction=0.0,
    )
    ppo = PPO(4, 2, parameters, seed)
    for _ in range(iterations):
        ppo.update(collect(ppo, rng))
    return ppo


def test_it_learns_to_reach_on_the_toy_task():
    ppo = train(0, iterations=30)
    rng = np.random.default_rng(99)
    distances = [toy.episode(ppo.act, rng, length=30)[1] for _ in range(30)]
    assert np.median(distances) < 0.25  # an untrained policy is left 1.0 away


def test_one_seed_gives_one_result_bit_for_bit():
    first, second = train(3, iterations=2), train(3, iterations=2)
    assert torch.equal(first.actor.parameters, second.actor.parameters)
    assert torch.equal(first.log_std, second.log_std)
    assert np.array_equal(first.normaliser.mean, second.normaliser.mean)


def test_the_first_epoch_starts_from_a_ratio_of_one():
    ppo = PPO(4, 2, PPOParameters(epochs=1, minibatch_size=1000), 0)
    losses = ppo.update(collect(ppo, np.random.default_rng(0)))
    assert losses.approximate_kl == pytest.approx(0.0, abs=1e-6)
    assert losses.clipped_share == 0.0
