"""The report of an identification as one page: what it found, how sure it is, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sinew_core.bags.recording import Defect, Recording
from sinew_core.report.page import Page
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.gap import Gap
from sinew_core.sysid.identification import Estimate, HeldOut, Identification, LeftOut
from sinew_core.sysid.outputs import figures
from sinew_core.sysid.outputs.coverage import coverage_of
from sinew_core.sysid.outputs.gap_page import add_gap
from sinew_core.sysid.outputs.ranges import Range
from sinew_core.sysid.outputs.summary import joint_rmse
from sinew_core.sysid.suspects import remedy, values_in_words

VERDICTS = {
    "good": "The model explains the motion: the parameters can be used.",
    "model_mismatch": (
        "The arm does something that was not fitted, or that the model has no term for. The "
        "parameters are the best of what was fitted, their intervals too narrow."
    ),
    "not_tested": (
        "The model explains the motion, but Ctrl-C ended the test for what was not fitted: some "
        "values may stand in for it, and no interval knows. Identify again."
    ),
    "not_converged": (
        "The fit was cut short while it still improved: values may be further off than their "
        "intervals tell. Raise max_steps or max_fit_s, or fit fewer parameters."
    ),
    "poor_excitation": (
        "The motion says too little about some of the parameters: those are assumed. Record a "
        "motion that moves the joints faster and further, see excite_and_record."
    ),
    "unidentifiable": (
        "The data cannot tell these parameters: every value marked so is assumed, not measured."
    ),
}
NOTHING = "-"
_LEAST_SHARES = (0.1, 0.1)
"""Of position range and speed: a joint that used less has hardly been excited."""


def report_page(
    found: Identification,
    robot: RobotModel,
    ranges: dict[str, Range],
    gaps: Sequence[Gap],
    *,
    date: str,
) -> str:
    """Return the page."""
    recording = found.recording
    page = Page(
        f"{found.robot_name}: system identification",
        f"bag {recording.source}, {date}, seed {found.seed}, {found.wall_s:.0f} s of computing",
    )
    page.verdict(
        f"{found.verdict.replace('_', ' ')}. {VERDICTS.get(found.verdict, '')}",
        good=found.verdict == "good",
    )
    page.bullets(found.findings)
    _numbers(page, found)
    if found.shown:
        _left_out(page, found.shown)
    _parameters(page, found, ranges)
    if found.held_out is not None:
        _held_out(page, found.held_out, recording.joint_names)
    if gaps:
        page.section("Sim-to-real gap of the recording")
        add_gap(page, gaps, recording.joint_names)
    _residuals(page, found)
    _identifiability(page, found)
    _excitation(page, recording, robot)
    if len(found.cost_history) > 1:
        page.section("The fit")
        page.figure(figures.cost_over_steps(found), "Cost after each accepted step.")
    _bag(page, recording)
    return page.html()


def _numbers(page: Page, found: Identification) -> None:
    sure = sum(e.identifiable for e in found.estimates)
    rows = [
        ("identifiable", f"{sure} of {len(found.estimates)} parameters"),
        ("delay", f"{1e3 * found.delay_s:.3g} ms"),
        ("chi² per sample", _shown(found.chi2_per_sample, ".3g") + "  (1: all but the noise)"),
    ]
    if found.held_out is not None:
        held = found.held_out
        rows.append(
            (
                "held-out error",
                f"{1e3 * held.rmse_rad:.4g} mrad; nominal {held.nominal_error}",
            )
        )
    page.table(("", ""), rows)


def _left_out(page: Page, shown: Sequence[LeftOut]) -> None:
    page.section("Left out, but shown by the data")
    page.text(
        "Parameters that were not fitted, by what the fit leaves over of the motion (Rao's score "
        "test): what they would be about, and which fitted values stand in for them, with how far "
        "these would move in their standard deviations. Add them to fit:= for values to rely on."
    )
    rows = [
        (
            group.name,
            ", ".join(values_in_words(group)),
            f"{group.score.statistic:.3g}, {group.score.dof}",
            ", ".join(f"{s.name} ({s.sigmas:+.2g})" for s in group.stand_ins) or NOTHING,
            " ".join(remedy(group.name)) if group.possible else "no arm has such values",
        )
        for group in shown
    ]
    page.table(("left out", "about", "chi², of", "stand in", "add"), rows, compact=True)


def _parameters(page: Page, found: Identification, ranges: dict[str, Range]) -> None:
    page.section("Parameters")
    page.text(
        "Intervals hold 95 %. What is not identifiable has the value that the others were found "
        "with, near what was assumed, and no interval. Training draws from the last range."
    )
    header = ("name", "value", "95 % interval", "sigma", "nominal", "unit", "drawn", "")
    page.table(header, [_row(e, ranges.get(e.name)) for e in found.estimates], compact=True)
    page.figure(
        figures.estimates_with_intervals(found.estimates),
        "Each parameter with its interval, beside the value of the robot's description.",
    )


def _row(estimate: Estimate, drawn: Range | None) -> tuple[str, ...]:
    e = estimate
    low, high = e.ci95
    interval = f"{low:.4g} … {high:.4g}" if e.identifiable else "not identifiable"
    remark = e.remark or ("at its bound" if e.at_bound else "")
    return (
        e.name,
        f"{e.value:.5g}",
        interval,
        _shown(e.sigma, ".2g") if e.identifiable else NOTHING,
        _shown(e.nominal, ".4g"),
        e.unit or NOTHING,
        f"{drawn.low:.4g} … {drawn.high:.4g}" if drawn else "nominal",
        remark,
    )


def _held_out(page: Page, held: HeldOut, joints: Sequence[str]) -> None:
    page.section("Motion that was not fitted")
    page.text(
        f"Measured in {held.source}, and simulated from the same commands: nominal arm "
        f"{held.nominal_error}, identified arm {1e3 * held.rmse_rad:.4g} mrad "
        "(root mean square over all joints)."
    )
    nominal = 1e3 * joint_rmse(held.measured_rad, held.nominal_rad)
    identified = 1e3 * joint_rmse(held.measured_rad, held.identified_rad)
    page.table(
        ("joint", "nominal mrad", "identified mrad", "left"),
        [
            (name, f"{a:.4g}", f"{b:.4g}", f"{b / a:.2%}" if a > 0.0 else NOTHING)
            for name, a, b in zip(joints, nominal, identified, strict=True)
        ],
        compact=True,
    )
    page.figure(
        figures.held_out_motion(held, joints),
        "Left the motion, right what each simulation misses of it.",
    )
    if held.defects:
        page.text("Defects of that bag:")
        _defects(page, held.defects)


def _residuals(page: Page, found: Identification) -> None:
    joints = found.recording.joint_names
    page.section("Residuals of the fit")
    rows = (
        ("residual", figures.IDENTIFIED, 1e3 * found.residual_rad),
        ("noise", "#8b949e", 1e3 * found.noise_rad),
    )
    page.figure(
        figures.joint_errors(rows, joints, "mrad"),
        "What the fitted model leaves of each joint's position, beside the noise that it cannot "
        "explain. A residual well above the noise points to the joint that the model gets wrong.",
    )


def _identifiability(page: Page, found: Identification) -> None:
    page.section("What the data can tell")
    if found.directions:
        page.text("Combinations that the data do not fix:")
        page.bullets(found.directions)
    else:
        page.text("No combination of the parameters is left open.")
    if found.singular_values.size:
        page.figure(
            figures.singular_values(found),
            "Sensitivity of the motion to each combination of parameters, the clearest first; a "
            "steep fall leaves those behind it open.",
        )
    if len(found.covariance_names) > 1:
        page.figure(
            figures.correlations(found),
            "Correlation of the identifiable parameters: what is dark can be exchanged for each "
            "other in part, and is drawn together.",
        )


def _excitation(page: Page, recording: Recording, robot: RobotModel) -> None:
    coverage = coverage_of(recording, robot.limits)
    joints = recording.joint_names
    page.section("Excitation")
    page.table(
        ("joint", "from rad", "to rad", "speed rad/s", "acceleration rad/s²", "reversals"),
        [
            (
                name,
                f"{coverage.low_rad[j]:.3f}",
                f"{coverage.high_rad[j]:.3f}",
                f"{coverage.speed_rad_s[j]:.3g}",
                f"{coverage.acceleration_rad_s2[j]:.3g}",
                f"{coverage.reversals[j]:.0f}",
            )
            for j, name in enumerate(joints)
        ],
        compact=True,
    )
    page.figure(figures.excitation(coverage, joints), "What the motion used of what is allowed.")
    still = np.flatnonzero((coverage.shares[:, :2] < _LEAST_SHARES).all(axis=1))
    if still.size:
        names = ", ".join(joints[j] for j in still.tolist())
        page.text(f"Hardly moved: {names}. Nothing can be told about joints at rest.")


def _bag(page: Page, recording: Recording) -> None:
    page.section("The bag")
    period_ms = 1e3 * float(np.median(np.diff(recording.time_s)))
    duration_s = float(recording.time_s[-1] - recording.time_s[0])
    page.text(
        f"{len(recording.time_s):,} joint states in {duration_s:.1f} s, one every {period_ms:.3g} "
        f"ms, {len(recording.gaps)} gaps."
    )
    commands = recording.commands
    if commands is None:
        page.text("No commands: the motion was fitted from measured efforts.")
    else:
        page.text(
            f"{len(commands.time_s):,} commands ({commands.mode}) on {commands.topic}. Controller "
            "commands carry no stamp: the time at which each was recorded counts, so that the "
            "delay holds the way to the recorder, too, and its jitter is noise of the fit."
        )
    if recording.defects:
        _defects(page, recording.defects)
    else:
        page.text("No defects were found.")


def _defects(page: Page, defects: Sequence[Defect]) -> None:
    page.table(
        ("defect", "topic", "count", "first at ns", ""),
        [(d.kind, d.topic, str(d.count), str(d.first_ns), d.text) for d in defects],
        compact=True,
    )


def _shown(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else NOTHING
