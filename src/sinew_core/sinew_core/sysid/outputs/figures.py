"""The figures of an identification's report, drawn without a display."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sinew_core.robots.arrays import Array
from sinew_core.sysid.identification import Estimate, HeldOut, Identification
from sinew_core.sysid.outputs.coverage import Coverage

MEASURED, NOMINAL, IDENTIFIED = "#c4cad1", "#d1571b", "#1f6feb"
_GOOD, _SOFT = "#1a7f37", "#8b949e"
_WIDTH_IN = 8.6
_MOST_POINTS = 1500
"""Of a line: more than the picture has pixels would only make drawing slow."""


def short_names(names: Sequence[str]) -> list[str]:
    """Return names without the words that all of them begin with, such as the robot's."""
    heads = {name.partition("_")[0] for name in names if "_" in name}
    common = f"{heads.pop()}_" if len(heads) == 1 and len(names) > 1 else ""
    return [name.removeprefix(common) for name in names]


def held_out_motion(
    held: HeldOut, joints: Sequence[str], labels: Sequence[str] = ("nominal", "identified")
) -> Figure:
    """Measured motion beside its simulations, and the error of each, a row for each joint."""
    simulated = {
        "nominal": (held.nominal_rad, NOMINAL),
        "identified": (held.identified_rad, IDENTIFIED),
    }
    shown = [simulated[label] for label in labels]
    n = len(joints)
    figure = Figure(figsize=(_WIDTH_IN, 1.25 * n + 0.9), layout="constrained")
    panels = figure.subplots(n, 2, sharex=True, squeeze=False)
    step = max(1, len(held.time_s) // _MOST_POINTS)
    time_s = held.time_s[::step] - held.time_s[0]
    for j, name in enumerate(short_names(joints)):
        motion, error = panels[j]
        motion.plot(time_s, held.measured_rad[::step, j], color=MEASURED, linewidth=3.5)
        for line, colour in shown:
            motion.plot(time_s, line[::step, j], "--", color=colour, linewidth=1.1)
        motion.set_ylabel(f"{name}\nrad", fontsize=8)
        for line, colour in shown:
            miss_mrad = 1e3 * (held.measured_rad[::step, j] - line[::step, j])
            error.plot(time_s, miss_mrad, color=colour, linewidth=0.9)
        error.axhline(0.0, color=_SOFT, linewidth=0.6)
        error.set_ylabel("mrad", fontsize=8)
    for axis in panels.ravel():
        _plain(axis)
    panels[0, 0].set_title("motion", fontsize=9)
    panels[0, 1].set_title("measured less simulated", fontsize=9)
    for axis in panels[-1]:
        axis.set_xlabel("time (s)", fontsize=8)
    _legend(figure, [("measured", MEASURED), *((label, simulated[label][1]) for label in labels)])
    return figure


def joint_errors(
    rows: Sequence[tuple[str, str, Array]], joints: Sequence[str], unit: str
) -> Figure:
    """Bars (label, colour, (n,) values) for each joint, on a logarithmic axis."""
    figure = Figure(figsize=(_WIDTH_IN, 2.7), layout="constrained")
    axis = figure.subplots()
    at, width = np.arange(len(joints)), 0.8 / max(len(rows), 1)
    floor = min((float(v[v > 0].min()) for _, _, v in rows if (v > 0).any()), default=1.0)
    for i, (label, colour, values) in enumerate(rows):
        heights = np.maximum(np.nan_to_num(values), floor / 3.0)
        axis.bar(at + (i - (len(rows) - 1) / 2) * width, heights, width, color=colour, label=label)
    highest = max((float(v.max()) for _, _, v in rows if v.size), default=1.0)
    # At least a decade, so that bars of nearly the same height look it.
    axis.set(yscale="log", ylabel=unit, ylim=(min(floor / 2.0, highest / 12.0), None))
    axis.set_xticks(at, short_names(joints))
    _plain(axis)
    axis.legend(fontsize=8, frameon=False, ncols=len(rows), loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def estimates_with_intervals(estimates: Sequence[Estimate]) -> Figure:
    """A panel for each kind of parameter: 95 % intervals, and the nominal values as ticks."""
    kinds: dict[str, list[Estimate]] = {}
    for estimate in estimates:
        kinds.setdefault(_kind(estimate.name), []).append(estimate)
    columns = 2
    rows = -(-len(kinds) // columns)
    figure = Figure(figsize=(_WIDTH_IN, 2.3 * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (kind, members) in zip(panels, kinds.items(), strict=False):
        _intervals(axis, kind, members)
    for axis in panels[len(kinds) :]:
        axis.set_visible(False)
    marks = (("identified, 95 %", IDENTIFIED), ("assumed", _SOFT), ("nominal", NOMINAL))
    _legend(figure, marks)
    return figure


def correlations(found: Identification) -> Figure:
    """Correlation of the identifiable parameters, as a chequered square."""
    sigma = np.sqrt(np.diag(found.covariance))
    scaled = found.covariance / np.outer(sigma, sigma)
    k = len(found.covariance_names)
    side = min(_WIDTH_IN, 2.6 + 0.17 * k)
    figure = Figure(figsize=(side, side * 0.92), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(scaled, cmap="RdBu_r", vmin=-1.0, vmax=1.0)
    names = _short_parameters(found.covariance_names)
    size = 7 if k <= 30 else 5
    axis.set_xticks(range(k), names, rotation=90, fontsize=size)
    axis.set_yticks(range(k), names, fontsize=size)
    bar = figure.colorbar(image, ax=axis, shrink=0.7)
    bar.ax.tick_params(labelsize=7)
    return figure


def singular_values(found: Identification) -> Figure:
    """Singular values of the scaled sensitivities, falling, on a logarithmic axis."""
    figure, axis = _one()
    values = np.maximum(found.singular_values, 1e-300)
    axis.semilogy(np.arange(1, values.size + 1), values, "o-", color=IDENTIFIED, markersize=4)
    largest = float(values.max())
    axis.set_ylim(max(float(values.min()) / 3.0, largest * 1e-12), largest * 3.0)
    axis.set(xlabel="combination of parameters", ylabel="singular value")
    return figure


def cost_over_steps(found: Identification) -> Figure:
    """Cost of each accepted step of the fit, on a logarithmic axis."""
    figure, axis = _one()
    cost = np.array(found.cost_history)
    axis.semilogy(np.arange(cost.size), np.maximum(cost, 1e-300), "o-", color=_GOOD, markersize=4)
    axis.set(xlabel="accepted step", ylabel="cost")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def excitation(coverage: Coverage, joints: Sequence[str]) -> Figure:
    """Share of the range, speed and acceleration that each joint used of what is allowed."""
    figure = Figure(figsize=(_WIDTH_IN, 2.7), layout="constrained")
    axis = figure.subplots()
    at = np.arange(len(joints))
    labels = ("position range", "speed", "acceleration")
    for i, (label, colour) in enumerate(
        zip(labels, ("#1f6feb", "#8250df", "#1a7f37"), strict=True)
    ):
        axis.bar(
            at + 0.27 * (i - 1), 100.0 * coverage.shares[:, i], 0.25, color=colour, label=label
        )
    axis.set_xticks(at, short_names(joints))
    axis.set_ylabel("% of the limit")
    axis.set_ylim(0.0, max(100.0, 105.0 * float(coverage.shares.max())))
    _plain(axis)
    axis.legend(fontsize=8, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def _intervals(axis: Axes, kind: str, members: Sequence[Estimate]) -> None:
    for i, estimate in enumerate(members):
        colour = IDENTIFIED if estimate.identifiable else _SOFT
        low, high = estimate.ci95
        if estimate.identifiable and np.isfinite([low, high]).all():
            axis.plot([i, i], [low, high], color=colour, linewidth=2.2, solid_capstyle="butt")
        axis.plot(
            i, estimate.value, "o" if estimate.identifiable else "x", color=colour, markersize=5
        )
        if np.isfinite(estimate.nominal):
            axis.plot([i - 0.3, i + 0.3], [estimate.nominal] * 2, color=NOMINAL, linewidth=1.2)
    places = [e.name.partition("/")[2] or e.name for e in members]
    axis.set_xticks(range(len(members)), short_names(places), fontsize=7)
    if len(members) > 4:
        axis.tick_params(axis="x", rotation=40)
    axis.set_xlim(-0.7, len(members) - 0.3)
    axis.set_title(kind, fontsize=9, loc="left")
    axis.set_ylabel(members[0].unit if len({e.unit for e in members}) == 1 else "", fontsize=8)
    _plain(axis)


def _kind(name: str) -> str:
    head, slash, _ = name.partition("/")
    return head if slash else name


def _short_parameters(names: Sequence[str]) -> list[str]:
    places = short_names([name.partition("/")[2] for name in names])
    heads = [name.partition("/")[0] for name in names]
    return [f"{head} {place}".strip() for head, place in zip(heads, places, strict=True)]


def _plain(axis: Axes) -> None:
    axis.grid(alpha=0.25)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=7)


def _one() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH_IN, 2.5), layout="constrained")
    axis = figure.subplots()
    _plain(axis)
    return figure, axis


def _legend(figure: Figure, marks: Sequence[tuple[str, str]]) -> None:
    handles = [Line2D([], [], color=colour, label=label) for label, colour in marks]
    figure.legend(
        handles=handles, loc="outside upper right", ncols=len(marks), fontsize=8, frameon=False
    )
