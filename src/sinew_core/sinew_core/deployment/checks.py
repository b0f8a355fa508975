"""One check of a deployment: what was looked at, what was found, what was expected, the remedy."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence

_WIDTHS = (7, 26, 42, 34)
_HEADER = ("result", "check", "found", "expected")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """The outcome of one check.

    Attributes:
        what: that was looked at, as the tables name it.
        found: in words, with units.
        expected: in words, with units.
        remedy: what to do where it fails or cannot be known.
        passed: whether the deployment may go on.
        known: whether it could be looked at; what is unknown passes, and says so.
    """

    what: str
    found: str
    expected: str
    remedy: str
    passed: bool
    known: bool = True

    @property
    def verdict(self) -> str:
        """`ok`, `FAIL`, or `unknown`."""
        if not self.passed:
            return "FAIL"
        return "ok" if self.known else "unknown"

    def sentence(self) -> str:
        """Return the check in one line: what, found, expected, remedy."""
        return f"{self.what}: found {self.found}, expected {self.expected}: {self.remedy}"


def unknown(what: str, found: str, expected: str, remedy: str) -> Check:
    """Return a check that could not be made."""
    return Check(what=what, found=found, expected=expected, remedy=remedy, passed=True, known=False)


def failures(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Return those that forbid to go on."""
    return tuple(check for check in checks if not check.passed)


def mappings(checks: Sequence[Check]) -> list[dict[str, object]]:
    """Return plain values for a report."""
    return [{**dataclasses.asdict(check), "verdict": check.verdict} for check in checks]


def check_table(checks: Sequence[Check]) -> str:
    """Return the checks as text, with the remedy under each that is not `ok`."""
    lines = [_row(_HEADER)]
    for check in checks:
        cells = (check.verdict, check.what, check.found, check.expected)
        lines.append(_row(cells))
        if check.verdict != "ok":
            lines.append(
                textwrap.fill(
                    f"remedy: {check.remedy}",
                    width=sum(_WIDTHS) + 6,
                    initial_indent=" " * 9,
                    subsequent_indent=" " * 11,
                )
            )
    return "\n".join(lines) + "\n"


def verdict(checks: Sequence[Check]) -> str:
    """Return the table, and what it comes to in one line."""
    failed = [check.what for check in failures(checks)]
    guessed = sum(not check.known for check in checks)
    total = f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}"
    if not failed:
        total = f"all {len(checks)} checks passed"
        total += f", {guessed} of them unknown: see their remedies" if guessed else ""
    return f"{check_table(checks)}{total}\n"


def _row(cells: Sequence[str]) -> str:
    """Return one row, its cells broken into as many lines as they need."""
    broken = [
        textwrap.wrap(cell, width, break_on_hyphens=False) or [""]
        for cell, width in zip(cells, _WIDTHS, strict=True)
    ]
    height = max(map(len, broken))
    lines = []
    for index in range(height):
        words = [
            (part[index] if index < len(part) else "").ljust(width)
            for part, width in zip(broken, _WIDTHS, strict=True)
        ]
        lines.append("  ".join(words).rstrip())
    return "\n".join(lines)
