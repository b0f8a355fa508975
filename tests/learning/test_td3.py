import numpy as np
import pytest
import torch

from learning import toy
from sinew_core.algorithms.parameters import TD3Parameters
from sinew_core.algorithms.td3 import TD3


def agent(seed=0, **changes):
    return TD3(4, 2, TD3Parameters(hidden_units=32, **changes), seed)


def test_the_target_by_hand():
    # Targets are made constant: mu' = tanh(arctanh 0.9) = 0.9 for both actions, and with zero
    # weights but for the biases of the last layer Q' = (2, 3) wherever it is asked.
    td3 = agent(gamma=0.5)
    td3.target_actor.parameters.zero_()
    td3.target_actor.parameters[-2:] = float(np.arctanh(0.9))
    td3.target_critics.parameters.zero_()
    td3.target_critics.parameters[-2:] = torch.tensor([2.0, 3.0])
    batch = toy.some_batch()
    batch.reward[:] = 1.0
    batch.terminated[:4] = 1.0
    # Terminated: r = 1. Else r + 0.5 * min(2, 3) = 2.
    expected = torch.tensor([1.0] * 4 + [2.0] * 4)
    torch.testing.assert_close(td3.critic_targets(batch, torch.zeros(8, 2)), expected)


def test_the_targets_action_is_smoothed_and_clipped_twice():
    td3 = agent(gamma=1.0, target_noise=0.2, target_noise_clip=0.5)
    td3.target_actor.parameters.zero_()
    td3.target_actor.parameters[-2:] = float(np.arctanh(0.9))
    batch = toy.some_batch(2)
    batch.terminated[:] = 0.0
    # 0.2 * (-1, 10) = (-0.2, 2), clipped to (-0.2, 0.5): actions 0.7, and 1.4 clipped to 1.
    # 0.2 * (-4, 0) = (-0.8, 0), clipped to (-0.5, 0): actions 0.4 and 0.9.
    found = td3.critic_targets(batch, torch.tensor([[-1.0, 10.0], [-4.0, 0.0]]))
    action = torch.tensor([[0.7, 1.0], [0.4, 0.9]])
    future = td3.target_critics.values(torch.from_numpy(batch.next_observation), action)
    expected = torch.from_numpy(batch.reward) + torch.minimum(future[0], future[1])
    torch.testing.assert_close(found, expected)


def test_the_critic_loss_is_the_mean_squared_error_of_both():
    batch, td3 = toy.some_batch(), agent(target_noise=0.0)
    observation, action = torch.from_numpy(batch.observation), torch.from_numpy(batch.action)
    error = td3.critics.values(observation, action) - td3.critic_targets(batch, torch.zeros(8, 2))
    assert float(td3.update(batch).critic_loss) == pytest.approx(float((error**2).mean()))


def test_the_actor_waits_for_its_period_and_climbs_the_first_critic():
    td3 = agent(actor_period=2, critic_learning_rate=0.0, action_friction=0.0, action_penalty=0.0)
    observation = torch.from_numpy(toy.some_batch(32).observation)

    def values_of_the_actor():
        return td3.critics.values(observation, td3.actor.forward(observation)).mean(1)

    start = td3.actor.parameters.clone()
    td3.update(toy.some_batch(32))
    assert torch.equal(td3.actor.parameters, start)
    before = values_of_the_actor()
    for _ in range(20):
        td3.update(toy.some_batch(32))
    assert values_of_the_actor()[0] > before[0]


def test_the_actors_gradient_is_autograds():
    # Adam's first step moves each parameter by the learning rate against its gradient's sign.
    td3 = agent(actor_period=1, actor_learning_rate=1e-4, critic_learning_rate=0.0)
    batch = toy.some_batch(32)
    observation = torch.from_numpy(batch.observation)
    layers = [torch.from_numpy(a).requires_grad_() for w in td3.actor.layers() for a in w]
    hidden = observation
    for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
        hidden = (hidden @ weight.T + bias).relu()
    action = (hidden @ layers[-2].T + layers[-1]).tanh()
    by_action = td3_first_critic_gradient(td3, observation, action.detach())
    size = (action.square() + 0.02**2).sqrt().mean()
    loss = (action * by_action).sum() + 1.0 * size + 0.3 * action.square().mean()
    gradients = torch.autograd.grad(loss, layers)
    td3.update(batch)
    after = [torch.from_numpy(a) for w in td3.actor.layers() for a in w]
    for before, now, gradient in zip(layers, after, gradients, strict=True):
        felt = gradient.abs() > 1e-3 * gradient.abs().max()
        step = (now - before.detach())[felt]
        torch.testing.assert_close(step, -1e-4 * gradient[felt].sign(), rtol=0.02, atol=1e-6)


def td3_first_critic_gradient(td3, observation, action):
    """Return d(-mean Q1)/da by differences in double steps of 1e-2, exact off the ReLU's kinks."""
    leaf = action.clone()
    columns = []
    for index in range(action.shape[1]):
        shift = torch.zeros_like(leaf)
        shift[:, index] = 1e-3
        up = td3.critics.values(observation, leaf + shift)[0]
        down = td3.critics.values(observation, leaf - shift)[0]
        columns.append(-(up - down) / 2e-3 / len(leaf))
    return torch.stack(columns, 1)


def train(seed, episodes=40):
    rng = np.random.default_rng(seed)
    td3 = agent(
        seed,
        gamma=0.8,
        action_friction=0.0,
        action_penalty=0.0,
        actor_learning_rate=3e-3,
        target_rate=0.03,
        critic_learning_rate=3e-3,
    )
    explore = lambda o: np.clip(td3.act(o) + 0.3 * rng.standard_normal(2), -1, 1)  # noqa: E731
    toy.train_with_hindsight(td3, lambda _: explore, rng, episodes)
    return td3


def test_it_learns_to_reach_on_the_toy_task():
    assert toy.median_distance(train(0).act) < 0.1


def test_one_seed_gives_one_result_bit_for_bit():
    first, second = train(3, episodes=5), train(3, episodes=5)
    assert torch.equal(first.actor.parameters, second.actor.parameters)
    assert torch.equal(first.critics.parameters, second.critics.parameters)
