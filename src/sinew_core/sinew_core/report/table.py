"""The table in which simulation and reality stand side by side, as rows of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

Figures = Mapping[str, object]
Cell = Callable[[Figures], str]
Row = tuple[str, ...]

NOTHING = "-"


def comparison_rows(parts: Sequence[Figures | None]) -> list[Row]:
    """Return the rows (what, one cell for each part) without those that no part has anything for.

    Args:
        parts: figures of evaluations, as `eval_env` and `eval_graph` of `report.json` and what
            `evaluate_bag` writes; None for one that was not made.
    """
    cells: dict[str, Cell] = {
        "episodes": _shown("episodes"),
        "success": success_cell,
        "return": _return,
        "mean length": _shown("length_mean", "{:.1f} steps"),
        "smoothness (RMS jerk)": _shown("jerk_rad_s3", "{:.3g} rad/s³"),
        "limit violations": _shown("limit_violations"),
        "filter interventions": _shown("interventions"),
        "interventions per episode": _per_episode,
        "latency p50 / p99": latency_cell,
        "messages lost": _shown("messages_lost"),
        "ended by a fault": _shown("faults"),
        "cut short": _shown("cut"),
    }
    rows = [(name, *(cell(part or {}) for part in parts)) for name, cell in cells.items()]
    return [row for row in rows if set(row[1:]) != {NOTHING}]


def table_lines(rows: Sequence[Row]) -> list[str]:
    """Return rows of text as lines, with the columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def success_cell(part: Figures) -> str:
    """Return successes, rate and interval."""
    if part.get("success_rate") is None:
        return NOTHING
    low, high = cast("tuple[float, float]", part["success_ci95"])
    rate = part["success_rate"]
    return f"{part['successes']} of {part['episodes']} = {rate:.1%} [{low:.1%}, {high:.1%}]"


def latency_cell(part: Figures) -> str:
    """Return the median of a latency and its 99th percentile."""
    if part.get("latency_ms_p50") is None:
        return NOTHING
    return f"{part['latency_ms_p50']:.2f} / {part['latency_ms_p99']:.2f} ms"


def _shown(key: str, form: str = "{}") -> Cell:
    return lambda part: NOTHING if part.get(key) is None else form.format(part[key])


def _return(part: Figures) -> str:
    if part.get("return_mean") is None:
        return NOTHING
    return f"{part['return_mean']:.2f} ± {part['return_std']:.2f}"


def _per_episode(part: Figures) -> str:
    count, episodes = part.get("interventions"), _episodes(part)
    return f"{count / episodes:.1f}" if isinstance(count, int) and episodes else NOTHING


def _episodes(part: Figures) -> int:
    """Return how many episodes the interventions were counted in."""
    both = (part.get("lockstep"), part.get("realtime"))
    parts = [each for each in both if isinstance(each, Sequence)]
    counted = [figures for each in parts for figures in each] or [part]
    return sum(int(figures.get("episodes") or 0) for figures in counted)
