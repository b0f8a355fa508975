"""The report of a benchmark, kept on disk from the first line on."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from benchmarks.bounded import Bounded, bounds_figure
from benchmarks.comparison import Comparison
from benchmarks.learning.score import Score
from sinew_core.errors import RunError
from sinew_core.files import write_atomically, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Line = Comparison | Bounded | Score
_OURS, _PEER = "#1f6feb", "#8c959f"


class Report:
    """Collects lines; each one is on disk as soon as it is put in."""

    def __init__(
        self,
        name: str,
        title: str,
        folder: Path,
        facts: Mapping[str, str],
        options: Mapping[str, object],
    ) -> None:
        """Create the folder and an empty report in it; an older report there is replaced.

        Raises:
            RunError: when the folder cannot be written.
        """
        self.folder = folder
        self._title = title
        self._facts = dict(facts)
        self._head = {
            "benchmark": name,
            "title": title,
            "started": datetime.datetime.now(tz=datetime.timezone.utc).isoformat(
                timespec="seconds"
            ),
            "options": dict(options),
        }
        self._lines: dict[str, Line] = {}
        self._figures: list[tuple[Figure, str]] = []
        self._complete = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._write()
        except OSError as error:
            raise RunError(
                f"{folder} cannot be written ({error.strerror}): choose another place with "
                "--output FOLDER"
            ) from None

    @property
    def lines(self) -> list[Line]:
        """The lines so far, in the order in which they first came."""
        return list(self._lines.values())

    @property
    def comparisons(self) -> list[Comparison]:
        """The lines that have a peer."""
        return [line for line in self.lines if isinstance(line, Comparison)]

    @property
    def bounded(self) -> list[Bounded]:
        """The lines that have a bound instead."""
        return [line for line in self.lines if isinstance(line, Bounded)]

    @property
    def scores(self) -> list[Score]:
        """The lines that compare scores over seeds."""
        return [line for line in self.lines if isinstance(line, Score)]

    def put(self, line: Line) -> None:
        """Add a line, or replace the one of the same measurement by one with more samples."""
        self._lines[line.what] = line
        self._write()

    def draw(self, name: str, figure: Figure, caption: str) -> None:
        """Show a figure on the page, and keep it as NAME.png."""
        self._figures.append((figure, caption))
        figure.savefig(self.folder / f"{name}.png", dpi=150)

    def finish(self, *, complete: bool) -> None:
        """Write the page; `complete` says whether every measurement was taken."""
        self._complete = complete
        self._write()
        write_atomically(self.folder / "report.html", self._page())

    def table(self) -> str:
        """Return the lines as text."""
        return "\n\n".join(text_table(*table) for table in self._tables())

    def _tables(self) -> list[tuple[Sequence[str], list[list[str]]]]:
        """Return header and cells, one table for each kind of line that there is."""
        kinds: tuple[Sequence[Line], ...] = (self.comparisons, self.bounded, self.scores)
        return [(lines[0].HEADER, [c.cells() for c in lines]) for lines in kinds if lines]

    def _write(self) -> None:
        content = {
            **self._head,
            "complete": self._complete,
            "machine": self._facts,
            "rows": [line.row() for line in self.lines],
            "details": [line.detail() for line in self.lines],
        }
        write_json(self.folder / "report.json", content)

    def _page(self) -> str:
        from sinew_core.report.page import Page

        page = Page(f"Benchmark: {self._head['benchmark']}", self._title)
        if not self._complete:
            page.verdict("interrupted: not every measurement was taken", good=False)
        for line in self.lines:
            if line.met() is not None:
                page.verdict(line.verdict(), good=bool(line.met()))
        page.section("Measured")
        for table in self._tables():
            page.table(*table)
        for note in dict.fromkeys(note for line in self.lines for note in line.notes):
            page.text(note)
        for figure, caption in self._figures:
            page.figure(figure, caption)
        sampled = [c for c in self.comparisons if len(c.ours) > 1 or len(c.peer) > 1]
        if sampled:
            page.figure(samples_figure(sampled), "every sample; the dot is the median")
        if self.bounded:
            page.figure(bounds_figure(self.bounded), "every sample beside its bound")
        page.section("Machine")
        page.table(("", ""), list(self._facts.items()))
        return page.html()


class Progress:
    """Tells what is being measured: one changing line on a terminal, lines elsewhere."""

    def __init__(self, name: str, total: int, stream: TextIO = sys.stderr) -> None:
        """Count up to `total` measurements."""
        self._name = name
        self._total = total
        self._done = 0
        self._stream = stream

    def start(self, what: str) -> None:
        """Say which measurement begins."""
        self._done += 1
        line = f"bench {self._name} [{self._done}/{self._total}] {what}"
        self._stream.write(f"\r\033[K{line[:110]}" if self._stream.isatty() else f"{line}\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave a clean line."""
        if self._stream.isatty():
            self._stream.write("\r\033[K")
            self._stream.flush()


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns; numbers to the right, the first column to the left."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    shown = []
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        shown.append("  ".join(cells).rstrip())
    return "\n".join(shown)


def samples_figure(comparisons: Sequence[Comparison]) -> Figure:
    """Return all samples on logarithmic axes, one panel for each unit."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    units = list(dict.fromkeys(c.unit for c in comparisons))
    figure = Figure(figsize=(8.6, 1.2 * len(units) + 0.75 * len(comparisons)), layout="constrained")
    groups = [[c for c in comparisons if c.unit == unit] for unit in units]
    panels = figure.subplots(
        len(units), 1, squeeze=False, gridspec_kw={"height_ratios": [len(g) + 1 for g in groups]}
    )[:, 0]
    for axis, unit, group in zip(panels, units, groups, strict=True):
        for line, comparison in enumerate(group):
            for side, samples, colour in (
                (-0.16, comparison.ours, _OURS),
                (0.16, comparison.peer, _PEER),
            ):
                finished = [s for s in samples if s is not None]
                missed = [comparison.limit or 1.0 for s in samples if s is None]
                axis.plot(finished, [line + side] * len(finished), "|", color=colour, markersize=9)
                axis.plot(missed, [line + side] * len(missed), "x", color=colour)
                value = comparison.row()["ours" if side < 0 else "peer"]
                if value is not None:
                    axis.plot([value], [line + side], "o", color=colour, markersize=6)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_yticks(range(len(group)), [_wrapped(c.what) for c in group], fontsize=8)
        axis.set_ylim(len(group) - 0.5, -0.5)
        axis.set_xlabel(unit)
        axis.grid(axis="x", alpha=0.25, which="both")
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle("ours blue, peer grey; a dot is the median, a cross not reached", fontsize=10)
    return figure


def _wrapped(what: str) -> str:
    return what.replace(", peer", ",\npeer").replace(": ", ":\n")
