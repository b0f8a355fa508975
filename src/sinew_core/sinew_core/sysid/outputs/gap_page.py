"""The sim-to-real gap as tables and figures, on a page of its own and in the report."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sinew_core.report.page import Page
from sinew_core.robots.arrays import Array
from sinew_core.sysid.gap import Difference, Gap
from sinew_core.sysid.identification import HeldOut
from sinew_core.sysid.outputs import figures
from sinew_core.sysid.outputs.summary import number, per_joint, versions

_COLOURS = {"nominal": figures.NOMINAL, "identified": figures.IDENTIFIED}


def gap_page(gaps: Sequence[Gap], joints: Sequence[str], *, robot: str, bag: str, date: str) -> str:
    """Return a page that shows the gap of one or two sets of parameters."""
    page = Page(f"{robot}: sim-to-real gap", f"bag {bag}, {date}")
    page.bullets([sentence(gap) for gap in gaps])
    add_gap(page, gaps, joints)
    page.section("Free run")
    first, last = gaps[0], gaps[-1]
    motion = HeldOut(
        time_s=first.time_s,
        measured_rad=first.measured_rad,
        nominal_rad=first.simulated_rad,
        identified_rad=last.simulated_rad,
        rmse_rad=over_all(last.position.rms),
        nominal_rmse_rad=over_all(first.position.rms),
        source=bag,
    )
    page.figure(
        figures.held_out_motion(motion, joints, labels=[gap.label for gap in gaps]),
        "Left the motion, right what the simulation misses of it, started once.",
    )
    return page.html()


def add_gap(page: Page, gaps: Sequence[Gap], joints: Sequence[str]) -> None:
    """Add table and bars of the prediction error, and the table of the free run."""
    horizon = gaps[0].horizon_s
    page.text(
        f"Prediction: simulated from the measured state, and started anew every {horizon:g} s. "
        "Free run: started once, where a joint controller hides what the model gets wrong."
    )
    arrow = " → "
    labels = arrow.join(gap.label for gap in gaps)
    page.text(f"Root mean squares, {labels}:" if len(gaps) > 1 else "Root mean squares:")
    header = ["joint", "prediction mrad", "mrad/s", "free run mrad", "mrad/s"]
    header += ["effort N m"] if gaps[0].effort is not None else []
    rows = []
    for j, name in enumerate(joints):
        columns = zip(*(_cells(gap, j) for gap in gaps), strict=True)
        rows.append((name, *(arrow.join(cells) for cells in columns)))
    page.table(header, rows, compact=True)
    bars = [
        (g.label, _COLOURS.get(g.label, figures.MEASURED), 1e3 * g.predicted_position.rms)
        for g in gaps
        if not g.diverges
    ]
    if bars:
        page.figure(
            figures.joint_errors(bars, joints, "mrad"),
            f"Root mean square of what each joint's prediction misses within {horizon:g} s.",
        )


def gap_rows(gaps: Sequence[Gap], joints: Sequence[str]) -> list[str]:
    """Return the table for a terminal, line by line: RMSE and largest error per joint."""
    form = "{:<12} {:<22} {:>11} {:>9} {:>11} {:>9} {:>10} {:>9} {:>10} {:>9}"
    lines = [
        form.format("", "", "prediction", "", "free run", "", "", "", "effort", ""),
        form.format(
            "parameters",
            "joint",
            "rms mrad",
            "max",
            "rms mrad",
            "max",
            "mrad/s",
            "max",
            "rms N m",
            "max",
        ),
    ]
    for gap in gaps:
        for j, name in enumerate(joints):
            numbers = [
                *(_pair(gap.predicted_position, j, 1e3)),
                *(_pair(gap.position, j, 1e3)),
                *(_pair(gap.velocity, j, 1e3)),
                *(_pair(gap.effort, j, 1.0) if gap.effort else ("-", "-")),
            ]
            lines.append(form.format(gap.label, name, *numbers))
    return lines


def sentence(gap: Gap) -> str:
    """Say the gap of one set of parameters in a sentence."""
    if gap.diverges:
        return f"{gap.label}: the simulated arm diverges, or no steps are fine enough for it"
    free = over_all(gap.position.rms)
    run = f"{1e3 * free:.4g} mrad" if math.isfinite(free) else "it diverges"
    return (
        f"{gap.label}: {1e3 * over_all(gap.predicted_position.rms):.4g} mrad within "
        f"{gap.horizon_s:g} s of prediction, {run} in the free run (root mean square over all "
        "joints)"
    )


def gap_figures(gaps: Sequence[Gap], joints: Sequence[str]) -> dict[str, object]:
    """Return the gaps as JSON holds them, by their labels."""
    return {gap.label: _figures(gap, joints) for gap in gaps}


def gap_report(
    gaps: Sequence[Gap], joints: Sequence[str], *, robot: str, bag: str, date: str
) -> dict[str, object]:
    """Return the content of the gap's `report.json`."""
    return {
        "format": 1,
        "robot": robot,
        "bag": bag,
        "gap": gap_figures(gaps, joints),
        "date": date,
        "versions": versions(),
    }


def over_all(rms: Array) -> float:
    """Return the root mean square over all joints of those of each (n,)."""
    return float(np.sqrt(np.mean(np.square(rms))))


def _figures(gap: Gap, joints: Sequence[str]) -> dict[str, object]:
    figures_of: dict[str, object] = {
        "rmse_rad": number(over_all(gap.position.rms)),
        "prediction_rmse_rad": number(over_all(gap.predicted_position.rms)),
        "horizon_s": gap.horizon_s,
        "predictions": len(gap.window_rms_rad),
        "samples": len(gap.time_s),
    }
    parts = {
        "position_rad": gap.position,
        "velocity_rad_s": gap.velocity,
        "effort_nm": gap.effort,
        "prediction_rad": gap.predicted_position,
        "prediction_rad_s": gap.predicted_velocity,
    }
    for name, part in parts.items():
        figures_of[name] = (
            None
            if part is None
            else {"rmse": per_joint(joints, part.rms), "max": per_joint(joints, part.largest)}
        )
    return figures_of


def _cells(gap: Gap, j: int) -> list[str]:
    parts = (gap.predicted_position, gap.predicted_velocity, gap.position, gap.velocity)
    cells = [_shown(1e3 * part.rms[j], ".4g") for part in parts]
    return [*cells, _shown(gap.effort.rms[j], ".3g")] if gap.effort is not None else cells


def _pair(part: Difference, j: int, scale: float) -> tuple[str, str]:
    return _shown(scale * part.rms[j], ".4g"), _shown(scale * part.largest[j], ".4g")


def _shown(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "diverges"
