"""The braking manoeuvre of a whole arm: the box that surely holds it during any of its periods.

Closed form, so that a stop of a thousand periods costs no more than a short one. Runs as Python.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sinew_core.safety.certified_equations import HOLD, JERK_STEP, RADIUS, ROUNDING, WISH
from sinew_core.safety.equations import (
    COMMAND,
    DRIFT,
    EDGE,
    MOTION_LEAST,
    MOTION_MOST,
    REST_LOWER,
    REST_UPPER,
    SPEED_STEP,
    Row,
    Rows,
)
from sinew_core.safety.jerk import crossing, overshoot, ramp_change, settle, whole_periods

Box = tuple[list[float], list[float]]
"""Centre and half extents (n,) rad."""
Phase = tuple[float, float, float, float]
"""Periods, the velocity before them, its first change, and how that changes each period."""


def brake_phases(
    before: float, command: float, speed_step: float, jerk_step: float, rounding: float
) -> list[Phase]:
    """Return the phases of a period of `command` after `before` and of braking; see `jerk`."""
    step = command - before
    sign = 1.0 if command > 0.0 or (command == 0.0 and step > 0.0) else -1.0
    x, y = sign * command, sign * step
    phases = [(1.0, before, step, 0.0)]
    if jerk_step < 2.0 * speed_step:
        depth, ahead = overshoot(x, y, jerk_step, rounding)
        if depth > 0.0:
            m = whole_periods(ahead)
            phases.append((m, sign * x, sign * (y + jerk_step), sign * jerk_step))
            last = x + m * y + 0.5 * jerk_step * m * (m + 1.0)
            x, y = crossing(x, y, m, jerk_step)
            phases.append((1.0, sign * last, -sign * (x + last), 0.0))
            sign = -sign
    m, p, n, x1, x2, pull = settle(x, y, speed_step, jerk_step)
    phases.append((m, sign * x, sign * (y - jerk_step), -sign * jerk_step))
    phases.append((p, sign * x1, -sign * speed_step, 0.0))
    phases.append((n, sign * x2, -sign * pull, sign * jerk_step))
    return [phase for phase in phases if phase[0] > 0.0]


class JointPlan:
    """How far one joint's commands have moved it, forwards and backwards, after k periods.

    Attributes:
        periods: until the command is zero for good.
        turn: the period after which the sign of the command changes, 0 if it never does.
        fastest, slowest: the greatest and the least velocity.
    """

    def __init__(
        self, before: float, command: float, speed_step: float, jerk_step: float, rounding: float
    ) -> None:
        """Add up the phases."""
        self._before = before
        self._phases: list[tuple[float, float, float, Phase]] = []
        at = forwards = backwards = 0.0
        self.turn = 0.0
        positive = command > 0.0 or (command == 0.0 and before < 0.0)
        x, y = (command, command - before) if positive else (-command, before - command)
        back, _ = overshoot(x, y, jerk_step, rounding)
        peak = x + ramp_change(y - jerk_step, jerk_step) if y > jerk_step else x
        self.fastest, self.slowest = (peak, -back) if positive else (back, -peak)
        for phase in brake_phases(before, command, speed_step, jerk_step, rounding):
            self._phases.append((at, forwards, backwards, phase))
            area = _area(phase, phase[0])
            if self.turn == 0.0 and area * (forwards - backwards) < 0.0:
                self.turn = at
            if area > 0.0:
                forwards += area
            else:
                backwards -= area
            at += phase[0]
        self.periods = at
        self._end = (forwards, backwards, 0.0)

    def after(self, k: float) -> tuple[float, float, float]:
        """Return the areas of positive and negative velocity after k periods, and the velocity."""
        if k <= 0.0:
            return 0.0, 0.0, self._before
        if k > self.periods:
            return self._end
        for at, forwards, backwards, phase in self._phases:
            i = k - at
            if i <= phase[0]:
                area = _area(phase, i)
                velocity = phase[1] + i * phase[2] + 0.5 * phase[3] * i * (i - 1.0)
                if area > 0.0:
                    return forwards + area, backwards, velocity
                return forwards, backwards - area, velocity
        return self._end


def _area(phase: Phase, i: float) -> float:
    _, v, w, dw = phase
    return i * v + 0.5 * w * i * (i + 1.0) + dw * (i - 1.0) * i * (i + 1.0) / 6.0


class PlainPlan:
    """`JointPlan` for a joint whose jerk limit cannot bind: it only slows down, evenly."""

    turn = 0.0

    def __init__(self, before: float, command: float, speed_step: float) -> None:
        """Take the constants."""
        self._before, self._speed, self._step = before, abs(command), speed_step
        self._forwards = command > 0.0
        self.periods = math.floor(self._speed / speed_step) + 1.0
        self.fastest, self.slowest = max(command, 0.0), min(command, 0.0)

    def after(self, k: float) -> tuple[float, float, float]:
        """Return what `JointPlan.after` does."""
        if k <= 0.0:
            return 0.0, 0.0, self._before
        speed = self._speed - (k - 1.0) * self._step
        if speed < 0.0:
            k, speed = self.periods, 0.0
        area = k * (self._speed - 0.5 * self._step * (k - 1.0))
        return (area, 0.0, speed) if self._forwards else (0.0, area, -speed)


def joint_plan(
    before: float, command: float, speed_step: float, jerk_step: float, rounding: float
) -> JointPlan | PlainPlan:
    """Return the plan of a period of `command` after `before` and of the braking law."""
    if jerk_step >= 2.0 * speed_step:
        return PlainPlan(before, command, speed_step)
    return JointPlan(before, command, speed_step, jerk_step, rounding)


class BrakePlan:
    """The sets that hold an arm while it runs a period of WISH and then brakes.

    Attributes:
        periods: until the arm rests, the outstanding part of its motion included.
    """

    def __init__(self, joints: Sequence[Row], model: Row, state: Rows) -> None:
        """Plan each joint's manoeuvre."""
        self._model = model
        self._plans = [
            joint_plan(*each, model[ROUNDING])
            for each in zip(
                state[COMMAND], state[WISH], joints[SPEED_STEP], joints[JERK_STEP], strict=True
            )
        ]
        hold, radius = model[HOLD], model[RADIUS]
        self._outer = [
            (lower - radius + hold * plan.slowest, upper + radius + hold * plan.fastest)
            for plan, lower, upper in zip(
                self._plans, state[REST_LOWER], state[REST_UPPER], strict=True
            )
        ]
        self.periods = max(plan.periods for plan in self._plans) + 1.0
        self._turns = [plan.turn for plan in self._plans]
        self._moved: dict[float, tuple[list[float], list[float], list[float]]] = {}

    def box(self, first: float, last: float) -> Box:
        """Return what holds the arm from the end of period `first` to the end of period `last`."""
        below, above, velocity = self._after(first)
        lows, highs, _ = self._after(last)
        edge, drift = self._model[EDGE], self._model[DRIFT] * last
        centre, half = [], []
        rows = zip(below, above, velocity, lows, highs, self._turns, self._outer, strict=True)
        for j, (low, high, v, low_then, high_then, turn, (lower, upper)) in enumerate(rows):
            if v > 0.0:
                low -= edge * v
            else:
                high -= edge * v
            if first < turn < last:
                lows_there, highs_there, _ = self._after(turn)
                low, high = min(low, lows_there[j]), max(high, highs_there[j])
            low = (low_then if low_then < low else low) + (lower - drift)
            high = (high_then if high_then > high else high) + (upper + drift)
            centre.append(0.5 * (low + high))
            half.append(0.5 * (high - low))
        return centre, half

    def middle(self, first: float, last: float) -> float:
        """Return the whole period between two that about halves the way between them."""
        at, then = sum(map(abs, self._after(first)[2])), sum(map(abs, self._after(last)[2]))
        part = 0.5
        if abs(at - then) > 1e-6 * (at + then):
            part = (at - math.sqrt(0.5 * (at * at + then * then))) / (at - then)
        return min(max(float(round(first + part * (last - first))), first + 1.0), last - 1.0)

    def _after(self, k: float) -> tuple[list[float], list[float], list[float]]:
        """Return how far the joints' rest intervals have moved at both ends, and the velocities."""
        known = self._moved.get(k)
        if known is not None:
            return known
        most, least = self._model[MOTION_MOST], self._model[MOTION_LEAST]
        low, high, velocities = [], [], []
        for plan in self._plans:
            forwards, backwards, velocity = plan.after(k)
            low.append(least * forwards - most * backwards)
            high.append(most * forwards - least * backwards)
            velocities.append(velocity)
        moved = self._moved[k] = (low, high, velocities)
        return moved
