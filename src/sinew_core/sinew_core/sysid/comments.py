"""Comments on top of a YAML file: whatever names they quote, they stay comments."""

from __future__ import annotations

from collections.abc import Sequence


def as_comments(lines: Sequence[str]) -> str:
    """Return lines as comments; one that holds line breaks becomes one line."""
    return "".join(f"# {' '.join(line.splitlines())}\n" for line in lines)
