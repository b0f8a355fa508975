"""The figures of a training report, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sinew_core.graph_record import EpisodeTrace
from sinew_core.training.progress import CurvePoint

FloatArray = NDArray[np.float64]

_WIDTH_IN, _HEIGHT_IN = 8.6, 3.4


def learning_curve(points: Sequence[CurvePoint]) -> Figure:
    """Success rate and return against environment steps, one axis each."""
    figure, (upper, lower) = _axes(2, height_in=4.6)
    steps = [p.env_steps for p in points]
    upper.plot(steps, [100 * p.success_rate for p in points], "o-", color="#1f6feb", markersize=3)
    upper.set(ylabel="success (%)", ylim=(-3, 103))
    lower.plot(steps, [p.return_mean for p in points], "o-", color="#8250df", markersize=3)
    lower.set(ylabel="mean return", xlabel="environment steps")
    return figure


def distance_over_time(traces: Sequence[EpisodeTrace], tolerance_m: float) -> Figure:
    """Distance of the tool to its target, a line for each episode, on a logarithmic axis."""
    figure, (axis,) = _axes(1)
    for trace in traces:
        colour = "#1f6feb" if trace.success else "#c0362c"
        # A logarithmic axis shows both the approach and the hold; 0.1 mm is below what matters.
        axis.semilogy(trace.time_s, np.maximum(trace.distance_m, 1e-4), color=colour, alpha=0.45)
    axis.axhline(tolerance_m, color="#1a7f37", linestyle="--", label="tolerance")
    axis.set(xlabel="time (s)", ylabel="distance to target (m)")
    axis.legend(loc="upper right", frameon=False)
    return figure


def velocities_against_limits(
    traces: Sequence[EpisodeTrace], limit_rad_s: FloatArray, joint_names: Sequence[str]
) -> Figure:
    """Joint velocity as a share of each joint's limit, a panel for each joint."""
    n = len(joint_names)
    figure = Figure(figsize=(_WIDTH_IN, 0.95 * n + 0.8), layout="constrained")
    for j, axis in enumerate(figure.subplots(n, 1, sharex=True, squeeze=False)[:, 0]):
        for trace in traces:
            share = trace.velocity_rad_s[:, j] / limit_rad_s[j]
            axis.plot(trace.time_s, 100 * share, color="#1f6feb", alpha=0.45, linewidth=1)
        for bound in (-100, 100):
            axis.axhline(bound, color="#c0362c", linewidth=1)
        axis.set(ylim=(-112, 112), yticks=(-100, 0, 100))
        axis.set_ylabel(joint_names[j].removeprefix("panda_"), rotation=0, ha="right", va="center")
        axis.spines[["top", "right"]].set_visible(False)
    axis.set_xlabel("time (s)")
    figure.suptitle("velocity, % of the joint's limit", fontsize=10)
    return figure


def sampled_values(entries: Sequence[Mapping[str, object]]) -> Figure:
    """Histograms of the drawn dynamics, a panel for each entry over its whole range."""
    columns = 3
    rows = -(-len(entries) // columns)
    figure = Figure(figsize=(_WIDTH_IN, 1.9 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, entry in zip(panels, entries, strict=False):
        low, high = float(str(entry["low"])), float(str(entry["high"]))
        span = (low, high) if low < high else (low - 0.5, high + 0.5)
        axis.hist(cast("list[float]", entry["sampled"]), bins=20, range=span, color="#1f6feb")
        axis.set_title(str(entry["name"]), fontsize=9)
        axis.set_xlabel(str(entry["unit"]) or "share", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.locator_params(axis="x", nbins=5)
        axis.ticklabel_format(axis="x", scilimits=(-3, 4))
        axis.spines[["top", "right"]].set_visible(False)
    for axis in panels[len(entries) :]:
        axis.set_visible(False)
    return figure


def _axes(rows: int, height_in: float = _HEIGHT_IN) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
    axes = list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])
    for axis in axes:
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes
