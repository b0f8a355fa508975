"""The report of a training run: what was trained, how well it does, and the pictures of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sinew_core.graph_record import EpisodeTrace
from sinew_core.report.figures import (
    distance_over_time,
    learning_curve,
    sampled_values,
    velocities_against_limits,
)
from sinew_core.report.page import Page
from sinew_core.report.table import NOTHING, Row, comparison_rows, latency_cell, success_cell
from sinew_core.training.checkpoints.change import Change
from sinew_core.training.progress import CurvePoint

Figures = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """Everything that the page shows.

    figures: the content of `report.json`.
    achieved: what is brought to the target, the tool or the object.
    picture_png: the arm at its target; None when no renderer is at hand.
    """

    figures: Figures
    curve: Sequence[CurvePoint]
    traces: Sequence[EpisodeTrace]
    tolerance_m: float
    velocity_limit_rad_s: NDArray[np.float64]
    joint_names: Sequence[str]
    achieved: str = "tool"
    picture_png: bytes | None
    configuration: str

    def html(self) -> str:
        """Return the page."""
        f = self.figures
        page = Page(
            f"{f['robot']}: {f['task']} with {str(f['algorithm']).upper()}",
            f"run {f['run']}, seed {f['seed']}, {f['action_mode']}, trained in {f['engine']}",
        )
        _verdicts(page, f)
        if self.picture_png is not None:
            page.picture(
                self.picture_png, "The arm at the end of an episode; the sphere is its target."
            )
        page.section("Figures")
        page.table(("", "environment", "ROS 2 graph"), evaluation_rows(f))
        page.section("Learning")
        page.text(training_sentence(f))
        for sentence in (*resumed_sentences(f), *graph_sentences(f)):
            page.text(sentence)
        page.figure(learning_curve(self.curve), "Evaluations during training, without exploration.")
        if "randomisation" in f:
            _randomisation(page, cast("Figures", f["randomisation"]))
        if self.traces:
            self._graph(page)
        page.section("Configuration")
        page.preformatted(self.configuration)
        return page.html()

    def _graph(self, page: Page) -> None:
        page.section("Over the ROS 2 graph")
        page.figure(
            distance_over_time(self.traces, self.tolerance_m),
            f"Distance of the {self.achieved} to its target, as the graph tells it; success is to "
            "hold it below the dashed line.",
        )
        page.figure(
            velocities_against_limits(self.traces, self.velocity_limit_rad_s, self.joint_names),
            "Measured joint velocities against the limits that the safety filter keeps.",
        )


def training_sentence(figures: Figures) -> str:
    """Say in one sentence how long training took."""
    return (
        f"{figures['env_steps']:,} environment steps in {figures['train_wall_s']:.1f} s "
        f"({figures['env_steps_per_s']:.0f} steps/s)"
    )


def resumed_sentences(figures: Figures) -> list[str]:
    """Say despite what the run was resumed, one sentence for each time."""
    changes = cast("Sequence[Figures]", figures.get("resumed_despite", ()))
    return [
        f"Resumed {Change.from_mapping(change)}: the result is not that of an uninterrupted run."
        for change in changes
    ]


def graph_sentences(figures: Figures) -> list[str]:
    """Say how the control loop of a training over the graph did, one sentence a session."""
    told = _part(figures, "graph_training") or {}
    sessions = cast("Sequence[Figures]", told.get("sessions", ()))
    return [
        f"Over the graph, {session['pace']}, reset {session['reset']}: {session['steps']:,} "
        f"control steps, {session['steps_per_s']} a second; joint state to command "
        f"{latency_cell(session)} (median / 99 %); {session['missed_ticks']} control ticks missed, "
        f"{session['interruptions']} episodes ended early."
        for session in sessions
    ]


def evaluation_rows(figures: Figures) -> list[Row]:
    """Return the rows (what, in the environment, over the graph) of the summary table."""
    return comparison_rows([_part(figures, "eval_env"), _part(figures, "eval_graph")])


def _randomisation(page: Page, drawn: Figures) -> None:
    """Show what the arm's dynamics were drawn from, and what was drawn."""
    entries = cast("list[Figures]", drawn["entries"])
    page.section("Randomisation")
    judged = "other arms, too" if drawn["evaluated_randomised"] else "the run's own arm"
    page.text(
        f"Trained on arms drawn from {drawn['file']}, anew every {drawn['every_episodes']} "
        f"episodes; evaluated on {judged}."
    )
    page.table(
        ("name", "unit", "distribution", "least drawn", "mean", "largest"),
        [
            (str(e["name"]), str(e["unit"]) or NOTHING, str(e["distribution"]), *_spread(e))
            for e in entries
        ],
    )
    if entries:
        page.figure(
            sampled_values(entries), f"Values of {drawn['draws']} draws; * stands for all joints."
        )


def _spread(entry: Figures) -> tuple[str, str, str]:
    sampled = np.array(entry["sampled"])
    if not sampled.size:
        return NOTHING, NOTHING, NOTHING
    return f"{sampled.min():.4g}", f"{sampled.mean():.4g}", f"{sampled.max():.4g}"


def _part(figures: Figures, key: str) -> Figures | None:
    part = figures.get(key)
    return part if isinstance(part, Mapping) else None


def _verdicts(page: Page, figures: Figures) -> None:
    env, graph = _part(figures, "eval_env"), _part(figures, "eval_graph")
    if env is not None:
        page.verdict(f"In the environment: {success_cell(env)}", good=_good(env))
    if graph is not None:
        page.verdict(f"Over the ROS 2 graph: {success_cell(graph)}", good=_good(graph))
    violations = None if graph is None else graph.get("limit_violations")
    if violations is not None:
        page.verdict(f"Limit violations: {violations}", good=violations == 0)
    if graph is None:
        page.text(str(figures.get("graph_note", "The ROS 2 graph was not evaluated.")))


def _good(part: Figures) -> bool:
    rate = part["success_rate"]
    return isinstance(rate, float) and rate >= 0.95
