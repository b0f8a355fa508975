"""Log-probabilities and entropies by hand and by torch, and their gradients by autograd."""

import math

import pytest
import torch

from sinew_core.algorithms.distributions import (
    categorical_entropy,
    categorical_entropy_gradient,
    categorical_gradient,
    categorical_log_probability,
    gaussian_entropy,
    gaussian_gradient,
    gaussian_log_probability,
)


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_log_probabilities_are_summed_over_the_action():
    # Two standard normals at their mean and one deviation off: -log(2 pi) - 0.5 * 1^2.
    value = gaussian_log_probability(torch.tensor([[0.0, 1.0]]), torch.zeros(1, 2), torch.zeros(2))
    assert value.shape == (1,)
    assert float(value) == pytest.approx(-math.log(2 * math.pi) - 0.5)


def test_a_normal_distribution_is_torchs():
    action, mean, log_std = draw(6, 3), draw(6, 3, seed=1), draw(3, seed=2)
    expected = torch.distributions.Normal(mean, log_std.exp())
    torch.testing.assert_close(
        gaussian_log_probability(action, mean, log_std), expected.log_prob(action).sum(1)
    )
    torch.testing.assert_close(gaussian_entropy(log_std).expand(6), expected.entropy().sum(1))


def test_a_choice_is_as_likely_as_its_share():
    # Logits log 1, log 3: probabilities 1/4 and 3/4.
    logits = torch.log(torch.tensor([[1.0, 3.0]]))
    assert float(categorical_log_probability(torch.tensor([1]), logits)) == pytest.approx(
        math.log(0.75)
    )
    # H = -(1/4 log 1/4 + 3/4 log 3/4) = 0.5623
    assert float(categorical_entropy(logits)) == pytest.approx(0.5623, abs=1e-4)


def test_gradients_of_a_normal_distribution_are_autograds():
    action, mean, log_std = draw(8, 3), draw(8, 3, seed=1), draw(3, seed=2)
    weight = draw(8, seed=3)
    mean.requires_grad_()
    log_std.requires_grad_()
    loss = (weight * gaussian_log_probability(action, mean, log_std)).sum()
    expected = torch.autograd.grad(loss, (mean, log_std))
    found = gaussian_gradient(action, mean.detach(), log_std.detach(), weight)
    torch.testing.assert_close(found, expected)


def test_gradients_of_a_choice_are_autograds():
    logits, weight = draw(8, 4), draw(8, seed=1)
    index = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
    logits.requires_grad_()
    loss = (weight * categorical_log_probability(index, logits)).sum()
    torch.testing.assert_close(
        categorical_gradient(index, logits.detach(), weight),
        torch.autograd.grad(loss, logits)[0],
    )
    torch.testing.assert_close(
        categorical_entropy_gradient(logits.detach()),
        torch.autograd.grad(categorical_entropy(logits).sum(), logits)[0],
    )
