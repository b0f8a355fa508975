"""DQN: its targets, loss and step by hand, and its gradient by autograd."""

import numpy as np
import pytest
import torch

from sinew_core.algorithms.dqn import DQN, huber
from sinew_core.algorithms.parameters import DQNParameters
from sinew_core.algorithms.replay import Transitions
from sinew_core.bundle.runtime import NumpyPolicy
from sinew_core.errors import ConfigError

CHOICES = np.array([[0.0], [0.5], [-1.0]], np.float32)


def batch(size=6, *, terminated=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return Transitions(
        observation=rng.normal(size=(size, 2)).astype(np.float32),
        action=rng.integers(3, size=(size, 1)).astype(np.float32),
        reward=rng.normal(size=size).astype(np.float32),
        next_observation=rng.normal(size=(size, 2)).astype(np.float32),
        terminated=np.full(size, terminated, np.float32),
    )


def dqn(seed=0, **changes):
    values = {"hidden_units": 8, "gamma": 0.9, **changes}
    return DQN(2, CHOICES, DQNParameters(**values), seed)


def constant(network, values):
    """Make a network answer the same values to everything."""
    network.parameters.zero_()
    network.parameters[-len(values) :] = torch.tensor(values)


def test_the_double_estimator_values_by_the_target_what_the_online_network_chooses():
    # Q prefers choice 1, which Q' values at 2; Q' itself prefers choice 2 at 5. r = 1, gamma = 0.9.
    for double, expected in ((True, 1 + 0.9 * 2), (False, 1 + 0.9 * 5)):
        agent = dqn(double=double)
        constant(agent.q, [0.0, 7.0, 3.0])
        constant(agent.target_q, [1.0, 2.0, 5.0])
        steps = batch(1)
        steps.reward[:] = 1.0
        assert float(agent.targets(steps)) == pytest.approx(expected)


def test_nothing_follows_a_terminated_step_but_a_truncated_one_is_bootstrapped():
    agent = dqn()
    ended, open_ended = batch(terminated=1.0), batch(terminated=0.0)
    torch.testing.assert_close(agent.targets(ended), torch.from_numpy(ended.reward))
    assert (agent.targets(open_ended) != torch.from_numpy(open_ended.reward)).all()


def test_large_errors_cost_their_size():
    # 0.5^2 / 2 = 0.125 below the knee, 3 - 0.5 = 2.5 above it; the mean is 1.3125.
    assert float(huber(torch.tensor([0.5, -3.0]))) == pytest.approx(1.3125)


def test_a_step_descends_the_huber_loss():
    # The first step of Adam moves each parameter by the learning rate against its gradient's sign.
    agent, steps = dqn(maximum_gradient_norm=1e9, target_rate=0.0), batch(64)
    steps.reward[::2] *= 10.0  # errors on both sides of the knee
    layers = [torch.from_numpy(a).requires_grad_() for layer in agent.q.layers() for a in layer]
    value = torch.from_numpy(steps.observation)
    for weight, bias in zip(layers[::2], layers[1::2], strict=True):
        value = value @ weight.T + bias
        value = value.relu() if len(bias) == 8 else value
    chosen = value.gather(1, torch.from_numpy(steps.action).long())[:, 0]
    loss = torch.nn.functional.huber_loss(chosen, agent.targets(steps))
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, layers)])
    assert float(agent.update(steps).loss) == pytest.approx(float(loss.detach()), rel=1e-5)
    torch.testing.assert_close(agent.q.gradient, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("rate", "period", "moved"),
    [(1.0, 3, [False, False, True, False]), (0.5, 1, [True, True, True, True])],
)
def test_the_target_is_copied_now_and_then_or_follows_softly(rate, period, moved):
    agent = dqn(target_rate=rate, target_period=period)
    for expected in moved:
        before = agent.target_q.parameters.clone()
        agent.update(batch())
        expected_parameters = torch.lerp(before, agent.q.parameters, rate) if expected else before
        assert torch.equal(agent.target_q.parameters, expected_parameters)


@pytest.mark.parametrize(("rate", "expected"), [(0.01, 0.5), (1.0, -1.0)])
def test_the_deployed_policy_takes_the_best_choice_of_a_soft_target_or_of_q(rate, expected):
    agent = dqn(target_rate=rate)
    constant(agent.q, [0.0, -1.0, 0.5])
    constant(agent.target_q, [0.0, 1.0, 0.5])
    assert NumpyPolicy(agent.policy_network()).act(np.zeros(2, np.float32)) == [expected]


def test_one_seed_gives_one_result_bit_for_bit():
    agents = [dqn(seed=4), dqn(seed=4), dqn(seed=5)]
    for agent in agents:
        for seed in range(3):
            agent.update(batch(seed=seed))
    first, second, other = (agent.q.parameters for agent in agents)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_table_of_no_nudge_is_refused():
    with pytest.raises(ConfigError, match="give a size"):
        DQNParameters(nudges=())
