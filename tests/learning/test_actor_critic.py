"""A2C and REINFORCE: what they learn from by hand, and their steps by autograd."""

import numpy as np
import pytest
import torch

from learning import probes
from sinew_core.algorithms.a2c import A2C
from sinew_core.algorithms.distributions import (
    categorical_entropy,
    categorical_log_probability,
    gaussian_entropy,
    gaussian_log_probability,
)
from sinew_core.algorithms.parameters import A2CParameters, REINFORCEParameters
from sinew_core.algorithms.reinforce import REINFORCE
from sinew_core.algorithms.steps import Steps

SMALL = {
    "hidden_units": 8,
    "learning_rate": 1e-4,
    "final_learning_rate": 1e-4,
    "gamma": 0.5,
    "action_friction": 0.0,
    "entropy_weight": 0.3,
    "maximum_gradient_norm": 1e9,
}
KINDS = {
    "a2c": (A2C, A2CParameters(**SMALL, normalise_advantages=False, minibatch_size=1000)),
    "reinforce": (REINFORCE, REINFORCEParameters(**SMALL, normalise_returns=False)),
}


def make(name, *, discrete=False, seed=0):
    kind, parameters = KINDS[name]
    return kind(1, 1, parameters, seed, probes.CHOICES if discrete else None)


def steps_of(agent, *, terminates=True, probe=probes.POLICY_MATTERS, episodes=20):
    rng, explorer = np.random.default_rng(0), agent.explorer()
    runs = [
        probes.run(probe, explorer.begin(i), rng, terminates=terminates) for i in range(episodes)
    ]
    return Steps.of([run.transitions for run in runs])


def forward(layers, inputs, *, tanh_output):
    for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
        inputs = (inputs @ weight.T + bias).tanh()
    output = inputs @ layers[-2].T + layers[-1]
    return output.tanh() if tanh_output else output


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("discrete", [False, True], ids=["continuous", "discrete"])
def test_a_step_descends_the_whole_loss(name, discrete):
    # The first step of Adam moves each parameter by the learning rate against its gradient's sign.
    agent = make(name, discrete=discrete)
    steps = steps_of(agent)
    # One step each: its return is its reward, all terminated.
    advantage = torch.from_numpy(steps.reward - agent.values(steps.observation))
    network = agent.actor.network
    layers = [torch.from_numpy(a).requires_grad_() for layer in network.layers() for a in layer]
    output = forward(layers, torch.from_numpy(steps.observation), tanh_output=not discrete)
    action = agent.actor.actions(steps)
    log_std = torch.zeros(0, requires_grad=True) if discrete else agent.actor.log_std.clone()
    log_std.requires_grad_()
    if discrete:
        log_prob = categorical_log_probability(action, output)
        entropy = categorical_entropy(output).mean() + log_std.sum()
    else:
        log_prob = gaussian_log_probability(action, output, log_std)
        entropy = gaussian_entropy(log_std)
    loss = -(advantage * log_prob).mean() - 0.3 * entropy
    expected = torch.autograd.grad(loss, [*layers, *([] if discrete else [log_std])])
    before = [*layers, log_std]
    agent.update(steps)
    now = [torch.from_numpy(a) for layer in network.layers() for a in layer]
    now += [] if discrete else [agent.actor.log_std]
    for old, new, gradient in zip(before, now, expected, strict=False):
        felt = gradient.abs() > 1e-4 * gradient.abs().max()
        moved = (new - old.detach())[felt]
        assert torch.equal(moved.sign(), -gradient[felt].sign())


def test_the_losses_are_those_of_the_hand():
    agent = make("a2c")
    steps = steps_of(agent, probe=probes.ONE_STATE)
    # Reward 1, terminated: each advantage is 1 - V.
    advantage = 1.0 - agent.values(steps.observation)
    losses = agent.update(steps)
    assert losses.value_loss == pytest.approx(float(np.mean(advantage**2)), rel=1e-5)
    # H of one normal action of log-deviation -0.7: -0.7 + log sqrt(2 pi e) = 0.7189
    assert losses.entropy == pytest.approx(0.7189, abs=1e-4)


@pytest.mark.parametrize("name", KINDS)
def test_the_value_of_a_state_goes_on_where_an_episode_is_truncated(name):
    # Reward 1 and always the same state: V is 1 if that ends it, 1 / (1 - gamma) = 2 if it goes on.
    kind, _ = KINDS[name]
    rates = {**SMALL, "critic_learning_rate": 0.02}
    parameters = type(KINDS[name][1])(**rates)
    for terminates, expected in ((True, 1.0), (False, 2.0)):
        agent = kind(1, 1, parameters, 0, None)
        for _ in range(60):
            agent.update(steps_of(agent, terminates=terminates, probe=probes.ONE_STATE, episodes=8))
        assert agent.values(np.zeros((1, 1), np.float32))[0] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("name", KINDS)
def test_one_seed_gives_one_result_bit_for_bit(name):
    agents = [make(name, seed=seed) for seed in (2, 2, 3)]
    for agent in agents:
        for _ in range(2):
            agent.update(steps_of(agent))
    first, second, other = (agent.actor.network.parameters for agent in agents)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_an_update_of_a2c_is_bounded_as_a_whole():
    parameters = A2CParameters(**{**SMALL, "maximum_gradient_norm": 1e-12}, minibatch_size=1000)
    agent = A2C(1, 1, parameters, 0)
    before = agent.critic.network.parameters.clone()
    agent.update(steps_of(agent))
    # Adam's step of a gradient as small as its epsilon is far below the learning rate of 3e-3.
    assert float((agent.critic.network.parameters - before).abs().max()) < 1e-5
