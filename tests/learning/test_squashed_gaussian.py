import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal, TanhTransform, TransformedDistribution

from sinew_core.algorithms.exploration import SquashedGaussianPolicy
from sinew_core.algorithms.networks import MLP
from sinew_core.algorithms.squashed_gaussian import LOG_STD_BOUNDS, squash, squash_gradient


def drawn(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_log_probability_by_hand():
    # mean 0.3, std e^-1, e = 0.5: u = 0.3 + 0.5 / e = 0.4839397, a = tanh(u) = 0.4493932.
    # log N = -0.5 * 0.25 + 1 - 0.9189385 = -0.0439385; log(1 - a^2) = log 0.7980457 = -0.2255894.
    sample = squash(torch.tensor([[0.3, -1.0]]), torch.tensor([[0.5]]))
    assert float(sample.action) == pytest.approx(0.4493932, abs=1e-6)
    assert float(sample.log_probability) == pytest.approx(-0.0439385 + 0.2255894, abs=1e-6)


def test_log_probabilities_are_summed_over_the_action():
    # At mean 0 and e 0, each of three actions has -log_std - log sqrt(2 pi), and tanh's slope 1.
    output = torch.tensor([[0.0, 0.0, 0.0, -1.0, 0.0, 0.5]])
    sample = squash(output, torch.zeros(1, 3))
    expected = 1.0 - 0.0 - 0.5 - 1.5 * math.log(2 * math.pi)
    assert float(sample.log_probability) == pytest.approx(expected, abs=1e-6)


def test_log_probabilities_agree_with_torchs_distribution():
    # In double precision and small, so that the reference can invert tanh.
    output, noise = 0.5 * drawn(64, 6, seed=0), drawn(64, 3, seed=1)
    mean, log_std = output.double().chunk(2, 1)
    reference = TransformedDistribution(Normal(mean, log_std.exp()), [TanhTransform()])
    action = torch.tanh(mean + log_std.exp() * noise.double())
    expected = reference.log_prob(action).sum(1).float()
    torch.testing.assert_close(squash(output, noise).log_probability, expected)


@pytest.mark.parametrize("mean", [-40.0, 40.0])
def test_a_saturated_action_has_a_finite_log_probability(mean):
    # log(1 - tanh(u)^2) = log 4 - 2 |u| to double precision from |u| = 20, where 1 - a^2 is 0.
    sample = squash(torch.tensor([[mean, 0.0]]), torch.zeros(1, 1))
    assert abs(float(sample.action)) == 1.0
    expected = -0.5 * math.log(2 * math.pi) - (math.log(4.0) - 80.0)
    assert float(sample.log_probability) == pytest.approx(expected, rel=1e-6)


def test_the_gradient_is_autograds_also_where_deviations_are_clipped():
    output = drawn(32, 6, seed=2)
    output[:, 5] = torch.linspace(LOG_STD_BOUNDS[0] - 1.0, LOG_STD_BOUNDS[1] + 1.0, 32)
    noise, weights = drawn(32, 3, seed=3), drawn(32, 3, seed=4)
    leaf = output.clone().requires_grad_()
    sample = squash(leaf, noise)
    loss = (weights * sample.action).sum() + 0.3 * sample.log_probability.sum()
    (expected,) = torch.autograd.grad(loss, leaf)
    torch.testing.assert_close(
        squash_gradient(squash(output, noise), weights, 0.3), expected, rtol=1e-4, atol=1e-5
    )


def explorer(seed=0):
    generator = torch.Generator().manual_seed(seed)
    actor = MLP([4, 8, 8, 4], hidden_activation="relu", tanh_output=False, generator=generator)
    return actor, SquashedGaussianPolicy(layers=actor.layers(), log_std_bounds=LOG_STD_BOUNDS)


def test_the_explorer_draws_what_the_learner_believes():
    actor, policy = explorer()
    observation = np.array([0.5, -0.2, 0.1, 0.9], np.float32)
    actions = np.array([policy.begin(seed)(observation).action for seed in range(4000)])
    output = actor.forward(torch.from_numpy(observation)[None])[0].numpy()
    arguments = np.arctanh(actions)
    # 4000 draws: the mean is good to 1.6 % of the deviation, the deviation to 1.1 % of itself.
    np.testing.assert_allclose(arguments.mean(0), output[:2], atol=0.07 * np.exp(output[2:]).max())
    np.testing.assert_allclose(arguments.std(0), np.exp(output[2:]), rtol=0.05)


def test_an_episode_of_exploration_repeats_from_its_seed():
    _, policy = explorer()
    observation = np.ones(4, np.float32)
    first, second = policy.begin(7), policy.begin(7)
    for _ in range(3):
        assert np.array_equal(first(observation).action, second(observation).action)
    assert not np.array_equal(
        policy.begin(8)(observation).action, policy.begin(7)(observation).action
    )
