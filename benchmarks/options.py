"""What the command line asks of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Options:
    """How thoroughly to measure, and where the reports go.

    Attributes:
        quick: few repeats, for a rough look.
        seeds: training runs of each side.
        given_seeds: the same where the command line says it; 0: as the benchmark wants.
        only: part of the names of what to measure, where a benchmark has parts; empty: all.
        output: folder of the reports.
    """

    quick: bool = False
    seeds: int = 5
    given_seeds: int = 0
    only: str = ""
    output: Path = Path("runs")

    def to_mapping(self) -> dict[str, object]:
        """Return plain values for the report."""
        return {"quick": self.quick, "seeds": self.seeds, "only": self.only}
