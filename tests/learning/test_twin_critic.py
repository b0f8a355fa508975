"""The batched critics agree with two perceptrons in autograd's hands."""

import torch

from sinew_core.algorithms.twin_critic import TwinCritic


def make(seed=0):
    return TwinCritic(5, 2, 8, torch.Generator().manual_seed(seed))


def drawn(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def values_by_autograd(parameters, inputs):
    """Unpack the flat vector: for each layer weights (2, out, in), then biases (2, out)."""
    both, start = [inputs, inputs], 0
    for size_in, size_out in ((7, 8), (8, 8), (8, 1)):
        weights = parameters[start : start + 2 * size_in * size_out].view(2, size_out, size_in)
        start += 2 * size_in * size_out
        biases = parameters[start : start + 2 * size_out].view(2, size_out)
        start += 2 * size_out
        both = [h @ w.T + b for h, w, b in zip(both, weights, biases, strict=True)]
        both = [h.relu() for h in both] if size_out > 1 else both
    return torch.cat(both, 1).T


def test_values_and_gradients_equal_those_of_autograd():
    critics, weights = make(), drawn(2, 16, seed=3)
    observation, action = drawn(16, 5, seed=1), drawn(16, 2, seed=2)
    parameters = critics.parameters.clone().requires_grad_()
    inputs = torch.cat([observation, action], 1).requires_grad_()
    expected = values_by_autograd(parameters, inputs)
    (expected * weights).sum().backward()

    torch.testing.assert_close(critics.values(observation, action), expected.detach())
    critics.backward(weights)
    torch.testing.assert_close(critics.gradient, parameters.grad)
    torch.testing.assert_close(critics.action_gradient(weights), inputs.grad[:, 5:])


def test_the_two_critics_begin_apart_and_equal_seeds_alike():
    observation, action = drawn(4, 5, seed=1), drawn(4, 2, seed=2)
    first, second = make().values(observation, action)
    assert not torch.allclose(first, second)
    assert torch.equal(make(4).parameters, make(4).parameters)


def test_a_clone_is_equal_but_apart():
    critics = make()
    twin = critics.clone()
    observation, action = drawn(4, 5, seed=1), drawn(4, 2, seed=2)
    assert torch.equal(twin.values(observation, action), critics.values(observation, action))
    critics.parameters.zero_()
    assert not torch.equal(twin.values(observation, action), critics.values(observation, action))
