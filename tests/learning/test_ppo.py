import math

import numpy as np
import pytest
import torch

from learning import toy
from sinew_core.algorithms.actor_critic import normalised
from sinew_core.algorithms.distributions import gaussian_log_probability
from sinew_core.algorithms.drawing_actors import FRICTION_KNEE
from sinew_core.algorithms.networks import clip_norm
from sinew_core.algorithms.parameters import PPOParameters
from sinew_core.algorithms.ppo import PPO, clipped_surrogate, surrogate_weight
from sinew_core.algorithms.returns import generalised_advantages
from sinew_core.algorithms.steps import Steps
from sinew_core.bundle.runtime import NumpyPolicy


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


def test_the_gradient_of_the_surrogate_is_autograds():
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    seen = set()
    for clip_range in (0.1, 0.2, 0.2, 0.5):
        advantage = draw(64)
        log_ratio = (0.4 * draw(64)).requires_grad_()  # ratios from about 0.4 to 2.5
        loss = clipped_surrogate(log_ratio, advantage, clip_range)
        (expected,) = torch.autograd.grad(loss, log_ratio)
        found = surrogate_weight(log_ratio.detach(), advantage, clip_range)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
        ratio = log_ratio.detach().exp()
        side = (ratio > 1.0 + clip_range).long() - (ratio < 1.0 - clip_range).long()
        seen |= set(zip(side.tolist(), (advantage > 0.0).tolist(), strict=True))
    # Below, between and above the bounds, each with a loss and with a gain.
    assert seen == {(side, gain) for side in (-1, 0, 1) for gain in (False, True)}


def test_a_step_beyond_the_bound_has_no_gradient():
    # One action, ratio e^0.5 = 1.65 > 1.2: only a loss is felt, as -d(r A)/d log p = -r A.
    weight = lambda a: float(surrogate_weight(torch.tensor([0.5]), torch.tensor([a]), 0.2))  # noqa: E731
    assert weight(1.0) == 0.0
    assert weight(-1.0) == pytest.approx(math.exp(0.5))


def test_a_step_of_the_actor_descends_the_whole_loss():
    # The first step of Adam moves each parameter by the learning rate against its gradient's sign.
    parameters = PPOParameters(
        epochs=1, minibatch_size=1000, action_friction=0.7, entropy_weight=0.3, learning_rate=1e-4
    )
    ppo = PPO(4, 2, parameters, 0)
    steps = collect(ppo, np.random.default_rng(0))
    advantage = advantages_of(ppo, steps, parameters)
    layers = [
        torch.from_numpy(a).requires_grad_() for layer in ppo.actor.network.layers() for a in layer
    ]
    log_std = ppo.actor.log_std.clone().requires_grad_()
    loss = whole_loss(layers, log_std, steps, advantage, parameters)
    gradients = torch.autograd.grad(loss, [*layers, log_std])
    ppo.update(steps)
    after = [torch.from_numpy(a) for layer in ppo.actor.network.layers() for a in layer]
    after += [ppo.actor.log_std]
    for before, now, gradient in zip([*layers, log_std], after, gradients, strict=True):
        felt = gradient.abs() > 1e-4 * gradient.abs().max()
        moved = (now - before.detach())[felt]
        assert torch.equal(moved.sign(), -gradient[felt].sign())


def whole_loss(layers, log_std, steps, advantage, parameters):
    """The actor's loss in autograd's hands: surrogate, friction and entropy."""
    hidden = torch.from_numpy(steps.observation)
    for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
        hidden = (hidden @ weight.T + bias).tanh()
    mean = (hidden @ layers[-2].T + layers[-1]).tanh()
    log_prob = gaussian_log_probability(torch.from_numpy(steps.action), mean, log_std)
    surrogate = clipped_surrogate(log_prob - log_prob.detach(), normalised(advantage), 0.2)
    friction = (mean.square() + FRICTION_KNEE**2).sqrt().mean()
    entropy = log_std.sum()
    return surrogate + parameters.action_friction * friction - parameters.entropy_weight * entropy


def advantages_of(ppo, steps, parameters):
    return torch.from_numpy(
        generalised_advantages(
            steps.reward,
            ppo.values(steps.observation),
            ppo.values(steps.next_observation),
            steps.terminated,
            steps.episode_ends,
            gamma=parameters.gamma,
            lam=parameters.gae_lambda,
        )
    )


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
    ppo.actor.network.parameters.mul_(1000.0)
    action = NumpyPolicy(ppo.policy_network()).act(np.ones(4, np.float32))
    assert np.abs(action).max() <= 1.0


def collect(ppo, rng, episodes=10, length=20):
    rows = []
    act = NumpyPolicy(ppo.policy_network()).act
    std = ppo.actor.log_std.exp().numpy().copy()
    for _ in range(episodes):
        explore = lambda o: act(o) + std * rng.standard_normal(2)  # noqa: E731
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
    distances = [
        toy.episode(NumpyPolicy(ppo.policy_network()).act, rng, length=30)[1] for _ in range(30)
    ]
    assert np.median(distances) < 0.25  # an untrained policy is left 1.0 away


def test_one_seed_gives_one_result_bit_for_bit():
    first, second = train(3, iterations=2), train(3, iterations=2)
    assert torch.equal(first.actor.network.parameters, second.actor.network.parameters)
    assert torch.equal(first.actor.log_std, second.actor.log_std)
    assert np.array_equal(first.normaliser.mean, second.normaliser.mean)


def test_a_policy_that_does_not_move_keeps_a_ratio_of_one():
    still = PPO(4, 2, PPOParameters(learning_rate=0.0, final_learning_rate=0.0), 0)
    losses = still.update(collect(still, np.random.default_rng(0)))
    assert losses.approximate_kl == pytest.approx(0.0, abs=1e-6)
    assert losses.clipped_share == 0.0


def test_the_losses_say_how_far_a_policy_moved():
    ppo = PPO(4, 2, PPOParameters(learning_rate=3e-3, action_friction=0.0), 0)
    losses = ppo.update(collect(ppo, np.random.default_rng(0)))
    assert losses.approximate_kl > 0.0
    assert 0.0 < losses.clipped_share <= 1.0
    assert losses.policy_loss < 0.0  # the advantages' mean is 0 at a ratio of 1
