"""One line of the results: the scores of both sides over seeds, their means and intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.comparison import Row

TOLERANCE = 0.1
"""Share of the range from random to solved that our mean may stay below the peer's."""

# Two-sided 95 % quantiles of Student's t by degrees of freedom, 1 to 9.
_T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True, kw_only=True)
class Score:
    """Final scores of one algorithm on one task.

    Attributes:
        what: names algorithm, task and peer; unique in a report.
        unit: of the scores.
        env_steps: of training, on both sides.
        random: score of random actions.
        solved: score from which the task counts as solved.
        ours: one score for each seed, at least one.
        peer: likewise, or the one score of an exact solution.
        notes: sentences for the reader.
    """

    HEADER: ClassVar = ("what", "steps", "random", "solved", "ours", "peer", "least", "met")

    what: str
    unit: str
    env_steps: int
    random: float
    solved: float
    ours: Sequence[float]
    peer: Sequence[float]
    notes: tuple[str, ...] = ()

    def least(self) -> float:
        """Return the smallest mean of ours that meets the goal.

        It is the peer's mean less `TOLERANCE`, and the solved score where the peer reaches it.
        """
        peer = statistics.fmean(self.peer)
        allowed = peer - TOLERANCE * (self.solved - self.random)
        return max(allowed, self.solved) if peer >= self.solved else allowed

    def met(self) -> bool:
        """Say whether our mean is high enough."""
        return statistics.fmean(self.ours) >= self.least()

    def row(self) -> Row:
        """Return the line of `report.json`; ours and peer are means."""
        return Row(
            what=self.what,
            ours=statistics.fmean(self.ours),
            peer=statistics.fmean(self.peer),
            unit=self.unit,
            ratio=None,
            goal=self.least(),
            met=self.met(),
        )

    def detail(self) -> dict[str, object]:
        """Return what stands behind the line."""
        return {
            "what": self.what,
            "goal_is": f"mean of ours ≥ {self.least():.4g}",
            "env_steps": self.env_steps,
            "random": self.random,
            "solved": self.solved,
            "ours_samples": list(self.ours),
            "peer_samples": list(self.peer),
            "ours_ci95": list(interval(self.ours)),
            "peer_ci95": list(interval(self.peer)),
            "notes": list(self.notes),
        }

    def cells(self) -> list[str]:
        """Return the texts of a table's line, as in `HEADER`."""
        return [
            self.what,
            f"{self.env_steps:,}",
            f"{self.random:.4g}",
            f"{self.solved:.4g}",
            _shown(self.ours),
            _shown(self.peer),
            f"{self.least():.4g}",
            "yes" if self.met() else "no",
        ]

    def verdict(self) -> str:
        """Return a sentence for the head of a page."""
        return f"{self.what}: {_shown(self.ours)}, at least {self.least():.4g} wanted"


def interval(scores: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean by Student's t; of one score, that score twice."""
    mean, count = statistics.fmean(scores), len(scores)
    if count < 2:
        return mean, mean
    # Beyond ten seeds the last quantile is a little wide, which errs on the honest side.
    quantile = _T_95[min(count - 2, len(_T_95) - 1)]
    half = quantile * statistics.stdev(scores) / math.sqrt(count)
    return mean - half, mean + half


def _shown(scores: Sequence[float]) -> str:
    low, high = interval(scores)
    mean = f"{statistics.fmean(scores):.4g}"
    return f"{mean} [{low:.4g}, {high:.4g}]" if len(scores) > 1 else mean
