"""Commands as a smooth function of time, so that a fit can shift them by any delay.

The delay is found as the delta at which tau = kp (q_cmd(t - delta) - q(t)) - kd v(t) fits best. The
cross-correlation of commands and positions is no measure of it: that finds the lag of the whole
loop, some (kd + viscous) / kp plus the delay, which is ten times as long, and moves with the gains.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline

from sinew_core.bags.recording import Commands
from sinew_core.robots.arrays import Array
from sinew_core.sysid.preprocess import Piece

_MARGIN_S = 1.0
"""How far commands are drawn on beyond a piece, for the filter to settle."""


class CommandSpline:
    """The commands that one piece of a recording was under, filtered as its motion is."""

    def __init__(
        self, commands: Commands, hold: str, rest: Array, piece: Piece, max_delay_s: float
    ) -> None:
        """Prepare; before the first command the controllers hold `rest` (n,)."""
        period_s = piece.period_s
        before = int((max_delay_s + _MARGIN_S) / period_s) + 1
        count = before + len(piece.time_s) + int(_MARGIN_S / period_s)
        grid = piece.time_s[0] + (np.arange(count) - before) * period_s
        times, values = commands.time_s, commands.values
        if hold == "linear":
            rise_s = float(np.median(np.diff(times))) if times.size > 1 else 0.0
            nodes = np.concatenate([times[:1], times + rise_s])
            means = _on_lines(nodes, np.vstack([rest, values]), grid)
        else:
            means = _step_means(times, np.vstack([rest, values]), grid, period_s)
        self._value: BSpline = make_interp_spline(grid, piece.smooth.apply(means), k=3)
        self._slope: BSpline = self._value.derivative()
        self._integral: BSpline = self._value.antiderivative()
        self._zero_s = float(piece.time_s[0])

    def value(self, time_s: Array) -> Array:
        """Return the commands (N, n) at times (N,)."""
        values: Array = self._value(time_s)
        return values

    def slope(self, time_s: Array) -> Array:
        """Return their rate of change (N, n) per second."""
        values: Array = self._slope(time_s)
        return values

    def integral(self, time_s: Array) -> Array:
        """Return their integral (N, n) in time, from the start of the piece."""
        values: Array = self._integral(time_s) - self._integral(self._zero_s)
        return values


def _step_means(times: Array, values: Array, grid: Array, period_s: float) -> Array:
    """Return the means (N, n) over one period about each time of commands that hold, exactly.

    Means, unlike samples, are continuous in the time at which a command came.
    """
    first, last = min(times[0], grid[0] - period_s), max(times[-1], grid[-1] + period_s)
    nodes = np.concatenate([[first - 1.0], times, [last + 1.0]])
    total = np.vstack([np.zeros(values.shape[1]), np.cumsum(values * np.diff(nodes)[:, None], 0)])
    edges = np.append(grid - 0.5 * period_s, grid[-1] + 0.5 * period_s)
    return np.diff(_on_lines(nodes, total, edges), axis=0) / period_s


def _on_lines(nodes: Array, values: Array, at_s: Array) -> Array:
    return np.stack([np.interp(at_s, nodes, column) for column in values.T], axis=1)
