"""The joint states of a recorded deployment, as a node would have merged them, jumps included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sinew_core.bags.joint_states import NS_PER_S, JointStates
from sinew_core.bags.storage import Integers
from sinew_core.joint_mapper import JointMapper
from sinew_core.robots.arrays import Array

JUMP_NS = 3 * NS_PER_S // 2
"""Stamps further apart than so much have a jump of the clock, or a long gap, between them.

A simulated arm's reset takes its clock forward by up to a second and a period.
"""
_LATE_NS = NS_PER_S // 10
"""Stamps that go back by up to so much came late; by more, the clock was set back."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedStates:
    """N states of n joints in the order in which they were recorded.

    Attributes:
        log_ns: (N,) when each was recorded, not decreasing.
        stamp_ns: (N,) of the header; increasing within an epoch.
        epoch: (N,) counts jumps of the clock and gaps of more than 1.5 s.
        repeats: (N,) how often each was sent again.
        position, velocity, effort: (N, n) rad, rad/s, N m.
        has_effort: whether any effort was measured.
        foreign: messages without a position of these joints.
        late: messages left out because a later one had come before.
        clock_jumps: times the clock was set back, or forward by more than 1.5 s.
        differentiated: states with velocities that are differences of positions.
        unstamped: whether the messages carry no stamps, so that log times stand for them.
    """

    log_ns: Integers
    stamp_ns: Integers
    epoch: Integers
    repeats: Integers
    position: Array
    velocity: Array
    effort: Array
    has_effort: bool
    foreign: int
    late: int
    clock_jumps: int
    differentiated: int
    unstamped: bool

    @property
    def count(self) -> int:
        """How many states there are."""
        return int(self.stamp_ns.size)

    @property
    def period_ns(self) -> int:
        """Median period by the stamps, 0 for fewer than two states."""
        steps = np.diff(self.stamp_ns)[np.diff(self.epoch) == 0] if self.count > 1 else []
        return round(float(np.median(steps))) if len(steps) else 0


class _Row(NamedTuple):
    """One message."""

    log_ns: int
    stamp_ns: int
    names: tuple[str, ...]
    position: Sequence[float]
    velocity: Sequence[float]
    effort: Sequence[float]


class _Merger:
    """Takes the messages in turn and keeps a row whenever all joints are known anew."""

    def __init__(self, joint_names: Sequence[str]) -> None:
        self._mapper = JointMapper(joint_names)
        self._joints = set(joint_names)
        self._last_ns: int | None = None
        self._complete_ns = 0
        self._epoch = 0
        self.rows: list[tuple[int, int, int]] = []
        self.values: list[tuple[list[float], list[float], list[float]]] = []
        self.repeats: list[int] = []
        self.foreign = self.late = self.clock_jumps = self.differentiated = 0

    def take(self, row: _Row) -> None:
        if self._joints.isdisjoint(row.names):
            self.foreign += 1
            return
        if self._last_ns is not None and not self._goes_on(row.stamp_ns - self._last_ns):
            return
        mapper = self._mapper
        if not mapper.merge(row.stamp_ns, row.names, row.position, row.velocity, row.effort):
            self.foreign += 1
            return
        self._last_ns = row.stamp_ns
        oldest_ns = min(mapper.updated_ns)
        if not oldest_ns:
            return
        if oldest_ns > self._complete_ns:
            self._complete_ns = oldest_ns
            self.rows.append((row.log_ns, row.stamp_ns, self._epoch))
            self.values.append((mapper.position[:], mapper.velocity[:], mapper.effort[:]))
            self.repeats.append(0)
            self.differentiated += not self._has_velocity(row)
        elif self._joints <= set(row.names):
            self.repeats[-1] += 1

    def _goes_on(self, step_ns: int) -> bool:
        """Notice a jump of the clock; return False for a message that came late."""
        if -_LATE_NS <= step_ns < 0:
            self.late += 1
            return False
        if step_ns < 0 or step_ns > JUMP_NS:
            self.clock_jumps += 1
            self._epoch += 1
            self._mapper.forget()
            self._complete_ns = 0
        return True

    def _has_velocity(self, row: _Row) -> bool:
        if len(row.velocity) != len(row.names):
            return False
        pairs = zip(row.names, row.velocity, strict=True)
        return all(np.isfinite(value) for name, value in pairs if name in self._joints)


def merge_states(kinds: Sequence[JointStates], joint_names: Sequence[str]) -> RecordedStates:
    """Return the states of n joints from all messages of a topic, merged as nodes merge them.

    Extra joints, any order and messages with a part of the joints are allowed. Velocities that are
    missing or no numbers are differences of positions.

    Args:
        kinds: what `read_joint_states` returns.
        joint_names: the n joints as the messages name them.
    """
    unstamped = not any(kind.stamp_ns.any() for kind in kinds)
    merger = _Merger(joint_names)
    for row in _in_order(kinds, unstamped=unstamped):
        merger.take(row)
    n, columns = len(joint_names), np.array(merger.rows, np.int64).reshape(-1, 3)
    values = [np.array(v, np.float64).reshape(-1, n) for v in zip(*merger.values, strict=True)]
    position, velocity, effort = values or [np.empty((0, n))] * 3
    return RecordedStates(
        log_ns=np.maximum.accumulate(columns[:, 0]),
        stamp_ns=columns[:, 1],
        epoch=columns[:, 2],
        repeats=np.array(merger.repeats, np.int64),
        position=position,
        velocity=velocity,
        effort=effort,
        has_effort=any(_measures_effort(kind, joint_names) for kind in kinds),
        foreign=merger.foreign,
        late=merger.late,
        clock_jumps=merger.clock_jumps,
        differentiated=merger.differentiated,
        unstamped=unstamped,
    )


def _in_order(kinds: Sequence[JointStates], *, unstamped: bool) -> Iterator[_Row]:
    """Return all messages in the order of their log times."""
    order = sorted(
        (log_ns, index, k, row)
        for k, kind in enumerate(kinds)
        for row, (log_ns, index) in enumerate(
            zip(kind.log_ns.tolist(), kind.index.tolist(), strict=True)
        )
    )
    columns = [
        [getattr(kind, name).tolist() for name in ("stamp_ns", "position", "velocity", "effort")]
        for kind in kinds
    ]
    for log_ns, _, k, row in order:
        stamp_ns, position, velocity, effort = (column[row] for column in columns[k])
        yield _Row(
            log_ns, log_ns if unstamped else stamp_ns, kinds[k].names, position, velocity, effort
        )


def _measures_effort(kind: JointStates, joint_names: Sequence[str]) -> bool:
    columns = [i for i, name in enumerate(kind.names) if name in joint_names]
    if kind.effort.shape[1] != len(kind.names) or not columns:
        return False
    return bool(np.isfinite(kind.effort[:, columns]).any())
