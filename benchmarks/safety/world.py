"""The arrays over which the loops run: an arm with its drive and filter, and what is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from benchmarks.safety.cases import Case
from benchmarks.safety.plant import LATENCY, PERIOD, Array, Counts, drive_constants
from sinew_core.safety import equations as eq
from sinew_core.safety import position_equations as peq
from sinew_core.safety.constants import filter_constants, position_constants
from sinew_core.safety.parameters import SafetyParameters

# The filter's equations, which take rows of any kind; numba compiles them over arrays.
step_arm: Callable[..., int] = eq.step_arm
step_positions: Callable[..., int] = peq.step_positions
reset_arm: Callable[..., None] = register_jitable(eq.reset_arm)
reset_positions: Callable[..., None] = register_jitable(peq.reset_positions)

# Entries of `counts`. A step is a step of one joint.
(
    STEPS,
    EPISODES,
    OUT_OF_RANGE,
    TOO_FAST,
    TOO_HARD,
    NOT_PASSED,
    NOT_AT_REST,
    INFEASIBLE,
    UNSAFE,
    CHANGED,
    SAFE,
    OUTSIDE,
    TOO_JERKY,
    TOO_CLOSE,
    N_COUNTS,
) = range(15)
VIOLATIONS = (OUT_OF_RANGE, TOO_FAST, TOO_HARD, NOT_PASSED, NOT_AT_REST, TOO_JERKY, TOO_CLOSE)
# Entries of `measures`: least distance to what must hold (rad), greatest overshoot of a position
# limit (rad), the sums of |sent - asked| (rad/s) of unsafe and of safe commands, and the least
# distance beyond the clearance of two parts (m).
NEAREST, OVERSHOOT, CHANGE, LOST, CLEAREST, N_MEASURES = range(6)
# Rows of `bounds` (4, n): what must hold.
LEAST, GREATEST, SPEED, ACCELERATION = range(4)

TOLERANCE = 1e-9
"""Rad, rad/s and rad/s^2 beyond which a limit counts as violated."""


class Limiter(NamedTuple):
    """A filter's constants as `equations` index them, its drive, and what must hold.

    `memory` is how many commands the filter remembers.
    """

    memory: int
    joints: Array
    model: Array
    drive: Array
    bounds: Array


class Arm(NamedTuple):
    """What changes from period to period; one set serves many arms, one after the other."""

    state: Array
    history: Array
    plant: Array
    past: Array
    desired: Array
    measured: Array
    out: Array
    before: Array
    causes: Counts
    modes: Counts
    sides: Array


def velocity_limiter(case: Case, trusted: SafetyParameters | None = None) -> Limiter:
    """Return the velocity filter of a case, which may trust other assumptions than hold.

    Without drift the limits less margin hold. With it the margin takes up the drift at rest.
    """
    p, limits = case.parameters, case.limits
    trusted = trusted or p
    joints, model = filter_constants(limits, trusted, case.period_s)
    memory = trusted.max_latency_periods + 1
    inset = 0.0 if p.drift_rad_s > 0.0 else p.margin_rad
    gain = 1.0 + p.gain_error
    bounds = [
        limits.position_lower_rad + inset,
        limits.position_upper_rad - inset,
        (limits.velocity_rad_s * p.velocity_scale - p.drift_rad_s) / gain,
        limits.acceleration_rad_s2 * p.acceleration_scale * (1.0 - p.jitter) / gain,
    ]
    drive = drive_constants(p, case.period_s)
    return Limiter(memory, np.array(joints), np.array(model), drive, np.array(bounds))


def position_limiter(case: Case) -> Limiter:
    """Return the position filter of a case; the bounds are those of the reference."""
    p, limits = case.parameters, case.limits
    joints, model = position_constants(limits, p, case.period_s)
    inset, scale = p.margin_rad + p.tracking_error_rad, 1.0 - p.jitter
    bounds = [
        limits.position_lower_rad + inset,
        limits.position_upper_rad - inset,
        limits.velocity_rad_s * p.velocity_scale * scale,
        limits.acceleration_rad_s2 * p.acceleration_scale * scale,
    ]
    drive = drive_constants(p, case.period_s)
    memory = p.max_latency_periods + 2
    return Limiter(memory, np.array(joints), np.array(model), drive, np.array(bounds))


@register_jitable
def make_arm(limiter: Limiter) -> Arm:
    """Return the arrays of an arm."""
    n = limiter.joints.shape[1]
    latency = int(limiter.drive[LATENCY]) + 2
    return Arm(
        np.zeros((3, n)),
        np.zeros((limiter.memory, n)),
        np.zeros((4, n)),
        np.zeros((latency, 5, n)),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
        np.zeros(n),
    )


def new_totals() -> tuple[Counts, Array]:
    """Return counts and measures of nothing."""
    measures = np.zeros(N_MEASURES)
    measures[[NEAREST, CLEAREST]] = np.inf
    return np.zeros(N_COUNTS, dtype=np.int64), measures


def add_totals(counts: Counts, measures: Array, more: Counts, other: Array) -> None:
    """Add the totals `more` and `other` to the first ones."""
    least = np.minimum(measures, other)[[NEAREST, CLEAREST]]
    overshoot = max(measures[OVERSHOOT], other[OVERSHOOT])
    counts += more
    measures += other
    measures[[NEAREST, CLEAREST]], measures[OVERSHOOT] = least, overshoot


@register_jitable
def check_range(
    limiter: Limiter, j: int, least: float, greatest: float, counts: Counts, measures: Array
) -> None:
    """Count whether joint `j` left its range between two samples, and how near it came."""
    room = min(least - limiter.bounds[LEAST, j], limiter.bounds[GREATEST, j] - greatest)
    measures[NEAREST] = min(measures[NEAREST], room)
    if not room >= -TOLERANCE:
        counts[OUT_OF_RANGE] += 1


@register_jitable
def check_motion(
    limiter: Limiter, j: int, before: float, after: float, rounding: float, counts: Counts
) -> None:
    """Count whether a velocity is too high, or too far from the one before it, a period ago."""
    if not abs(after) <= limiter.bounds[SPEED, j] + TOLERANCE:
        counts[TOO_FAST] += 1
    change = limiter.bounds[ACCELERATION, j] * limiter.drive[PERIOD]
    if not abs(after - before) <= change + rounding:
        counts[TOO_HARD] += 1


@register_jitable
def check_fault(fault: int, counts: Counts) -> bool:
    """Count a cycle without a feasible command; return whether the filter has given up."""
    if fault in (eq.BOUNDS_CONFLICT, eq.OBSERVER_EMPTY):
        counts[INFEASIBLE] += 1
    return fault == eq.OBSERVER_EMPTY


@register_jitable
def check_passing(arm: Arm, j: int, counts: Counts, measures: Array) -> None:
    """Count whether a command passed bit for bit, or by how much it was changed."""
    asked, sent = arm.desired[j], arm.out[j]
    if arm.causes[j] == eq.NO_CAUSE:
        if sent != asked:
            counts[NOT_PASSED] += 1
    elif asked - asked == 0.0:
        counts[CHANGED] += 1
        counts[UNSAFE] += 1
        measures[CHANGE] += abs(sent - asked)
