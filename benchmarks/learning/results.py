"""`docs/results.md` from a report: `python -m benchmarks.learning.results runs/bench-learning`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sinew_core.errors import RunError, SinewError
from sinew_core.files import write_atomically

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results.md"
BEGIN, END = "<!-- results -->\n", "<!-- end -->"
HEADER = "| what | steps | seeds | random | solved | ours | peer | least | met |"


def table(report: Mapping[str, Any]) -> str:
    """Return the Markdown table of a report of `bench learning`."""
    rows = [HEADER, "|" + "---|" * (HEADER.count("|") - 1)]
    for row, detail in zip(report["rows"], report["details"], strict=True):
        seeds = len(detail["ours_samples"])
        cells = [
            row["what"],
            f"{detail['env_steps']:,}",
            str(seeds),
            f"{detail['random']:.4g}",
            f"{detail['solved']:.4g}",
            _mean(row["ours"], detail["ours_ci95"], seeds),
            _mean(row["peer"], detail["peer_ci95"], seeds),
            f"{row['goal']:.4g}",
            "yes" if row["met"] else "no",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def updated(text: str, report: Mapping[str, Any]) -> str:
    """Return a document with the table of a report between its marks.

    Raises:
        RunError: the document has no marks.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise RunError(f"no table stands between {BEGIN.strip()} and {END}: put the marks there")
    return f"{before}{begin}{table(report)}{end}{after}"


def main(argv: Sequence[str]) -> int:
    """Update the document by the report in a folder."""
    try:
        report = json.loads((Path(argv[0]) / "report.json").read_text(encoding="utf-8"))
        write_atomically(RESULTS, updated(RESULTS.read_text(encoding="utf-8"), report))
    except (OSError, SinewError) as error:
        sys.stderr.write(f"results: {error}\n")
        return 1
    return 0


def _mean(mean: float, ci95: Sequence[float], seeds: int) -> str:
    return f"{mean:.4g} [{ci95[0]:.4g}, {ci95[1]:.4g}]" if seeds > 1 else f"{mean:.4g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
