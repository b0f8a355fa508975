"""Cut a recorded deployment into episodes: from a target, or from arming, to what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sinew_core.bags.storage import Integers

NEXT_TARGET = "the next target came"
DISARMED = "the filter was disarmed"
CLOCK = "the clock jumped, or joint states are missing"
END = "the recording ended"
BEGAN_BEFORE = "it began before the recording"

_AT_ONCE_NS = 500_000_000
"""A target that comes so soon after the first state, to an armed arm, may well be an older one."""

_ARMED, _BRAKING = "armed", "braking"
_BY_AN_OPERATOR = ("disarmed", "cleared", "")
"""Reasons of a filter that stopped because it was told to."""


class Place(NamedTuple):
    """A target, or a pose of the object.

    Attributes:
        log_ns: when it was recorded.
        stamp_ns: of the header, 0 where it has none.
        position_m: (3,) in the base frame.
    """

    log_ns: int
    stamp_ns: int
    position_m: tuple[float, float, float]


class FilterReport(NamedTuple):
    """One report of the safety filter: its state, and joint commands changed since it started."""

    log_ns: int
    state: str
    reason: str
    interventions: int


class Segment(NamedTuple):
    """States in which one target was in force and the filter armed.

    Attributes:
        begin, end: indices of the first and the last state.
        target_m: (3,) in the base frame.
        ending: what ended it.
        fault: whether that was the filter, by itself.
    """

    begin: int
    end: int
    target_m: tuple[float, float, float]
    ending: str
    fault: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeline:
    """When joint states were recorded and what they say of time, (N,) each."""

    log_ns: Integers
    stamp_ns: Integers
    epoch: Integers

    def first_after(self, log_ns: int) -> int:
        """Return the index of the first state that was recorded later."""
        return int(np.searchsorted(self.log_ns, log_ns, side="right"))

    def index_of(self, place: Place) -> int:
        """Return the index of the state that a target belongs to.

        That is the one of the same stamp, if there is one, and of several the one that was recorded
        at the nearest time; else the first that was recorded with it or later.
        """
        same = np.flatnonzero(self.stamp_ns == place.stamp_ns) if place.stamp_ns else ()
        if len(same):
            apart = np.abs(self.log_ns[same] - place.log_ns)
            return int(same[int(np.argmin(apart))])
        return int(np.searchsorted(self.log_ns, place.log_ns, side="left"))


class _Cutter:
    """Takes targets and reports in the order of recording and keeps the segments."""

    def __init__(self, timeline: Timeline, *, armed: bool, lockstep: bool) -> None:
        self._timeline, self._lockstep = timeline, lockstep
        self._armed = armed
        self._target: tuple[float, float, float] | None = None
        self._begin: int | None = None
        self._braking_from: int | None = None
        self.segments: list[Segment] = []

    def target(self, place: Place) -> None:
        """Begin a segment at each target that is not the one in force."""
        if place.position_m == self._target:
            return
        index = self._timeline.index_of(place)
        self._close(index, NEXT_TARGET)
        self._target = place.position_m
        if self._armed and self._braking_from is None:
            self._begin = index

    def report(self, report: FilterReport) -> None:
        """Begin at arming, end at a fault or at disarming; braking belongs to what it ends in."""
        after = self._timeline.first_after(report.log_ns)
        if report.state == _ARMED:
            if not self._armed and self._target is not None:
                # A world in lockstep stands at its last state until the filter answers it.
                self._begin = max(after - 1, 0) if self._lockstep else after
            self._armed, self._braking_from = True, None
        elif report.state == _BRAKING:
            self._braking_from = after if self._braking_from is None else self._braking_from
        elif self._armed:
            if report.reason in _BY_AN_OPERATOR:
                braking_from = after if self._braking_from is None else self._braking_from
                self._close(braking_from - 1, DISARMED)
            else:
                self._close(after - 1, report.reason, fault=True)
            self._armed, self._braking_from = False, None

    def finish(self) -> None:
        """End the last segment."""
        self._close(len(self._timeline.log_ns) - 1, END)

    def _close(self, end: int, ending: str, *, fault: bool = False) -> None:
        begin, self._begin = self._begin, None
        end = min(end, len(self._timeline.log_ns) - 1)
        if begin is None or self._target is None or begin > end:
            return
        epoch = self._timeline.epoch[begin : end + 1]
        same = int(np.argmax(epoch != epoch[0])) or epoch.size
        if same < epoch.size:
            end, ending, fault = begin + same - 1, CLOCK, False
        self.segments.append(Segment(begin, end, self._target, ending, fault))


def cut_segments(
    timeline: Timeline,
    targets: Sequence[Place],
    reports: Sequence[FilterReport],
    *,
    lockstep: bool,
    from_start: bool = False,
) -> list[Segment]:
    """Return the segments of a recording in their order; the last state of one may begin the next.

    A segment begins at a target that differs from the one before, once the filter is armed, and at
    each arming. It ends at the next target, at a fault, a disarming, a jump of the clock or the end
    of the recording, whichever comes first. Without any report the filter counts as armed; before
    the first one it counts as what that says. A first segment that seems to have begun before the
    recording ends in that, and is not to be judged.

    Args:
        timeline: of N joint states.
        targets: in the order of recording.
        reports: in the order of recording.
        lockstep: whether the arm stood still while nodes answered.
        from_start: whether an arm that is armed from the first report on got its target then.
    """
    armed = not reports or reports[0].state == _ARMED
    cutter = _Cutter(timeline, armed=armed, lockstep=lockstep)
    events: list[tuple[int, int, Place | FilterReport]] = [
        *((place.log_ns, 0, place) for place in targets),
        *((report.log_ns, 1, report) for report in reports),
    ]
    for _, _, event in sorted(events, key=lambda each: each[:2]):
        if isinstance(event, Place):
            cutter.target(event)
        else:
            cutter.report(event)
    cutter.finish()
    first_ns = int(timeline.log_ns[0]) if len(timeline.log_ns) else 0
    soon = bool(targets) and targets[0].log_ns - first_ns < _AT_ONCE_NS
    if cutter.segments and reports and armed and soon and not from_start:
        cutter.segments[0] = cutter.segments[0]._replace(ending=BEGAN_BEFORE, fault=False)
    return cutter.segments
