"""The picture of a plan: its motion against the filter's limits, and what it should tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sinew_core.errors import ConfigError
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.excitation.limits import MotionLimits
from sinew_core.sysid.excitation.plan import Plan

_GOOD, _BAD, _LIMIT = "#1f6feb", "#c0362c", "#57606a"
_LOWEST_SHARE = 1e-4


def write_picture(plan: Plan, robot: RobotModel, allowed: MotionLimits, path: Path) -> None:
    """Draw a plan and write it as PNG.

    Args:
        plan: to draw.
        robot: its limits of position are those that are shown.
        allowed: velocities and accelerations that the safety filter lets pass.
        path: of the file.

    Raises:
        ConfigError: when it cannot be written.
    """
    figure = plan_figure(plan, robot, allowed)
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise ConfigError(
            f"picture {path} cannot be written ({error.strerror}): choose another output"
        ) from None


def plan_figure(plan: Plan, robot: RobotModel, allowed: MotionLimits) -> Figure:
    """Return the picture: three panels over time, and a bar for each parameter."""
    figure = Figure(
        figsize=(13.0, max(7.0, 0.24 * len(plan.predicted) + 1.5)), layout="constrained"
    )
    grid = figure.add_gridspec(3, 2, width_ratios=(1.6, 1.0))
    motion, home = plan.reference, robot.home_rad
    limits = robot.limits
    room_up, room_down = limits.position_upper_rad - home, home - limits.position_lower_rad
    offset = motion.position_rad - home
    shares = {
        "position from home\n(% of the arm's limit)": np.where(
            offset > 0.0, offset / room_up, offset / room_down
        ),
        "velocity\n(% of the filter's limit)": motion.velocity_rad_s / allowed.velocity_rad_s,
        "acceleration\n(% of the filter's limit)": motion.acceleration_rad_s2
        / allowed.acceleration_rad_s2,
    }
    first: Axes | None = None
    for row, (name, share) in enumerate(shares.items()):
        axis = figure.add_subplot(grid[row, 0], sharex=first)
        first = first or axis
        _over_time(axis, motion.time_s, share, plan.joint_names)
        axis.set_ylabel(name)
        axis.tick_params(labelbottom=row == 2)
    assert first is not None
    axis.set_xlabel("time (s)")
    first.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False, fontsize=8)
    _certainties(figure.add_subplot(grid[:, 1]), plan)
    gain = plan.log_det - plan.random_log_det
    told = (
        f"log det of the information {plan.log_det:.1f}, {gain:+.1f} against random motions as long"
        if plan.kind != "chirp"
        else f"log det of the information {plan.log_det:.1f}"
    )
    figure.suptitle(
        f"{plan.robot}, {plan.kind}, {motion.duration_s:.1f} s at {plan.rate_hz} Hz, "
        f"{plan.mode}, seed {plan.seed}: {told}",
        fontsize=10,
    )
    return figure


def _over_time(axis: Axes, time_s: Array, share: Array, joints: tuple[str, ...]) -> None:
    colours = colormaps["viridis"](np.linspace(0.0, 0.92, len(joints)))
    for j, joint in enumerate(joints):
        axis.plot(time_s, 100.0 * share[:, j], color=colours[j], linewidth=0.9, label=joint)
    for bound in (-100.0, 100.0):
        axis.axhline(bound, color=_BAD, linewidth=1.0)
    axis.set(ylim=(-112.0, 112.0), yticks=(-100, -50, 0, 50, 100), xlim=(0.0, float(time_s[-1])))
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def _certainties(axis: Axes, plan: Plan) -> None:
    """Draw the predicted standard deviation of each parameter as a share of its scale."""
    names = [each.name for each in plan.predicted][::-1]
    shares = np.array([each.sigma / each.scale for each in plan.predicted])[::-1]
    rows = list(range(len(names)))
    colours = [_BAD if share > 0.5 else _GOOD for share in shares]
    axis.barh(rows, 100.0 * shares, left=0.0, color=colours, height=0.7)
    axis.set_xscale("log")
    axis.set_xlim(100.0 * min(_LOWEST_SHARE * 10, 0.5 * shares.min()), 250.0)
    axis.axvline(100.0, color=_LIMIT, linestyle="--", linewidth=1.0)
    axis.set_yticks(rows, names, fontsize=8)
    axis.set_ylim(-0.6, len(names) - 0.4)
    for row, share, each in zip(rows, shares, plan.predicted[::-1], strict=True):
        axis.text(
            100.0 * share * 1.08, row, f"{each.sigma:.2g} {each.unit}", va="center", fontsize=7,
            color="#24292f",
        )  # fmt: skip
    axis.set_xlabel(
        "predicted standard deviation\n(% of the nominal, else a typical value)\n"
        f"efforts with {plan.noise_nm:g} N m of noise\nred: the motion does not show it"
    )
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="x", alpha=0.25)
