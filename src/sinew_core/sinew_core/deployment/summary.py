"""The report of a deployment: a table on the terminal, `report.json` and `report.html`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sinew_core.deployment.checks import Check, failures, mappings
from sinew_core.errors import RunError
from sinew_core.files import finite, write_atomically, write_json
from sinew_core.report.page import Page

Figures = Mapping[str, object]


def check_output(folder: str) -> None:
    """Make the folder of the report, before anything moves.

    Raises:
        RunError: it cannot be made.
    """
    if not folder:
        return
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"output {folder} cannot be made ({error.strerror}): choose another folder, output:="
        ) from None


def report_figures(head: Figures, checks: Sequence[Check], measured: Figures) -> dict[str, object]:
    """Return the content of `report.json`."""
    return {
        **head,
        "passed": not failures(checks),
        "failed": [check.what for check in failures(checks)],
        "unknown": [check.what for check in checks if not check.known],
        "checks": mappings(checks),
        **measured,
    }


def write_report(folder: str, figures: Figures, checks: Sequence[Check]) -> None:
    """Write both files, nothing where no folder was given."""
    if folder:
        write_json(Path(folder) / "report.json", finite(figures))
        write_atomically(Path(folder) / "report.html", _page(figures, checks))


def measured_text(figures: Figures) -> str:
    """Return what was measured as a table of text."""
    rows = measured_rows(figures)
    width = max((len(name) for name, _ in rows), default=0) + 2
    lines = [f"{name:<{width}}{value}" for name, value in rows]
    return "\n".join(lines) + "\n" if lines else ""


def measured_rows(figures: Figures) -> list[tuple[str, str]]:
    """Return name and value of each figure that a deployment measures."""
    rows: list[tuple[str, str]] = []
    states = _part(figures, "joint_states")
    if states:
        rows.append(("joint_states, rate", f"{states['rate_hz']} Hz, {states['count']} received"))
        gaps = f"p99 {states['gap_p99_ms']}, longest {states['gap_max_ms']} ms"
        rows.append(("joint_states, gaps", gaps))
    for key, name in (("latency_command", "command"), ("latency_output", "output")):
        latency = _part(figures, key)
        if latency and latency["count"]:
            value = f"p50 {latency['p50_ms']}, p99 {latency['p99_ms']} ms of {latency['count']}"
            rows.append((f"latency, joint state to {name}", value))
    rows += _intervention_rows(_part(figures, "interventions"))
    novelty = figures.get("observation")
    for row in novelty if isinstance(novelty, list) else ():
        value = f"furthest {row['largest_std']} std, outside in {100 * row['share']:.2f} %"
        rows.append((f"observation, {row['field']}", value))
    targets = _part(figures, "targets")
    if targets:
        rows.append(("targets reached", f"{targets['successes']} of {targets['episodes']}"))
        rows.append(("states outside a limit", f"{targets['limit_violations']}"))
    held = figures.get("held")
    for row in held if isinstance(held, list) else ():
        rows.append((f"held after {row['after_s']} s", str(row["reason"])))
    return rows


def _intervention_rows(part: Figures) -> list[tuple[str, str]]:
    if not part:
        return []
    rows = []
    if "decisions" in part:
        total = f"{part['intervened']} of {part['decisions']} commands"
        rows.append(("interventions", total))
    by_joint = part.get("by_joint")
    for row in by_joint if isinstance(by_joint, list) else ():
        share = "" if row["share"] is None else f", {100 * row['share']:.2f} %"
        rows.append((f"interventions, {row['joint']} {row['cause']}", f"{row['count']}{share}"))
    return rows


def _page(figures: Figures, checks: Sequence[Check]) -> str:
    title = f"Deployment of {figures.get('bundle')} on {figures.get('robot')}"
    page = Page(title, f"Mode {figures.get('mode')}, {figures.get('duration_s')} s.")
    failed = failures(checks)
    page.verdict(
        f"{len(failed)} of {len(checks)} checks failed" if failed else "every check passed",
        good=not failed,
    )
    page.section("Checks")
    page.table(
        ("result", "check", "found", "expected", "remedy"),
        [
            (c.verdict, c.what, c.found, c.expected, "" if c.verdict == "ok" else c.remedy)
            for c in checks
        ],
        compact=True,
    )
    rows = measured_rows(figures)
    if rows:
        page.section("Measured")
        page.table(("figure", "value"), rows)
    distances = _part(figures, "positions")
    if distances:
        page.section("Distances to the position limits")
        page.table(
            ("joint", "position, rad", "to the lower, rad", "to the upper, rad"),
            [(joint, *map(str, _part(distances, joint).values())) for joint in distances],
        )
    return page.html()


def _part(figures: Figures, key: str) -> Figures:
    value = figures.get(key)
    return value if isinstance(value, Mapping) else {}
