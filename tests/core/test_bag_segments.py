"""How a recording is cut into episodes: what always holds, and cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.deployment.bag_segments import (
    CLOCK,
    DISARMED,
    END,
    NEXT_TARGET,
    FilterReport,
    Place,
    Segment,
    Timeline,
    cut_segments,
)

MS = 1_000_000
A, B = (0.4, 0.0, 0.5), (0.5, 0.1, 0.4)
STATES = ("armed", "braking", "disarmed", "latched")
REASONS = ("", "disarmed", "cleared", "command is stale")


def timeline(n=100, jump_at=()):
    """States each 10 ms, recorded 1 ms after their stamps from 10 ms on; an epoch at each jump."""
    stamps = 10 * MS * np.arange(1, n + 1)
    epoch = np.searchsorted(np.array(sorted(jump_at)), np.arange(n), side="right")
    return Timeline(log_ns=stamps + MS, stamp_ns=stamps, epoch=epoch.astype(np.int64))


def report(at_ms, state, reason=""):
    return FilterReport(at_ms * MS, state, reason, 0)


def stamped(index, position=A, late_ms=2):
    """A target with the stamp of a state."""
    return Place((10 * (index + 1) + late_ms) * MS, 10 * (index + 1) * MS, position)


def cut(targets, reports=(), n=100, jump_at=(), lockstep=False):
    return cut_segments(timeline(n, jump_at), targets, reports, lockstep=lockstep)


def test_a_target_with_the_stamp_of_a_state_begins_at_it():
    assert cut([stamped(20)]) == [Segment(20, 99, A, END)]


def test_a_target_without_a_stamp_begins_at_the_next_state():
    # The state of index 20 is recorded at 211 ms, that of 21 at 221 ms.
    assert cut([Place(212 * MS, 0, A)]) == [Segment(21, 99, A, END)]


def test_targets_follow_each_other_and_share_a_state():
    assert cut([stamped(20), stamped(50, B)]) == [
        Segment(20, 50, A, NEXT_TARGET),
        Segment(50, 99, B, END),
    ]


@pytest.mark.parametrize(("lockstep", "begin"), [(False, 41), (True, 40)])
def test_arming_begins_with_the_target_in_force(lockstep, begin):
    # The state of index 40 is recorded at 411 ms: in lockstep the world still stands at it.
    reports = [report(100, "disarmed"), report(412, "armed")]
    assert cut([stamped(20)], reports, lockstep=lockstep) == [Segment(begin, 99, A, END)]


def test_braking_belongs_to_the_disarming_that_it_ends_in():
    # The state of index 49 is recorded at 501 ms, that of 69 at 701 ms.
    reports = [report(1, "disarmed"), report(100, "armed"), report(505, "braking", "disarmed")]
    reports.append(report(705, "disarmed", "disarmed"))
    assert cut([stamped(20)], reports) == [Segment(20, 49, A, DISARMED)]


def test_braking_belongs_to_the_fault_that_it_ends_in():
    reports = [report(1, "disarmed"), report(100, "armed"), report(505, "braking", "stale")]
    reports.append(report(705, "latched", "stale"))
    assert cut([stamped(20)], reports) == [Segment(20, 69, A, "stale", fault=True)]


def test_a_jump_of_the_clock_ends_a_segment():
    assert cut([stamped(20)], jump_at=[60]) == [Segment(20, 59, A, CLOCK)]


def test_of_several_states_with_a_stamp_the_nearest_in_time_counts():
    times = timeline(40)
    again = np.concatenate([times.stamp_ns[:20], times.stamp_ns[:20]])
    jumped = Timeline(log_ns=times.log_ns, stamp_ns=again, epoch=np.repeat([0, 1], 20))
    assert jumped.index_of(Place(312 * MS, int(again[5]), A)) == 25


places = st.builds(
    lambda at_ms, known, position: Place(at_ms * MS, 10 * (at_ms // 10) * MS * known, position),
    st.integers(0, 1100),
    st.booleans(),
    st.sampled_from([A, B]),
)
reports_ = st.builds(
    report, st.integers(0, 1100), st.sampled_from(STATES), st.sampled_from(REASONS)
)
in_order = lambda each: st.lists(each, max_size=12).map(  # noqa: E731
    lambda found: sorted(found, key=lambda event: event.log_ns)
)


@settings(max_examples=80)
@given(
    in_order(places), in_order(reports_), st.lists(st.integers(0, 99), max_size=3), st.booleans()
)
def test_segments_are_in_order_and_each_is_of_one_epoch_and_target(targets, reports, jumps, step):
    times = timeline(jump_at=jumps)
    found = cut_segments(times, targets, reports, lockstep=step)
    for segment in found:
        assert 0 <= segment.begin <= segment.end < 100
        assert len(set(times.epoch[segment.begin : segment.end + 1].tolist())) == 1
        assert segment.target_m in {place.position_m for place in targets}
        assert not segment.fault or segment.ending in REASONS[3:]
    assert len(found) <= len(targets) + len(reports)


@settings(max_examples=80)
@given(in_order(places), in_order(reports_), st.booleans())
def test_a_target_that_is_sent_again_and_again_changes_nothing(targets, reports, lockstep):
    again = [place for target in targets for place in (target, target)]
    assert cut(again, reports, lockstep=lockstep) == cut(targets, reports, lockstep=lockstep)


@settings(max_examples=80)
@given(in_order(places), in_order(reports_), st.integers(-(10**18), 10**18))
def test_when_it_was_recorded_does_not_matter(targets, reports, shift_ns):
    times = timeline()
    moved = Timeline(log_ns=times.log_ns + shift_ns, stamp_ns=times.stamp_ns, epoch=times.epoch)
    found = cut_segments(
        moved,
        [place._replace(log_ns=place.log_ns + shift_ns) for place in targets],
        [each._replace(log_ns=each.log_ns + shift_ns) for each in reports],
        lockstep=False,
    )
    assert found == cut(targets, reports)
