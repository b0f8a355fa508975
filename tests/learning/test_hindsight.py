import dataclasses

import numpy as np

from learning import toy
from sinew_core.algorithms.hindsight import HindsightSampler
from sinew_core.algorithms.replay import Motions, Replay


def filled(rng):
    replay = Replay(Motions, 1000)
    for _ in range(10):
        replay.add_episode(toy.episode(lambda _: rng.uniform(-1, 1, 2), rng)[0])
    return replay


def sampler(fraction):
    return HindsightSampler(fraction=fraction, relabel=toy.relabel, goal_reward=toy.goal_reward)


def test_relabelled_rewards_and_observations_tell_of_one_target():
    rng = np.random.default_rng(0)
    batch = sampler(1.0).sample(filled(rng), 64, rng)
    # The toy's reward is minus the distance left, which the next observation shows.
    left = np.linalg.norm(batch.next_observation[:, 2:], axis=1)
    np.testing.assert_allclose(batch.reward, -left, atol=1e-6)
    target = batch.seen_goal[:, :2] + batch.observation[:, 2:]
    next_target = batch.next_seen_goal[:, :2] + batch.next_observation[:, 2:]
    np.testing.assert_allclose(target, next_target, atol=1e-6)


def test_observations_are_relabelled_by_what_was_seen_and_rewards_by_the_truth():
    rng = np.random.default_rng(0)
    episode = toy.episode(lambda _: rng.uniform(-1, 1, 2), rng)[0]
    true = episode.next_achieved_goal
    seen = dataclasses.replace(
        episode,
        seen_goal=episode.seen_goal + np.float32(0.1),
        next_seen_goal=true + np.float32(0.2),
    )
    replay = Replay(Motions, 100)
    replay.add_episode(seen)
    batch = sampler(1.0).sample(replay, 64, rng)
    target = batch.observation[:, 2:] + batch.seen_goal[:, :2]
    again = batch.next_observation[:, 2:] + batch.next_seen_goal[:, :2]
    np.testing.assert_allclose(target, again, atol=1e-6)
    left = np.linalg.norm(batch.next_achieved_goal[:, :2] - target, axis=1)
    np.testing.assert_allclose(batch.reward, -left, atol=1e-6)
    # Targets are places where the point really was.
    apart = np.linalg.norm(target[:, None] - true[None, :, :2], axis=2).min(axis=1)
    np.testing.assert_allclose(apart, 0.0, atol=1e-6)


def test_some_relabelled_transitions_arrive_at_their_target():
    rng = np.random.default_rng(0)
    replay = filled(rng)
    reached = lambda batch: (batch.reward > -1e-6).mean()  # noqa: E731
    # Of a 20-step episode, the moment is the very next one with probability sum(1/k) / 20 = 0.18.
    assert reached(sampler(1.0).sample(replay, 2000, rng)) > 0.1
    assert reached(sampler(0.0).sample(replay, 2000, rng)) < 0.01


def test_only_the_share_asked_for_is_relabelled():
    rng = np.random.default_rng(0)
    replay = filled(rng)
    plain = sampler(0.0).sample(replay, 100, np.random.default_rng(5))
    mixed = sampler(0.25).sample(replay, 100, np.random.default_rng(5))
    changed = (plain.observation != mixed.observation).any(1)
    assert not changed[25:].any()
    assert changed[:25].sum() > 20


def test_the_goal_independent_reward_stays():
    rng = np.random.default_rng(0)
    costly = toy.episode(lambda _: np.zeros(2), rng)[0]
    costly.reward_rest[:] = -7.0
    only = Replay(Motions, 100)
    only.add_episode(costly)
    batch = sampler(1.0).sample(only, 10, rng)
    # The point stands still: every future position is the present one, so distance costs nothing.
    np.testing.assert_allclose(batch.reward, -7.0)


def test_stored_transitions_do_not_change():
    rng = np.random.default_rng(0)
    replay = filled(rng)
    before = replay.take(np.arange(len(replay)))
    sampler(1.0).sample(replay, 256, rng)
    after = replay.take(np.arange(len(replay)))
    assert np.array_equal(before.observation, after.observation)
    assert np.array_equal(before.reward, after.reward)
