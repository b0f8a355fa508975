"""Commands as a function of time that a fit can shift by any delay.

The delay is found as the delta at which tau = kp (q_cmd(t - delta) - q(t)) - kd v(t) fits best. The
cross-correlation of commands and positions is no measure of it: that finds the lag of the whole
loop, some (kd + viscous) / kp beside the delay, which is ten times as long, and moves with the
gains.

Commands that hold until the next make efforts a sawtooth, of kp times what a joint moves in one
command period. Its mean moves the arm; a published effort is a point of it, at times that may well
be in step with the commands. So there are two views of the same commands: the mean over a sampling
period about a time, and what was in force at a stamp.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline

from sinew_core.bags.recording import Commands
from sinew_core.robots.arrays import Array
from sinew_core.sysid.preprocess import Piece, resampled

_MARGIN_S = 1.0
"""How far commands are drawn on beyond a piece, for the filter to settle."""
_LINE_POINTS = 16
"""Per command period, to which a straight line is cut for its integral."""


class CommandSignal:
    """The commands that one piece of a recording was under, filtered as its motion is."""

    def __init__(
        self, commands: Commands, hold: str, rest: Array, piece: Piece, max_delay_s: float
    ) -> None:
        """Prepare; before the first command the controllers hold `rest` (n,)."""
        self._piece = piece
        period_s = piece.period_s
        before = int((max_delay_s + _MARGIN_S) / period_s) + 1
        count = before + len(piece.time_s) + int(_MARGIN_S / period_s)
        grid = piece.time_s[0] + (np.arange(count) - before) * period_s
        ends_s = (float(grid[0]) - _MARGIN_S, float(grid[-1]) + _MARGIN_S)
        self._nodes, self._total = _integral(commands, hold, rest, ends_s)
        smooth = piece.smooth.apply(self._mean(grid + 0.5 * period_s, period_s))
        self._value: BSpline = make_interp_spline(grid, smooth, k=3)
        self._slope: BSpline = self._value.derivative()
        self._way: BSpline = self._value.antiderivative()

    def value(self, time_s: Array) -> Array:
        """Return the means (N, n) of the commands about times (N,)."""
        values: Array = self._value(time_s)
        return values

    def slope(self, time_s: Array) -> Array:
        """Return their rate of change (N, n) per second."""
        values: Array = self._slope(time_s)
        return values

    def integral(self, time_s: Array) -> Array:
        """Return their integral (N, n) in time, from the start of the piece."""
        values: Array = self._way(time_s) - self._way(float(self._piece.time_s[0]))
        return values

    def in_force(self, age_s: float, drive_period_s: float) -> tuple[Array, Array]:
        """Return what the efforts of the piece's rows answered (T, n), and its rate of change.

        That is the mean over the drive's period before each stamp, at an age of `age_s`; filtered
        after that, as the efforts are. The rate is that of the seen, by a sooner age.
        """
        raw_s, h = self._piece.raw_time_s, drive_period_s
        seen = [self._mean(raw_s - age_s + shift, h) for shift in (-0.5 * h, 0.0, 0.5 * h)]
        smooth = self._piece.filtered(resampled(raw_s, np.hstack(seen), self._piece.time_s))
        before, value, after = np.split(smooth, 3, axis=1)
        return value, (after - before) / h

    def _mean(self, until_s: Array, period_s: float) -> Array:
        """Return the exact means (N, n) over periods that end at times (N,).

        Means, unlike samples, are continuous in the time at which a command came.
        """
        ends, starts = (
            resampled(self._nodes, self._total, at) for at in (until_s, until_s - period_s)
        )
        return (ends - starts) / period_s


def _integral(
    commands: Commands, hold: str, rest: Array, ends_s: tuple[float, float]
) -> tuple[Array, Array]:
    """Return times (m,) and the integral of the commands until then (m, n)."""
    times, values = commands.time_s, np.vstack([rest, commands.values])
    first, last = min(ends_s[0], times[0] - 1.0), max(ends_s[1], times[-1] + 1.0)
    if hold == "linear" and times.size > 1:
        # From each command on a straight line to it, which takes one command period.
        rise_s = float(np.median(np.diff(times)))
        corners = np.concatenate([[first], times[:1], times + rise_s, [last + rise_s]])
        held = np.vstack([rest, values, values[-1:]])
        nodes = np.arange(first, last, rise_s / _LINE_POINTS)
        values = resampled(corners, held, nodes[:-1] + 0.5 * rise_s / _LINE_POINTS)
    else:
        nodes = np.concatenate([[first], times, [last]])
    total = np.cumsum(values * np.diff(nodes)[:, None], axis=0)
    return nodes, np.vstack([np.zeros_like(rest), total])
