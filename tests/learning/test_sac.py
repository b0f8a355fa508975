import math

import numpy as np
import pytest
import torch

from learning import toy
from sinew_core.algorithms.parameters import SACParameters
from sinew_core.algorithms.sac import SAC, temperature_gradient
from sinew_core.algorithms.squashed_gaussian import squash


def agent(seed=0, **changes):
    return SAC(4, 2, SACParameters(hidden_units=32, **changes), seed)


def test_the_target_by_hand():
    # The actor is made constant: mean 0 and log-deviation 0, so that noise 0 draws a = 0 with
    # log pi = -2 log sqrt(2 pi) = -1.8378771. The critics are: Q' = (2, 3).
    sac = agent(gamma=0.5, initial_temperature=0.2)
    sac.actor.parameters.zero_()
    sac.target_critics.parameters.zero_()
    sac.target_critics.parameters[-2:] = torch.tensor([2.0, 3.0])
    batch = toy.some_batch()
    batch.reward[:] = 1.0
    batch.terminated[:4] = 1.0
    # Terminated: r = 1. Else 1 + 0.5 * (2 + 0.2 * 1.8378771) = 2.1837877.
    expected = torch.tensor([1.0] * 4 + [2.1837877] * 4)
    torch.testing.assert_close(sac.critic_targets(batch, torch.zeros(8, 2)), expected)


def test_the_temperatures_gradient_by_hand():
    # d(alpha (H - target))/dlog alpha = 0.5 * (-3 - (-2)) = -0.5: descent raises alpha, since the
    # entropy is below its target.
    gradient = temperature_gradient(torch.tensor([math.log(0.5)]), torch.tensor(-3.0), -2.0)
    assert float(gradient) == pytest.approx(-0.5)


@pytest.mark.parametrize(("target_entropy", "rises"), [(-20.0, False), (2.0, True)])
def test_the_temperature_moves_the_entropy_to_its_target(target_entropy, rises):
    sac = agent(target_entropy=target_entropy)
    before = float(sac.log_temperature)
    for _ in range(5):
        sac.update(toy.some_batch())
    assert (float(sac.log_temperature) > before) == rises


def test_the_actors_gradient_is_autograds():
    sac = agent(initial_temperature=0.3)
    observation = torch.from_numpy(toy.some_batch(32).observation)
    noise = torch.randn(32, 2, generator=torch.Generator().manual_seed(5))
    output = sac.actor.forward(observation).clone().requires_grad_()
    drawn = squash(output, noise)
    mean_action = output[:, :2].tanh()
    size = ((mean_action.square() + 0.02**2).sqrt() - 0.02).mean()
    value = least_value(sac.critics.parameters, torch.cat([observation, drawn.action], 1))
    loss = (0.3 * drawn.log_probability - value).mean()
    loss = loss + 1.0 * size + 0.3 * mean_action.square().mean()
    (expected,) = torch.autograd.grad(loss, output)
    found, log_probability = sac.actor_gradient(observation, noise)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(log_probability, drawn.log_probability.detach())


def least_value(parameters, inputs):
    """Return min(Q1, Q2) in autograd's hands: weights (2, out, in), then biases, of each layer."""
    both, start = [inputs, inputs], 0
    for size_in, size_out in ((6, 32), (32, 32), (32, 1)):
        middle, end = start + 2 * size_in * size_out, start + 2 * (size_in + 1) * size_out
        weights = parameters[start:middle].view(2, size_out, size_in)
        biases = parameters[middle:end].view(2, size_out)
        both = [h @ w.T + b for h, w, b in zip(both, weights, biases, strict=True)]
        both = [h.relu() for h in both] if size_out > 1 else both
        start = end
    return torch.minimum(*both)[:, 0]


def test_the_critic_loss_is_the_mean_squared_error_of_both():
    batch, sac = toy.some_batch(), agent()
    observation, action = torch.from_numpy(batch.observation), torch.from_numpy(batch.action)
    # The update's noise, drawn before it: the state holds the generator.
    generator = torch.Generator()
    generator.set_state(torch.from_numpy(sac.state()["drawn"]))
    noise = torch.randn(8, 2, generator=generator)
    error = sac.critics.values(observation, action) - sac.critic_targets(batch, noise)
    assert float(sac.update(batch).critic_loss) == pytest.approx(float((error**2).mean()))


def test_friction_pulls_the_mean_to_rest_and_leaves_the_exploration():
    free, held = agent(action_friction=0.0, action_penalty=0.0), agent(action_friction=50.0)
    observation = toy.some_batch(1).observation[0]
    for _ in range(150):
        free.update(toy.some_batch(32))
        held.update(toy.some_batch(32))
    assert np.abs(held.act(observation)).max() < 0.05 < np.abs(free.act(observation)).max()
    explored = [held.explorer().begin(seed)(observation).action for seed in range(20)]
    assert np.std(explored) > 0.1


def acting(choose):
    return lambda observation: choose(observation).action


def train(seed, episodes=40):
    rng = np.random.default_rng(seed)
    sac = agent(
        seed,
        gamma=0.8,
        action_friction=0.0,
        action_penalty=0.0,
        actor_learning_rate=3e-3,
        critic_learning_rate=3e-3,
    )
    toy.train_with_hindsight(sac, lambda n: acting(sac.explorer().begin(n)), rng, episodes)
    return sac


def test_it_learns_to_reach_on_the_toy_task():
    assert toy.median_distance(train(0).act) < 0.1


def test_one_seed_gives_one_result_bit_for_bit():
    first, second = train(3, episodes=5), train(3, episodes=5)
    assert torch.equal(first.actor.parameters, second.actor.parameters)
    assert torch.equal(first.critics.parameters, second.critics.parameters)
    assert torch.equal(first.log_temperature, second.log_temperature)
