"""Join what training and the graph evaluations wrote into `report.json` and `report.html`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from sinew_core.bundle.reader import load_bundle
from sinew_core.evaluation import pooled, wilson_interval
from sinew_core.files import write_atomically, write_json
from sinew_core.graph_record import read_traces
from sinew_core.report.table import table_lines
from sinew_core.report.training import (
    TrainingReport,
    evaluation_rows,
    graph_sentences,
    resumed_sentences,
    training_sentence,
)
from sinew_core.robots.limits import JointLimits
from sinew_core.tasks import TASKS, task_parameters
from sinew_core.training.folder import (
    BUNDLE_FOLDER,
    CONFIGURATION_FILE,
    GRAPH_FOLDER,
    GRAPH_TRAINING_FILE,
    PICTURE_FILE,
    REPORT_FILE,
    REPORT_PAGE,
    TRAINING_FILE,
)
from sinew_core.training.progress import CurvePoint

Figures = Mapping[str, object]

_LATENCY = ("latency_ms_p50", "latency_ms_p99")
_COUNTS = ("limit_violations", "interventions", "messages_lost", "faults")


def join_figures(folder: Path) -> dict[str, object]:
    """Return the content of `report.json` for a run folder."""
    training = _read(folder / TRAINING_FILE) or {}
    figures = {k: v for k, v in training.items() if k != "curve"}
    figures = {"run": folder.name, **figures}
    graph_training = _read(folder / GRAPH_TRAINING_FILE)
    if graph_training is not None:
        # There the episodes of the environment are those of the graph.
        figures["graph_training"] = graph_training
        figures["eval_graph"] = figures.pop("eval_env", None)
        return figures
    parts = {pace: graph_parts(folder, pace) for pace in ("lockstep", "realtime")}
    if any(parts.values()):
        figures["eval_graph"] = join_graph(parts["lockstep"], parts["realtime"])
    else:
        figures["eval_graph"] = None
        figures["graph_note"] = no_graph(str(figures.get("task")))
    return figures


def no_graph(task: str) -> str:
    """Return why the figures of a task lack those of the graph."""
    if task in TASKS and not TASKS[task].in_graph:
        why = f"no node publishes what {task} is observed and judged by"
    else:
        why = "graph_episodes and realtime_episodes are 0"
    return f"the ROS 2 graph was not evaluated: {why}"


def graph_parts(folder: Path, pace: str) -> list[Figures]:
    """Return what the evaluators of one pace wrote, in order."""
    files = sorted((folder / GRAPH_FOLDER).glob(f"{pace}_*.json"))
    return [part for part in map(_read, files) if part is not None]


def join_graph(lockstep: Sequence[Figures], realtime: Sequence[Figures]) -> dict[str, object]:
    """Return what lockstep episodes came to, latency from real time, counts from both."""
    judged = lockstep or realtime
    episodes, successes = _total(judged, "episodes"), _total(judged, "successes")
    counts = {name: _total([*lockstep, *realtime], name) for name in _COUNTS}
    timed = realtime[0] if realtime else {}
    return {
        "episodes": episodes,
        "successes": successes,
        "success_rate": successes / episodes,
        "success_ci95": list(wilson_interval(successes, episodes)),
        **pooled(judged),
        **counts,
        **{name: timed.get(name) for name in _LATENCY},
        "lockstep": list(lockstep),
        "realtime": list(realtime),
    }


def _total(parts: Sequence[Figures], name: str) -> int:
    return sum(int(str(part[name])) for part in parts)


def write_report(folder: Path) -> None:
    """Write `report.json` and `report.html`; the page needs matplotlib, the figures do not."""
    figures = join_figures(folder)
    write_json(folder / REPORT_FILE, figures)
    training = _read(folder / TRAINING_FILE) or {}
    curve = cast("list[dict[str, float]]", training.get("curve", []))
    manifest = load_bundle(folder / BUNDLE_FOLDER).manifest
    name, task = task_parameters(manifest.task, "task of the bundle")
    limits = JointLimits.from_mapping(manifest.limits, "limits of the bundle")
    traces_file = folder / GRAPH_FOLDER / "lockstep_0.npz"
    picture = folder / PICTURE_FILE
    report = TrainingReport(
        figures=figures,
        curve=[_curve_point(point) for point in curve],
        traces=read_traces(traces_file) if traces_file.is_file() else [],
        tolerance_m=task.tolerance_m,
        velocity_limit_rad_s=limits.velocity_rad_s,
        joint_names=manifest.joint_names,
        achieved=TASKS[name].achieved,
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
    lines = table_lines([("", "environment", "ROS 2 graph"), *evaluation_rows(figures)])
    told = [training_sentence(figures), *resumed_sentences(figures), *graph_sentences(figures)]
    lines = [*told, *lines]
    if "graph_note" in figures:
        lines.append(str(figures["graph_note"]))
    lines.append(f"report: {folder / REPORT_PAGE}")
    lines.append(f"policy: {folder / BUNDLE_FOLDER}")
    return "\n".join(lines)


def _read(path: Path) -> dict[str, object] | None:
    return cast("dict[str, object]", json.loads(path.read_text())) if path.is_file() else None
