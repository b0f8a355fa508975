"""Whether an arm that is held was moved away, by measured positions alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.safety.whereabouts import Follows, Sight, Whereabouts

MS = 1_000_000
FOLLOWS, NOISE = 0.02, 0.001
# At 2 rad/s from one sample to the next, 10 ms later, and as far off as a drive may be.
REACH = 2.0 * 0.01 + FOLLOWS
HELD, AWAY, UNSURE = Sight(True, False), Sight(True, True), Sight(False, False)
ORIGIN = (0.0, 0.0)


class Arm:
    """What is measured of an arm, on a clock made by hand."""

    def __init__(self, period_ns=10 * MS, *, patient=True):
        follows = Follows(FOLLOWS, NOISE)
        self.made = Whereabouts([2.0, 2.0], follows, period_ns / 1e9, patient=patient)
        self.period_ns, self.now = period_ns, 0

    def take(self, position, reference=ORIGIN, times=1):
        seen = []
        for _ in range(times):
            self.now += self.period_ns
            seen.append(self.made.take(self.now, position, reference))
        return seen

    def go(self, end, start=ORIGIN, reference=ORIGIN):
        """Let it be guided there in steps of a hundredth of the way."""
        for k in range(1, 101):
            self.take([a + 0.01 * k * (b - a) for a, b in zip(start, end, strict=True)], reference)

    def rest(self, position, reference=ORIGIN):
        """Let it rest there until it is to be followed."""
        return any(self.take(position, reference) == [AWAY] for _ in range(101))

    def follow(self, position, reference=ORIGIN, cycles=400, step=0.001):
        """Let the reference go after it where that is asked for; return where it gets to."""
        for _ in range(cycles):
            if self.take(position, reference)[0].away:
                ways = zip(reference, position, strict=True)
                reference = tuple(p + max(-step, min(step, q - p)) for p, q in ways)
        return reference


def known():
    arm = Arm()
    arm.take(ORIGIN, None, 31)
    assert arm.take(ORIGIN) == [HELD]
    return arm


@pytest.mark.parametrize(("period_ms", "samples"), [(20, 3), (10, 4), (1, 31)])
def test_before_anything_is_known_positions_have_to_persist_for_30_ms(period_ms, samples):
    arm = Arm(period_ms * MS, patient=False)
    assert arm.take(ORIGIN, None, samples) == [UNSURE] * (samples - 1) + [AWAY]


@pytest.mark.parametrize(("period_ms", "samples"), [(20, 16), (10, 31), (1, 301)])
def test_those_that_become_the_first_reference_for_300_ms(period_ms, samples):
    arm = Arm(period_ms * MS)
    assert arm.take(ORIGIN, None, samples) == [UNSURE] * (samples - 1) + [AWAY]


def test_an_arm_that_persists_off_the_reference_is_astray_until_it_persists_there_again():
    arm = known()
    off, back = (1.1 * FOLLOWS, 0.0), (0.9 * FOLLOWS, 0.0)
    assert arm.take(off, times=3) == [UNSURE] * 3
    assert not arm.made.astray
    assert arm.take(off) == [HELD]
    assert arm.made.astray
    assert arm.made.off(ORIGIN) == [(0, pytest.approx(1.1 * FOLLOWS))]
    assert arm.take(back, times=3) == [UNSURE] * 3
    assert arm.made.astray
    assert arm.take(back) == [HELD]
    assert not arm.made.astray


def test_an_arm_that_was_guided_away_counts_once_it_has_rested_there_for_a_second():
    arm = known()
    arm.go((1.0, 0.0))
    seen = arm.take((1.0, 0.0), times=101)
    # From the hundredth step of 10 mrad on.
    assert seen.index(AWAY) == 99


def test_the_reference_is_followed_to_its_end_and_a_new_one_from_there():
    arm = known()
    arm.go((0.5, 0.0))
    reached = arm.follow((0.5, 0.0), cycles=700)
    assert reached == pytest.approx((0.5, 0.0))
    # Whatever its size: going so far has shown that no drive follows.
    for _ in range(3):
        further = (reached[0] + 0.5, 0.0)
        arm.go(further, reached, reached)
        reached = arm.follow(further, reached, cycles=700)
        assert reached == pytest.approx(further)


def test_a_tremor_does_not_end_the_following():
    arm = known()
    arm.go((0.1, 0.0))
    assert arm.rest((0.1, 0.0))
    assert arm.take((0.1003, 0.0), (0.001, 0.0)) == [AWAY]
    assert arm.follow((0.1003, 0.0), (0.002, 0.0)) == pytest.approx((0.1003, 0.0))


def test_an_arm_that_moves_while_it_is_followed_is_followed_once_more_after_rest():
    arm = known()
    arm.go((0.1, 0.0))
    assert arm.rest((0.1, 0.0))
    assert arm.take((0.11, 0.0), (0.001, 0.0)) == [UNSURE]
    assert arm.take((0.11, 0.0), (0.002, 0.0), times=101).index(AWAY) == 99
    # An arm that answers again is a driven one.
    assert arm.take((0.12, 0.0), (0.003, 0.0)) == [UNSURE]
    assert AWAY not in arm.take((0.12, 0.0), (0.003, 0.0), times=1000)
    # Until it has been commanded.
    arm.made.leave((0.12, 0.0))
    arm.go((0.3, 0.0), (0.12, 0.0), (0.12, 0.0))
    assert arm.follow((0.3, 0.0), (0.12, 0.0)) == pytest.approx((0.3, 0.0))


def test_short_ways_prove_nothing_and_are_gone_twice():
    # A slow drive answers when the reference has arrived.
    arm, at = known(), ORIGIN
    for _ in range(2):
        further = (at[0] + 1.1 * FOLLOWS, 0.0)
        arm.go(further, at, at)
        assert arm.follow(further, at) == pytest.approx(further)
        at = further
    further = (at[0] + 1.1 * FOLLOWS, 0.0)
    arm.go(further, at, at)
    assert arm.follow(further, at) == at
    assert arm.made.astray


def test_a_jump_is_unsure_and_where_it_persists_no_reason_to_move():
    arm = known()
    far = (REACH + 0.001, 0.0)
    assert arm.take(far, times=3) == [UNSURE] * 3
    assert arm.take(ORIGIN) == [HELD]
    assert arm.take(far, times=300) == [UNSURE] * 3 + [HELD] * 297
    assert arm.made.astray
    # Nor is what goes on from there, until the arm is back.
    assert AWAY not in arm.take((REACH + 0.02, 0.0), times=300)
    arm.take(ORIGIN, times=10)
    arm.go((0.1, 0.0))
    assert arm.rest((0.1, 0.0))


def test_a_motion_is_told_from_a_jump_by_the_time_between_the_samples():
    # 0.15 rad in 10 ms are 15 rad/s, in 60 ms 2.5 rad/s.
    arm = known()
    assert arm.take((0.13, 0.0)) == [UNSURE]
    arm = known()
    arm.now += 50 * MS
    assert arm.rest((0.13, 0.0))
    # Of a longer gap nothing is known.
    arm = known()
    arm.now += 1000 * MS
    assert AWAY not in arm.take((0.15, 0.0), times=200)


def test_positions_that_stand_still_off_the_reference_are_told_but_not_followed():
    arm = known()
    arm.made.leave((0.3, 0.0))
    assert AWAY not in arm.take((0.3, 0.0), (0.5, 0.0), times=300)
    assert arm.made.unchanged((0.5, 0.0)) == [(0, pytest.approx(0.2))]
    # Alive, but not moved away.
    assert AWAY not in arm.take((0.3001, 0.0), (0.5, 0.0), times=300)
    assert arm.made.unchanged((0.5, 0.0)) == []


def test_one_joint_that_has_not_moved_keeps_all_where_they_are():
    arm = known()
    arm.made.leave((0.3, 0.0))
    arm.take((0.3, 0.0), (0.5, 0.0))
    arm.go((0.3, 0.3), (0.3, 0.0), (0.5, 0.0))
    assert AWAY not in arm.take((0.3, 0.3), (0.5, 0.0), times=300)


def test_a_hold_begins_where_the_arm_is_after_it_was_commanded():
    arm = known()
    arm.made.leave((1.0, 0.0))
    arm.made.leave(None)
    assert arm.take((1.0, 0.0), (1.0, 0.0)) == [HELD]
    assert arm.rest((1.03, 0.0), (1.0, 0.0))


def test_an_arm_that_is_placed_between_braking_and_the_hold_has_changed():
    arm = known()
    arm.made.leave((0.5, 0.0))
    assert arm.take((0.1, 0.0), (0.5, 0.0), times=4) == [UNSURE] * 3 + [HELD]
    assert arm.made.astray
    assert arm.made.unchanged((0.5, 0.0)) == []


def test_what_was_forgotten_has_to_persist_again():
    arm = known()
    arm.made.forget()
    assert arm.take((1.0, 0.0), None, times=30) == [UNSURE] * 30


@settings(max_examples=200)
@given(
    wrong=st.lists(st.tuples(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0)), min_size=1, max_size=40)
)
def test_no_row_of_wrong_positions_ever_counts_where_right_ones_come_between(wrong):
    arm = known()
    for position in wrong:
        for one in (position, ORIGIN):
            assert not arm.take(one)[0].away
            assert not arm.made.astray
