r"""Braking under a jerk limit: the law, and in closed form where it leads.

Plain functions over floats, run as Python and compiled, as in `equations`. Per joint and in the
units of one period: `v` the last command, `w` its last change (acceleration times dt), `W` = A dt
the largest change, `D` = J dt^2 the largest change of it.

    S(w) = sum_k max(w - k D, 0)        how much velocity changes while w falls to zero
    U(x)                                its inverse: the largest w that falls to zero within x

*The law.* w' = clamp(-sgn(v) min(W, U(|v|)), w - D, w + D), v' = v + w'. Since S(w - D) = S(w) - w,
a joint on the curve |w| = U(|v|) stays on it, one that brakes less hard reaches it or W and stays,
and both end at v = w = 0 exactly. One that brakes too hard (only a command that turned around does)
keeps S(-w - D) - v > 0 until it has crossed zero by just that, and comes back from there.

*Where it leads.* At most two lobes of one sign each, and in each at most a ramp (w changes by D),
a stretch at W and the final curve, whose lengths and areas have closed forms. For D >= 2 W the
jerk limit never binds and the law is that of `equations.braked`.

*Order.* For a given past, every velocity of the law is non-decreasing in the command u it starts
from: along a ramp by 1, 2, 3, ...; on the curve by a factor 1 - U'(v) >= 0 each period, and from
there it never goes back to a ramp. So are the areas, and the set of certified u is an interval,
which the law's own next command b lies in.
"""

from __future__ import annotations

import math

SAME_STEP = 1e-12
"""Relative: commands keep rounding of about 1e-16 rad/s, which must not look like jerk."""
ROUNDING_RAD_S = 1e-14
"""Of velocity commands: the law ends at zero where it would go on by less. Positions have more."""

Lobes = tuple[float, float, float, float, float, float]
"""Area (rad/s times periods), periods and peak (rad/s) of the first lobe and of the second.

The periods are real numbers, up to one more than those in motion: they fall by exactly one in each
period, which whole ones would not where rounding decides.
"""


def ramp_change(step: float, jerk_step: float) -> float:
    """Return S(w), by how much velocity changes while `step` >= 0 falls to zero by `jerk_step`."""
    whole = float(math.floor(step / jerk_step))
    part = step / jerk_step - whole
    return jerk_step * (0.5 * whole * (whole + 1.0) + (whole + 1.0) * part)


def largest_step(change: float, jerk_step: float) -> float:
    """Return U(x), the largest step that falls to zero within `change` >= 0; inverse of S."""
    if change <= jerk_step:
        return change
    x = change / jerk_step
    n = float(math.floor(0.5 * (math.sqrt(1.0 + 8.0 * x) - 1.0)))
    return jerk_step * (n + (x - 0.5 * n * (n + 1.0)) / (n + 1.0))


def braked_smoothly(
    command: float, step: float, speed_step: float, jerk_step: float, rounding: float
) -> float:
    """Return the command one period later under the braking law.

    Args:
        command: v.
        step: w, the last change of the command.
        speed_step: W.
        jerk_step: D.
        rounding: of commands, in rad/s, so that the law ends at zero and not beside it.
    """
    if jerk_step >= 2.0 * speed_step:
        if command > speed_step:
            return command - speed_step
        if command < -speed_step:
            return command + speed_step
        return 0.0
    x, y = (command, step) if command >= 0.0 else (-command, -step)
    pull = speed_step
    # S(W) <= W (W / D + 1) / 2 + D / 8: beyond that the curve is out of reach.
    if x < 0.5 * speed_step * (speed_step / jerk_step + 1.0) + jerk_step:
        pull = largest_step(x, jerk_step)
        if pull > speed_step:
            pull = speed_step
    if pull > jerk_step - y + rounding:
        pull = jerk_step - y
    elif pull < -y - jerk_step - rounding:
        pull = -y - jerk_step
    return x - pull if command >= 0.0 else pull - x


def settle(
    x: float, y: float, speed_step: float, jerk_step: float
) -> tuple[float, float, float, float, float, float]:
    """Return how a joint at speed x >= 0 that does not brake too hard comes to rest.

    A ramp of m periods, p at the largest deceleration and n on the final curve, before the period
    that ends at zero. With w = D (1 - n0 - f0) the ramp's period n - n0 ends it where
    n >= sqrt(f0^2 + C / 2) - f0, C = 2 v / D + n0^2 - n0 (1 - 2 f0) - 2 f0 (the curve), or where
    n >= W / D - f0 (the largest deceleration).

    Returns:
        m, p, n, the speed after the ramp, the speed after p, and the first step of the curve.
    """
    if jerk_step >= 2.0 * speed_step:
        p = float(math.floor(x / speed_step))
        return 0.0, p, 0.0, x, x - p * speed_step, x - p * speed_step
    turn = 1.0 - y / jerk_step
    n0 = float(math.floor(turn))
    f0 = turn - n0
    square = f0 * f0 + x / jerk_step + 0.5 * (n0 * n0 - n0 * (1.0 - 2.0 * f0)) - f0
    curve = math.sqrt(square) - f0 if square > 0.0 else 0.0
    # Comparisons, since calls of min and max would take a fifth of the time.
    hardest = speed_step / jerk_step - f0
    last = float(math.ceil(curve if curve < hardest else hardest))
    m = (last if last > 0.0 else 0.0) - n0
    m = m if m > 0.0 else 0.0
    x1 = x + m * y - 0.5 * jerk_step * m * (m + 1.0)
    x1 = x1 if x1 > 0.0 else 0.0
    full = ramp_change(speed_step, jerk_step)
    p = float(math.floor((x1 - full) / speed_step)) + 1.0 if x1 >= full else 0.0
    x2 = x1 - p * speed_step
    x2 = x2 if x2 > 0.0 else 0.0
    pull = largest_step(x2, jerk_step)
    return m, p, float(math.floor(pull / jerk_step)), x1, x2, pull


def overshoot(x: float, y: float, jerk_step: float, rounding: float) -> tuple[float, float]:
    """Return by how much a joint at speed x >= 0 that brakes too hard crosses zero, and when.

    By no more than `rounding` (rad/s) it does not.

    Returns:
        The depth, 0 for a joint that does not brake too hard, and the real number of periods.
    """
    hard = -y - jerk_step
    if hard <= 0.0:
        return 0.0, 0.0
    depth = ramp_change(hard, jerk_step) - x
    if depth <= SAME_STEP * x or depth <= rounding:
        return 0.0, 0.0
    return depth, max((hard - largest_step(depth, jerk_step)) / jerk_step, 0.0)


def settled_area(x: float, y: float, speed_step: float, jerk_step: float) -> tuple[float, float]:
    """Return the area from speed x >= 0 to rest, without x itself, and its periods in motion."""
    m, p, n, x1, x2, pull = settle(x, y, speed_step, jerk_step)
    area = m * x + 0.5 * y * m * (m + 1.0) - jerk_step * m * (m + 1.0) * (m + 2.0) / 6.0
    area += p * x1 - 0.5 * speed_step * p * (p + 1.0)
    area += n * x2 - 0.5 * pull * n * (n + 1.0) + jerk_step * (n - 1.0) * n * (n + 1.0) / 6.0
    rate = jerk_step if jerk_step < 2.0 * speed_step else speed_step
    return area, m + p + pull / rate


def brake_lobes(
    command: float, step: float, speed_step: float, jerk_step: float, rounding: float
) -> Lobes:
    """Return the lobes of the law from `command` on, its own period included.

    The first lobe has the sign of the command, of `step` if that is 0, the second the other.
    """
    positive = command > 0.0 or (command == 0.0 and step > 0.0)
    x, y = (command, step) if positive else (-command, -step)
    depth, ahead = 0.0, 0.0
    if jerk_step < 2.0 * speed_step:
        depth, ahead = overshoot(x, y, jerk_step, rounding)
    if depth == 0.0:
        area, periods = settled_area(x, y, speed_step, jerk_step)
        peak = x
        if y > jerk_step and jerk_step < 2.0 * speed_step:
            peak = x + ramp_change(y - jerk_step, jerk_step)
        return x + area, 1.0 + periods if x + area > 0.0 else 0.0, peak, 0.0, 0.0, 0.0
    m = whole_periods(ahead)
    first = x + m * x + 0.5 * y * m * (m + 1.0) + jerk_step * m * (m + 1.0) * (m + 2.0) / 6.0
    x0, y0 = crossing(x, y, m, jerk_step)
    area, periods = settled_area(x0, y0, speed_step, jerk_step)
    return first, 1.0 + ahead, x, x0 + area, 1.0 + periods, depth


def whole_periods(ahead: float) -> float:
    """Return after how many whole periods of `overshoot` the speed is still above zero."""
    return max(float(math.ceil(ahead)) - 1.0, 0.0)


def crossing(x: float, y: float, m: float, jerk_step: float) -> tuple[float, float]:
    """Return speed and step, the other way, in the period after the m that end at speed > 0."""
    y0 = y + (m + 1.0) * jerk_step
    x0 = x + (m + 1.0) * y + 0.5 * jerk_step * (m + 1.0) * (m + 2.0)
    return max(-x0, 0.0), -y0
