"""One line of a benchmark: the samples of both sides, their medians, the ratio and the goal."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypedDict

Sample = float | None
"""A measured value; None where the limit came first."""


class Row(TypedDict):
    """A line of `report.json`; ours and peer are medians, None where there is none."""

    what: str
    ours: float | None
    peer: float | None
    unit: str
    ratio: float | None
    goal: float | None
    met: bool | None


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound for the ratio, or for ours where there is no peer."""

    bound: float
    at_most: bool = False

    def holds(self, value: float) -> bool:
        """Say whether a value is within the bound."""
        return value <= self.bound if self.at_most else value >= self.bound

    def __str__(self) -> str:
        """Return the bound as a report shows it."""
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Samples of ours and of the peer, taken alternately; or of ours alone.

    Attributes:
        what: names the measurement and the peer; unique in a report.
        unit: of the samples.
        ours: at least one sample.
        peer: at least one sample; empty where there is no peer.
        goal: for the ratio, or for the median of ours where there is no peer; None for a line that
            only informs.
        goal_is_for_ours: whether the goal bounds the median of ours beside a peer, too.
        speed_up: whether the ratio is peer / ours, for times that should be many times shorter;
            otherwise it is ours / peer.
        limit: what a sample without a value reached at least, in `unit`.
        notes: sentences for the reader; equal ones of several comparisons are shown once.
    """

    HEADER: ClassVar = ("what", "ours", "peer", "unit", "ratio", "goal", "met")

    what: str
    unit: str
    ours: Sequence[Sample]
    peer: Sequence[Sample] = ()
    goal: Goal | None = None
    goal_is_for_ours: bool = False
    speed_up: bool = False
    limit: float | None = None
    notes: tuple[str, ...] = ()

    def ratio(self) -> float | None:
        """Return the ratio of the medians; against an unfinished peer, its lower bound.

        There is none without a peer, and none to zero.
        """
        ours, peer = median(self.ours), median(self.peer)
        if peer is None and self.peer and self.speed_up:
            peer = self.limit
        if ours is None or peer is None:
            return None
        above, below = (peer, ours) if self.speed_up else (ours, peer)
        return above / below if below != 0.0 else None

    def met(self) -> bool | None:
        """Say whether the goal is met; ours must have finished every time."""
        if self.goal is None:
            return None
        by_ratio = bool(self.peer) and not self.goal_is_for_ours
        judged = self.ratio() if by_ratio else median(self.ours)
        return judged is not None and None not in self.ours and self.goal.holds(judged)

    def row(self) -> Row:
        """Return the line of `report.json`."""
        return Row(
            what=self.what,
            ours=median(self.ours),
            peer=median(self.peer),
            unit=self.unit,
            ratio=self.ratio(),
            goal=None if self.goal is None else self.goal.bound,
            met=self.met(),
        )

    def detail(self) -> dict[str, object]:
        """Return what stands behind the line."""
        return {
            "what": self.what,
            "ratio_is": ("peer / ours" if self.speed_up else "ours / peer") if self.peer else None,
            "goal_is": None if self.goal is None else str(self.goal),
            "ours_samples": list(self.ours),
            "peer_samples": list(self.peer),
            "limit": self.limit,
            "notes": list(self.notes),
        }

    def cells(self) -> list[str]:
        """Return the texts of a table's line, as in `HEADER`."""
        bounded = bool(self.peer) and median(self.peer) is None and self.speed_up
        ratio = self.ratio()
        met = self.met()
        return [
            self.what,
            self._shown(self.ours),
            self._shown(self.peer),
            self.unit,
            "-" if ratio is None else f"{'> ' if bounded else ''}{ratio:.2f}",
            "-" if self.goal is None else str(self.goal),
            "-" if met is None else "yes" if met else "no",
        ]

    def verdict(self) -> str:
        """Return a sentence for the head of a page."""
        shown = self.cells()
        by_ratio = bool(self.peer) and not self.goal_is_for_ours
        judged = shown[4] if by_ratio else f"{shown[1]} {self.unit}"
        return f"{self.what}: {judged}, goal {shown[5]}"

    def _shown(self, samples: Sequence[Sample]) -> str:
        if not samples:
            return "-"
        value = median(samples)
        missed = sum(sample is None for sample in samples)
        text = f"not reached in {self.limit:g}" if value is None else significant(value)
        return f"{text} ({missed} of {len(samples)} missed)" if missed else text


def median(samples: Sequence[Sample]) -> Sample:
    """Return the median, a missed sample counting as infinite; None if that is what it is.

    Of no samples it is None, too.
    """
    if not samples:
        return None
    value = statistics.median(math.inf if s is None else s for s in samples)
    return value if math.isfinite(value) else None


def significant(value: float) -> str:
    """Return a number with three significant digits, without an exponent."""
    digits = 2 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def alternate(
    ours: Callable[[], float],
    peer: Callable[[], float],
    repeats: int,
) -> tuple[list[float], list[float]]:
    """Measure both sides in turn, so that a change of the machine's speed meets both.

    The side that goes first changes from repeat to repeat.
    """
    samples: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats):
        for side in (0, 1) if repeat % 2 == 0 else (1, 0):
            samples[side].append((ours, peer)[side]())
    return samples
