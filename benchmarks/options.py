"""What the command line asks of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Options:
    """How thoroughly to measure, and where the reports go."""

    quick: bool = False
    seeds: int = 5
    output: Path = Path("runs")

    def to_mapping(self) -> dict[str, object]:
        """Return plain values for the report."""
        return {"quick": self.quick, "seeds": self.seeds}
