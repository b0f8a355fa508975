"""Joint states of a bag merged as nodes merge them, whatever form they come in."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.bags.joint_states import JointStates
from sinew_core.deployment.bag_states import merge_states

JOINTS = ("a", "b", "c")
PERIOD_NS = 10_000_000
N = 12


def kind(names, index, stamps, position, velocity=None, effort=None, late_ns=1000):
    """Messages of one form."""
    index, stamps = np.array(index, np.int64), np.array(stamps, np.int64)
    position = np.array(position, float).reshape(len(index), len(names))
    none = np.empty((len(index), 0))
    return JointStates(
        names=tuple(names),
        index=index,
        log_ns=index * PERIOD_NS + late_ns,
        stamp_ns=stamps,
        position=position,
        velocity=none if velocity is None else np.array(velocity, float),
        effort=none if effort is None else np.array(effort, float),
    )


def motion(seed=0):
    stamps = PERIOD_NS * np.arange(1, N + 1)
    position, velocity = np.random.default_rng(seed).normal(size=(2, N, 3))
    return stamps, position, velocity


def whole(seed=0):
    stamps, position, velocity = motion(seed)
    return merge_states([kind(JOINTS, range(N), stamps, position, velocity, velocity)], JOINTS)


def test_whole_messages_are_taken_as_they_are():
    stamps, position, velocity = motion()
    states = whole()
    assert np.array_equal(states.stamp_ns, stamps)
    assert np.array_equal(states.position, position)
    assert np.array_equal(states.velocity, velocity)
    assert (states.has_effort, states.differentiated, states.period_ns) == (True, 0, PERIOD_NS)


@settings(max_examples=50)
@given(st.permutations(["a", "b", "c", "gripper", "rail"]), st.integers(0, 9))
def test_order_and_extra_joints_do_not_matter(names, seed):
    stamps, position, velocity = motion(seed)
    rng = np.random.default_rng(seed)

    def spread(values):
        columns = dict(zip(JOINTS, values.T, strict=True))
        return np.column_stack([columns.get(name, rng.normal(size=N)) for name in names])

    form = kind(names, range(N), stamps, spread(position), spread(velocity), spread(velocity))
    states, expected = merge_states([form], JOINTS), whole(seed)
    for name in ("stamp_ns", "log_ns", "position", "velocity", "effort"):
        assert np.array_equal(getattr(states, name), getattr(expected, name))


@settings(max_examples=50)
@given(st.lists(st.sampled_from([0, 1, 2]), min_size=3, max_size=3), st.integers(0, 9))
def test_joints_in_several_messages_of_a_stamp_make_one_state(groups, seed):
    stamps, position, velocity = motion(seed)
    used, kinds = sorted(set(groups)), []
    for k, group in enumerate(used):
        columns = [j for j in range(3) if groups[j] == group]
        names = [JOINTS[j] for j in columns]
        form = kind(names, range(N), stamps, position[:, columns], velocity[:, columns])
        # One after the other, all before the next stamp.
        kinds.append(
            kind(names, range(N), stamps, form.position, form.velocity, late_ns=1000 * (k + 1))
        )
    states = merge_states(kinds, JOINTS)
    assert np.array_equal(states.stamp_ns, stamps)
    assert np.array_equal(states.position, position)
    assert np.array_equal(states.velocity, velocity)


@settings(max_examples=50)
@given(st.lists(st.integers(-5, 400), min_size=1, max_size=40))
def test_stamps_increase_within_an_epoch_whatever_they_are(periods):
    stamps = 10**12 + PERIOD_NS * np.array(periods, np.int64)
    form = kind(JOINTS, range(len(stamps)), stamps, np.zeros((len(stamps), 3)))
    states = merge_states([form], JOINTS)
    steps, same = np.diff(states.stamp_ns), np.diff(states.epoch) == 0
    assert (steps[same] > 0).all()
    assert (steps[same] <= 1_500_000_000).all()
    assert states.epoch[-1] == states.clock_jumps
    assert states.count + states.late + int(states.repeats.sum()) == len(stamps)


def test_a_state_that_is_sent_again_counts_as_repeated():
    stamps = [PERIOD_NS, 2 * PERIOD_NS, 2 * PERIOD_NS, 3 * PERIOD_NS]
    states = merge_states([kind(JOINTS, range(4), stamps, np.zeros((4, 3)))], JOINTS)
    assert states.repeats.tolist() == [0, 1, 0]


def test_messages_of_other_joints_are_counted_only():
    stamps, position, velocity = motion()
    others = kind(["x"], range(N), stamps, position[:, :1], late_ns=500)
    arm = kind(JOINTS, range(N), stamps, position, velocity)
    states = merge_states([others, arm], JOINTS)
    assert (states.count, states.foreign, states.has_effort) == (N, N, False)
