"""Join what training and the graph evaluations wrote into `report.json` and `report.html`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from sinew_core.bundle.reader import load_bundle
from sinew_core.files import write_atomically, write_json
from sinew_core.graph_evaluation import read_traces
from sinew_core.report.training import TrainingReport, evaluation_rows, training_sentence
from sinew_core.robots.limits import JointLimits
from sinew_core.tasks.reach import ReachParameters
from sinew_core.training.folder import (
    BUNDLE_FOLDER,
    CONFIGURATION_FILE,
    GRAPH_FILE,
    PICTURE_FILE,
    REALTIME_FILE,
    REPORT_FILE,
    REPORT_PAGE,
    TRAINING_FILE,
)
from sinew_core.training.progress import CurvePoint

NO_GRAPH = "graph evaluation is not available yet for this action mode: it commands {mode}"
_LATENCY = ("latency_ms_p50", "latency_ms_p99")
_COUNTS = ("limit_violations", "interventions", "messages_lost", "faults")


def join_figures(folder: Path) -> dict[str, object]:
    """Return the content of `report.json` for a run folder."""
    training = _read(folder / TRAINING_FILE) or {}
    lockstep, realtime = _read(folder / GRAPH_FILE), _read(folder / REALTIME_FILE)
    figures = {k: v for k, v in training.items() if k != "curve"}
    figures = {"run": folder.name, **figures}
    if lockstep is None and realtime is None:
        figures["eval_graph"] = None
        figures["graph_note"] = NO_GRAPH.format(mode=training.get("action_mode"))
    else:
        figures["eval_graph"] = _joined(lockstep, realtime)
    return figures


def _joined(
    lockstep: Mapping[str, object] | None, realtime: Mapping[str, object] | None
) -> dict[str, object]:
    """Return success from the lockstep episodes, latency from real time, counts from both."""
    judged = lockstep or realtime or {}
    timed = realtime or {}
    parts = [part for part in (lockstep, realtime) if part is not None]
    joined: dict[str, object] = {
        k: v for k, v in judged.items() if k not in (*_LATENCY, *_COUNTS, "pace", "seed")
    }
    joined.update({k: _total(parts, k) for k in _COUNTS})
    joined.update({k: timed.get(k) for k in _LATENCY})
    joined["lockstep"], joined["realtime"] = lockstep, realtime
    return joined


def _total(parts: list[Mapping[str, object]], key: str) -> int | None:
    values = [part[key] for part in parts]
    return sum(v for v in values if isinstance(v, int)) if None not in values else None


def write_report(folder: Path) -> None:
    """Write `report.json` and `report.html`; the page needs matplotlib, the figures do not."""
    figures = join_figures(folder)
    write_json(folder / REPORT_FILE, figures)
    training = _read(folder / TRAINING_FILE) or {}
    curve = cast("list[dict[str, float]]", training.get("curve", []))
    manifest = load_bundle(folder / BUNDLE_FOLDER).manifest
    task = ReachParameters.from_mapping({k: v for k, v in manifest.task.items() if k != "name"})
    limits = JointLimits.from_mapping(manifest.limits, "limits of the bundle")
    traces_file = (folder / GRAPH_FILE).with_suffix(".npz")
    picture = folder / PICTURE_FILE
    report = TrainingReport(
        figures=figures,
        curve=[_curve_point(point) for point in curve],
        traces=read_traces(traces_file) if traces_file.is_file() else [],
        tolerance_m=task.tolerance_m,
        velocity_limit_rad_s=limits.velocity_rad_s,
        joint_names=manifest.joint_names,
        picture_png=picture.read_bytes() if picture.is_file() else None,
        configuration=(folder / CONFIGURATION_FILE).read_text(),
    )
    write_atomically(folder / REPORT_PAGE, report.html())


def _curve_point(row: Mapping[str, float]) -> CurvePoint:
    return CurvePoint(
        env_steps=int(row["env_steps"]),
        wall_s=row["wall_s"],
        success_rate=row["success_rate"],
        return_mean=row["return_mean"],
        episodes=int(row["episodes"]),
    )


def summary_table(folder: Path) -> str:
    """Return the figures of a run as a table of text, with where to look next."""
    figures = _read(folder / REPORT_FILE) or {}
    rows = [("", "environment", "ROS 2 graph"), *evaluation_rows(figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(0, training_sentence(figures))
    if "graph_note" in figures:
        lines.append(str(figures["graph_note"]))
    lines.append(f"report: {folder / REPORT_PAGE}")
    lines.append(f"policy: {folder / BUNDLE_FOLDER}")
    return "\n".join(lines)


def _read(path: Path) -> dict[str, object] | None:
    return cast("dict[str, object]", json.loads(path.read_text())) if path.is_file() else None
