import numpy as np
import pytest
import torch

from learning import toy
from sinew_core.algorithms.ddpg import DDPG
from sinew_core.algorithms.parameters import DDPGParameters


def agent(seed=0, **changes):
    return DDPG(4, 2, DDPGParameters(hidden_units=32, **changes), seed)


def test_targets_bootstrap_except_where_terminated():
    batch = toy.some_batch()
    batch.terminated[:4] = 1.0
    ddpg = agent(gamma=0.5)
    next_observation = torch.from_numpy(batch.next_observation)
    next_action = ddpg.target_actor.forward(next_observation)
    future = ddpg.target_critic.forward(torch.cat([next_observation, next_action], 1))
    # Terminated: r. Else, truncated or not: r + 0.5 Q'(s', mu'(s')).
    expected = torch.from_numpy(batch.reward)[:, None].clone()
    expected[4:] += 0.5 * future[4:]
    torch.testing.assert_close(ddpg.critic_targets(batch), expected)


def test_targets_move_by_the_target_rate():
    ddpg = agent(target_rate=0.25)
    before = ddpg.target_critic.parameters.clone()
    ddpg.update(toy.some_batch())
    expected = before + 0.25 * (ddpg.critic.parameters - before)
    torch.testing.assert_close(ddpg.target_critic.parameters, expected)


def test_the_actor_climbs_the_critic():
    ddpg = agent(critic_learning_rate=0.0, target_rate=0.0)
    observation = torch.from_numpy(toy.some_batch(32).observation)

    def q_of_the_actor():
        action = ddpg.actor.forward(observation)
        return float(ddpg.critic.forward(torch.cat([observation, action], 1)).mean())

    before = q_of_the_actor()
    for _ in range(20):
        ddpg.update(toy.some_batch(32))
    assert q_of_the_actor() > before


def test_the_critic_loss_is_the_mean_squared_error():
    batch = toy.some_batch()
    ddpg = agent()
    inputs = torch.from_numpy(np.concatenate([batch.observation, batch.action], 1))
    error = ddpg.critic.forward(inputs).clone() - ddpg.critic_targets(batch)
    assert float(ddpg.update(batch).critic_loss) == pytest.approx(float((error**2).mean()))


def test_the_actor_waits_for_its_period():
    ddpg = agent(actor_period=2)
    start = ddpg.actor.parameters.clone()
    ddpg.update(toy.some_batch())
    assert torch.equal(ddpg.actor.parameters, start)
    ddpg.update(toy.some_batch())
    assert not torch.equal(ddpg.actor.parameters, start)


def train(seed, episodes=60):
    rng = np.random.default_rng(seed)
    ddpg = agent(seed, gamma=0.8, action_friction=0.0, action_penalty=0.0)
    explore = lambda o: np.clip(ddpg.act(o) + 0.3 * rng.standard_normal(2), -1, 1)  # noqa: E731
    toy.train_with_hindsight(ddpg, lambda _: explore, rng, episodes)
    return ddpg


def test_it_learns_to_reach_on_the_toy_task():
    assert toy.median_distance(train(0).act) < 0.05


def test_one_seed_gives_one_result_bit_for_bit():
    first, second = train(3, episodes=5), train(3, episodes=5)
    assert torch.equal(first.actor.parameters, second.actor.parameters)
    assert torch.equal(first.critic.parameters, second.critic.parameters)


def test_friction_and_penalty_pull_actions_to_rest():
    free, held = agent(action_friction=0.0, action_penalty=0.0), agent(action_friction=50.0)
    observation = torch.from_numpy(toy.some_batch(32).observation)
    for _ in range(300):
        free.update(toy.some_batch(32))
        held.update(toy.some_batch(32))
    size = lambda ddpg: float(ddpg.actor.forward(observation).abs().mean())  # noqa: E731
    assert size(held) < 0.02 < size(free)


def test_the_steps_shrink_on_their_schedule():
    # After 10 updates the share is 0: nothing moves any more.
    ddpg = agent(learning_rate_updates=10, final_learning_rate_share=0.0)
    for _ in range(10):
        ddpg.update(toy.some_batch())
    settled = ddpg.actor.parameters.clone()
    ddpg.update(toy.some_batch())
    assert torch.equal(ddpg.actor.parameters, settled)
