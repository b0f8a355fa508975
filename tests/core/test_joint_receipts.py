"""Which joint has been silent for longest, whatever the clocks of those who send say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.joint_mapper import JointMapper, JointReceipts
from sinew_core.safety.supervisor import State
from supervised_world import MS, NAMES, PERIOD, World

S = 1000 * MS
HOUR = 3600 * S
ARM, WRIST = NAMES[:6], NAMES[6:]


class Halves:
    """An arm whose last joint is reported by a publisher with a clock of its own."""

    def __init__(self):
        self.world = World()
        self.mapper, self.receipts = JointMapper(NAMES), JointReceipts(len(NAMES))
        self.arm_clock_ns = self.wrist_clock_ns = 10 * HOUR

    def report(self, names, clock_ns, position=None):
        world = self.world
        index = [NAMES.index(name) for name in names]
        position = [world.position[i] for i in index] if position is None else position
        self.mapper.merge(world.now + clock_ns, names, position, [0.0] * len(index), [])
        heard_ns = self.receipts.take(world.now, self.mapper.updated_ns)
        if self.mapper.complete:
            oldest_ns = min(self.mapper.updated_ns)
            world.supervisor.observe(heard_ns, oldest_ns, world.position, [0.0] * len(NAMES))

    def run(self, cycles, wrist="reports"):
        """Report both halves in each cycle, the wrist "reports", is "silent" or "no number"."""
        for _ in range(cycles):
            self.world.now += PERIOD
            self.report(ARM, self.arm_clock_ns)
            if wrist != "silent":
                value = [math.nan] if wrist == "no number" else None
                self.report(WRIST, self.wrist_clock_ns, value)
            self.world.supervisor.cycle(self.world.now)

    def armed(self):
        self.run(5)
        assert self.world.supervisor.arm(self.world.now) == ""
        self.run(50)
        assert self.world.supervisor.state is State.ARMED
        return self


def set_both(halves, step_ns):
    halves.arm_clock_ns += step_ns
    halves.wrist_clock_ns += step_ns


@pytest.mark.parametrize("wrist", ["silent", "no number"])
@pytest.mark.parametrize("ahead_ns", [-60 * S, -5 * MS, 0, 5 * MS, 60 * S])
def test_a_silent_joint_is_stale_whatever_its_clock_is(ahead_ns, wrist):
    halves = Halves()
    halves.wrist_clock_ns += ahead_ns
    halves.armed().run(10, wrist=wrist)
    assert halves.world.supervisor.state is not State.ARMED
    assert "joint states are stale" in halves.world.supervisor.reason


@pytest.mark.parametrize("wrist", ["silent", "no number"])
@pytest.mark.parametrize("step_ns", [-HOUR, HOUR])
def test_a_joint_that_falls_silent_when_the_clock_is_set_is_stale(step_ns, wrist):
    halves = Halves().armed()
    set_both(halves, step_ns)
    halves.run(10, wrist=wrist)
    assert "joint states are stale" in halves.world.supervisor.reason


@pytest.mark.parametrize("step_ns", [-HOUR, HOUR])
def test_a_clock_that_is_set_changes_nothing_while_all_joints_report(step_ns):
    halves = Halves().armed()
    set_both(halves, step_ns)
    halves.run(50)
    assert halves.world.supervisor.state is State.ARMED


def test_a_joint_that_repeats_its_stamp_is_stale():
    halves = Halves()
    halves.wrist_clock_ns += 60 * S
    halves.armed()
    for _ in range(10):
        halves.wrist_clock_ns -= PERIOD
        halves.run(1)
    assert "joint states are stale" in halves.world.supervisor.reason


messages = st.lists(st.lists(st.integers(1, 4), min_size=3, max_size=3), max_size=20)


@given(messages)
def test_the_oldest_receipt_is_that_of_the_joint_whose_stamp_is_the_same_for_longest(stamps):
    receipts, known, received = JointReceipts(3), [0] * 3, [0] * 3
    for now_ns, updated_ns in enumerate(stamps, start=1):
        for i in range(3):
            if updated_ns[i] != known[i]:
                known[i], received[i] = updated_ns[i], now_ns
        assert receipts.take(now_ns, updated_ns) == min(received)


@given(messages, st.integers(0, 5))
def test_a_joint_is_late_when_another_was_heard_of_by_more_than_the_timeout_after_it(
    stamps, timeout_ns
):
    receipts, alone = JointReceipts(3), [JointReceipts(1) for _ in range(3)]
    for now_ns, updated_ns in enumerate(stamps, start=1):
        receipts.take(now_ns, updated_ns)
        heard = [one.take(now_ns, [stamp]) for one, stamp in zip(alone, updated_ns, strict=True)]
        late = [i for i in range(3) if max(heard) - heard[i] > timeout_ns]
        assert receipts.late(timeout_ns) == late
