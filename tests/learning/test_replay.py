import numpy as np
import pytest

from sinew_core.algorithms.replay import Motions, Replay
from sinew_core.errors import ConfigError


def numbered(first, length, *, width=1):
    """Make an episode whose rewards and tool positions count up from `first`."""
    count = np.arange(first, first + length, dtype=np.float32)
    wide = np.repeat(count[:, None], width, axis=1)
    three = np.repeat(count[:, None], 3, axis=1)
    return Motions(
        observation=wide,
        action=wide,
        reward=count,
        reward_rest=count,
        next_observation=wide,
        terminated=np.zeros(length, np.float32),
        seen_goal=three - 1,
        next_seen_goal=three,
        next_achieved_goal=three,
        next_joint_velocity=wide,
    )


def test_every_transition_is_held_until_the_ring_is_full():
    replay = Replay(Motions, 10)
    replay.add_episode(numbered(0, 4))
    replay.add_episode(numbered(4, 4))
    assert len(replay) == 8
    assert replay.take(np.arange(8)).reward.tolist() == list(range(8))


def test_the_oldest_transitions_go_first():
    replay = Replay(Motions, 10)
    for first in (0, 6, 12):
        replay.add_episode(numbered(first, 6))
    assert len(replay) == 10
    assert sorted(replay.take(np.arange(10)).reward.tolist()) == list(range(8, 18))


def test_samples_cover_everything_held_and_nothing_else():
    replay = Replay(Motions, 100)
    replay.add_episode(numbered(0, 5))
    index = replay.sample(1000, np.random.default_rng(0))
    assert set(replay.take(index).reward.tolist()) == {0, 1, 2, 3, 4}


def test_future_positions_lie_between_the_step_and_its_episodes_end():
    replay = Replay(Motions, 12)
    for first in (0, 5, 100):  # the third episode wraps around the end of the ring
        replay.add_episode(numbered(first, 5))
    rng = np.random.default_rng(0)
    index = np.repeat(np.arange(12), 50)
    reward = replay.take(index).reward
    future = replay.future_achieved_goals(index, rng)[:, 0]
    last = np.where(reward < 5, 4, np.where(reward < 100, 9, 104))
    assert (future >= reward).all()
    assert (future <= last).all()
    # Fifty draws reach the end of the episode from every step, and the step itself.
    assert set(future[reward == 100].tolist()) == {100, 101, 102, 103, 104}


def test_a_memory_is_rebuilt_from_pieces_to_the_same_places():
    whole, pieces, seen = Replay(Motions, 10), [], 0
    for first, length in ((0, 4), (4, 5), (9, 6), (15, 3)):
        whole.add_episode(numbered(first, length))
        pieces.append(whole.since(seen))
        seen = whole.total
    again = Replay(Motions, 10)
    again.clear(9)  # the first two pieces are overwritten by now
    for piece in pieces[2:]:
        again.extend(piece)
    assert len(again) == 9
    again.clear(4)
    for piece in pieces[1:]:
        again.extend(piece)
    assert len(again) == len(whole) == 10
    assert again.total == whole.total == 18
    assert np.array_equal(again.take(np.arange(10)).reward, whole.take(np.arange(10)).reward)
    index = np.arange(10)
    future = again.future_achieved_goals(index, np.random.default_rng(0))
    assert np.array_equal(future, whole.future_achieved_goals(index, np.random.default_rng(0)))


def test_an_episode_longer_than_the_memory_is_refused():
    with pytest.raises(ConfigError, match=r"replay_capacity is 3: .* give at least 4"):
        Replay(Motions, 3).add_episode(numbered(0, 4))


def test_a_million_reach_transitions_take_less_than_a_gibibyte():
    episode = numbered(0, 2, width=28)
    bytes_each = sum(values[:1].nbytes for values in vars(episode).values()) + 4
    assert bytes_each * 1_000_000 < 2**30
    replay = Replay(Motions, 1_000_000)
    replay.add_episode(episode)
    assert len(replay) == 2
