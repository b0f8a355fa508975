"""Whether an arm that is held was moved away, by measured positions alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.safety.whereabouts import Sight, Whereabouts

PERIOD_S = 0.01
FOLLOWS = 0.02
# At 2 rad/s in 0.06 s, and as far off as a drive may be.
REACH = 2.0 * 0.06 + FOLLOWS
HELD, AWAY, UNSURE = Sight(True, False), Sight(True, True), Sight(False, False)


def make(period_s=PERIOD_S):
    return Whereabouts([2.0, 2.0], FOLLOWS, period_s)


def known(reference=(0.0, 0.0)):
    made = make()
    for _ in range(3):
        made.take(reference, None, at_rest=True)
    return made


def take(made, position, reference=(0.0, 0.0), *, at_rest=True, times=1):
    return [made.take(position, reference, at_rest=at_rest) for _ in range(times)]


@pytest.mark.parametrize(("period_s", "samples"), [(0.02, 3), (0.01, 3), (0.001, 30)])
def test_before_anything_is_known_positions_have_to_persist(period_s, samples):
    made = make(period_s)
    seen = [made.take((0.0, 0.0), None, at_rest=False) for _ in range(samples)]
    assert seen == [UNSURE] * (samples - 1) + [AWAY]


def test_an_arm_that_was_guided_away_counts_once_it_rests_there():
    made = known()
    for k in range(1, 11):
        assert take(made, (0.1 * k, 0.0), at_rest=False) == [HELD]
    assert take(made, (1.0, 0.0), times=3) == [HELD, HELD, AWAY]


def test_the_reference_is_followed_to_its_end_and_a_new_one_from_there():
    made = known()
    take(made, (0.1, 0.0))
    assert take(made, (0.1, 0.0), times=2)[-1] is not HELD
    assert take(made, (0.1, 0.0), (0.06, 0.0)) == [AWAY]
    assert take(made, (0.1, 0.0), (0.1, 0.0)) == [AWAY]
    assert take(made, (0.1, 0.0), (0.1, 0.0)) == [HELD]
    assert take(made, (0.15, 0.0), (0.1, 0.0), times=3) == [HELD, HELD, AWAY]


def test_an_arm_that_moves_again_is_followed_no_more():
    made = known()
    assert take(made, (0.1, 0.0), times=3)[-1] == AWAY
    assert take(made, (0.12, 0.0), (0.02, 0.0), at_rest=False) == [HELD]
    assert take(made, (0.12, 0.0), (0.02, 0.0), times=2) == [HELD, HELD]


def test_a_jump_is_unsure_and_where_it_persists_no_reason_to_move():
    made = known()
    far = (REACH + 0.001, 0.0)
    assert take(made, far, times=2) == [UNSURE, UNSURE]
    assert take(made, (0.0, 0.0)) == [HELD]
    assert take(made, far, times=50) == [UNSURE, UNSURE, *[HELD] * 48]
    # Nor is what goes on from there, until the arm is back.
    assert AWAY not in take(made, (REACH + 0.1, 0.0), times=50)
    take(made, (0.0, 0.0), times=3)
    assert take(made, (0.1, 0.0), times=3)[-1] == AWAY


def test_positions_that_stand_still_off_the_reference_are_told_but_not_followed():
    made = known()
    made.leave((0.3, 0.0))
    assert take(made, (0.3, 0.0), (0.5, 0.0), times=50) == [HELD] * 50
    assert made.unchanged((0.5, 0.0)) == [(0, pytest.approx(0.2))]
    # Alive, but not moved away.
    assert take(made, (0.3001, 0.0), (0.5, 0.0), times=50) == [HELD] * 50
    assert made.unchanged((0.5, 0.0)) == []


def test_one_joint_that_has_not_moved_keeps_all_where_they_are():
    made = known()
    made.leave((0.3, 0.0))
    take(made, (0.3, 0.0), (0.5, 0.0))
    assert AWAY not in take(made, (0.3, 0.1), (0.5, 0.0), times=50)


def test_a_hold_begins_where_the_arm_is_after_it_was_commanded():
    made = known()
    made.leave((1.0, 0.0))
    made.leave(None)
    assert take(made, (1.0, 0.0), (1.0, 0.0)) == [HELD]
    assert take(made, (1.05, 0.0), (1.0, 0.0), times=3) == [HELD, HELD, AWAY]


def test_an_arm_that_is_placed_between_braking_and_the_hold_has_changed():
    made = known()
    made.leave((0.5, 0.0))
    assert take(made, (0.1, 0.0), (0.5, 0.0), times=3) == [UNSURE, UNSURE, HELD]
    assert made.unchanged((0.5, 0.0)) == []


def test_what_was_forgotten_has_to_persist_again():
    made = known()
    made.forget()
    assert take(made, (1.0, 0.0), times=2) == [UNSURE, UNSURE]


@settings(max_examples=200, deadline=None)
@given(
    wrong=st.lists(st.tuples(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0)), min_size=1, max_size=40),
    rest=st.booleans(),
)
def test_no_row_of_wrong_positions_ever_counts_where_right_ones_come_between(wrong, rest):
    made = known()
    for position in wrong:
        for one in (position, (0.0, 0.0)):
            assert not made.take(one, (0.0, 0.0), at_rest=rest).away
