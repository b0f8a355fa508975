import numpy as np
import pytest
import torch

from sinew_core.algorithms.actor import actor_network, rest_gradient
from sinew_core.algorithms.networks import MLP
from sinew_core.bundle.runtime import NumpyPolicy


@pytest.mark.parametrize("knee", [0.02, 0.05])
def test_the_gradient_of_the_rest_is_autograds(knee):
    action = torch.linspace(-1.0, 1.0, 21).reshape(7, 3).requires_grad_()
    size = (action.square() + knee**2).sqrt() - knee
    (expected,) = torch.autograd.grad((0.3 * action.square() + 0.7 * size).mean(), action)
    found = rest_gradient(action.detach(), friction=0.7, penalty=0.3, knee=knee)
    torch.testing.assert_close(found, expected)


def test_the_deployed_actor_is_tanh_of_its_first_outputs():
    generator = torch.Generator().manual_seed(0)
    actor = MLP([5, 8, 8, 6], hidden_activation="relu", tanh_output=False, generator=generator)
    observation = np.linspace(-1.0, 1.0, 5, dtype=np.float32)
    expected = actor.forward(torch.from_numpy(observation)[None])[0, :3].tanh().numpy()
    found = NumpyPolicy(actor_network(actor, 3)).act(observation)
    np.testing.assert_allclose(found, expected, atol=1e-6)
