"""One line of a benchmark without a peer: samples that all have to be within a bound."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from benchmarks.comparison import Row, Sample, significant

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OURS, _BOUND = "#1f6feb", "#cf222e"


@dataclass(frozen=True, kw_only=True)
class Bounded:
    """Samples of one quantity and the largest value allowed.

    Attributes:
        what: names the measurement; unique in a report.
        unit: of samples and bound.
        samples: at least one; None where it failed, which is outside every bound.
        bound: the largest value allowed.
        notes: sentences for the reader.
    """

    HEADER: ClassVar = ("what", "min", "median", "max", "unit", "bound", "inside")

    what: str
    unit: str
    samples: Sequence[Sample]
    bound: float
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> list[float]:
        """The samples that have a value."""
        return [s for s in self.samples if s is not None]

    def inside(self) -> int:
        """Return how many samples are within the bound."""
        return sum(s <= self.bound for s in self.finished)

    def met(self) -> bool:
        """Say whether every sample is within the bound."""
        return self.inside() == len(self.samples)

    def row(self) -> Row:
        """Return the line of `report.json`; ours is the largest sample, None where one failed."""
        complete = len(self.finished) == len(self.samples)
        return Row(
            what=self.what,
            ours=max(self.finished) if complete else None,
            peer=None,
            unit=self.unit,
            ratio=None,
            goal=self.bound,
            met=self.met(),
        )

    def detail(self) -> dict[str, object]:
        """Return what stands behind the line."""
        return {
            "what": self.what,
            "goal_is": f"every sample ≤ {self.bound:g} {self.unit}",
            "ours_samples": list(self.samples),
            "notes": list(self.notes),
        }

    def cells(self) -> list[str]:
        """Return the texts of a table's line, as in `HEADER`."""
        done = self.finished
        figures = (min(done), statistics.median(done), max(done)) if done else ()
        return [
            self.what,
            *([significant(f) for f in figures] or ["-"] * 3),
            self.unit,
            f"≤ {self.bound:g}",
            f"{self.inside()} of {len(self.samples)}",
        ]

    def verdict(self) -> str:
        """Return a sentence for the head of a page."""
        return (
            f"{self.what}: {self.inside()} of {len(self.samples)} within {self.bound:g} {self.unit}"
        )


def bounds_figure(lines: Sequence[Bounded]) -> Figure:
    """Return all samples beside their bounds, one panel for each unit; zeros need linear axes."""
    from matplotlib.figure import Figure

    units = list(dict.fromkeys(line.unit for line in lines))
    groups = [[line for line in lines if line.unit == unit] for unit in units]
    figure = Figure(figsize=(8.6, 0.8 * len(units) + 0.35 * len(lines)), layout="constrained")
    panels = figure.subplots(
        len(units), 1, squeeze=False, gridspec_kw={"height_ratios": [len(g) + 1 for g in groups]}
    )[:, 0]
    for axis, unit, group in zip(panels, units, groups, strict=True):
        for place, line in enumerate(group):
            done = line.finished
            axis.plot(done, [place] * len(done), "|", color=_OURS, markersize=9)
            axis.plot([line.bound], [place], "D", color=_BOUND, markersize=4)
            if done:
                axis.plot([statistics.median(done)], [place], "o", color=_OURS, markersize=5)
        if all(min([line.bound, *line.finished]) > 0.0 for line in group):
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter("{x:g}")
        axis.set_yticks(range(len(group)), [line.what for line in group], fontsize=8)
        axis.set_ylim(len(group) - 0.5, -0.5)
        axis.set_xlabel(unit)
        axis.grid(axis="x", alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle("samples blue, the dot their median; bounds red", fontsize=10)
    return figure
