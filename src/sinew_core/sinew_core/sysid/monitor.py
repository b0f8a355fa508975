"""Tell while an arm moves whether it still is the one that was identified.

Every now and then the motion of the last horizon is predicted from the state at its beginning, as
the positions about it tell it, and the commands since. The prediction's error is compared with the
identified band; several windows in a row have to agree before the verdict changes, so that one late
command is no alarm.

Memory is of a fixed size: two rings, of states and of commands, as long as the horizon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sinew_core.bags.recording import Commands
from sinew_core.robots.arrays import Array
from sinew_core.robots.limits import JointLimits
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.gap import Simulator, predict
from sinew_core.sysid.motion import START_SPAN_S, start_state
from sinew_core.sysid.parameters import MonitorParameters
from sinew_core.sysid.residual_band import ResidualBand

_MARGIN_S = 0.1
"""What the rings hold beyond the horizon and the delay."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Judgement:
    """What one prediction came to.

    Attributes:
        residual_rad: (n,) root mean square of its error.
        share: (n,) of the limits.
        beyond: whether any joint is beyond its limit.
    """

    residual_rad: Array
    share: Array
    beyond: bool


class Ring:
    """The latest rows (k,) of numbers with their times, oldest first; never more than `size`."""

    def __init__(self, size: int, width: int) -> None:
        """Make room."""
        self._times = np.zeros(2 * size)
        self._rows = np.zeros((2 * size, width))
        self._size, self._begin, self._end = size, 0, 0

    def __len__(self) -> int:
        """Return how many there are."""
        return self._end - self._begin

    @property
    def time_s(self) -> Array:
        """Times (m,), a view."""
        return self._times[self._begin : self._end]

    @property
    def rows(self) -> Array:
        """Rows (m, k), a view."""
        return self._rows[self._begin : self._end]

    def add(self, time_s: float, row: Sequence[float]) -> None:
        """Add a row, and drop the oldest where there is no room."""
        if self._end == len(self._times):
            kept = min(len(self), self._size - 1)
            self._times[:kept] = self._times[self._end - kept : self._end]
            self._rows[:kept] = self._rows[self._end - kept : self._end]
            self._begin, self._end = 0, kept
        self._times[self._end], self._rows[self._end] = time_s, row
        self._end += 1
        self._begin = max(self._begin, self._end - self._size)

    def clear(self) -> None:
        """Forget all."""
        self._begin = self._end = 0


class GapMonitor:
    """Judges the last horizon whenever it is asked to.

    Attributes:
        warning: whether the residual has left the band.
        judged, beyond: how many predictions were judged, and how many left the band.
        last: the latest judgement, None before the first.
        waits_for: why nothing was judged when it was last asked; empty otherwise.
        restarts: how often states jumped, as after a reset, and the past was dropped.
    """

    def __init__(
        self,
        simulator: Simulator,
        params: SimParams,
        band: ResidualBand,
        mode: str,
        limits: JointLimits,
        settings: MonitorParameters,
        command_rate_hz: float = 1000.0,
    ) -> None:
        """Watch an arm whose commands are of `mode`, at most so many a second.

        Of faster ones the ring holds less than the horizon, and nothing is judged.
        """
        self._simulator, self._params, self._mode = simulator, params, mode
        self._band, self._settings, self._limits = band, settings, limits
        self._delay_s = params.dynamics.delay_s
        n = limits.n_joints
        kept_s = band.horizon_s + _MARGIN_S
        self._states = Ring(math.ceil(kept_s * settings.sample_rate_hz) + 2, n)
        self._commands = Ring(math.ceil((kept_s + self._delay_s) * command_rate_hz) + 2, n)
        self._period_s = 1.0 / settings.sample_rate_hz
        self._in_a_row = 0
        self.warning = False
        self.judged = self.beyond = self.restarts = 0
        self.last: Judgement | None = None
        self.waits_for = "joint states"

    def compile(self, position_rad: Array) -> None:
        """Predict once from rest at (n,) rad, so that no later prediction waits for a compiler."""
        still = np.zeros(len(position_rad))
        command = position_rad if self._mode == "position" else still
        commands = Commands(
            mode=self._mode, time_s=np.zeros(1), values=np.array([command]), topic=""
        )
        times = self._period_s * np.arange(3.0)
        predict(self._simulator, self._params, commands, times, position_rad, still)

    def wants(self, time_s: float) -> bool:
        """Tell whether a state of this time would be kept: most of fast ones need no decoding."""
        times = self._states.time_s
        return not times.size or not 0.0 <= time_s - times[-1] < 0.999 * self._period_s

    def state(self, time_s: float, position_rad: Sequence[float]) -> None:
        """Take a measured state of (n,) rad; velocities come of the positions."""
        if len(self._states):
            elapsed_s = time_s - float(self._states.time_s[-1])
            before = self._states.rows[-1]
            reach = 2.0 * self._limits.velocity_rad_s * max(elapsed_s, self._period_s) + 0.01
            jumped = bool((np.abs(np.asarray(position_rad) - before) > reach).any())
            if elapsed_s <= 0.0 or elapsed_s > _MARGIN_S or jumped:
                self.restart()
        self._states.add(time_s, position_rad)

    def command(self, time_s: float, values: Sequence[float]) -> None:
        """Take a command (n,) sent at a time on the clock of the states."""
        times = self._commands.time_s
        if times.size and time_s < times[-1]:
            # Stamps of one sender do not go back but after a reset; the past does not count then.
            self._commands.clear()
        if len(values) == self._limits.n_joints and np.isfinite(values).all():
            self._commands.add(time_s, values)

    def restart(self) -> None:
        """Drop the past: what comes next does not follow from it."""
        self._states.clear()
        self.restarts += 1

    def judge(self) -> Judgement | None:
        """Judge the last horizon; None, with `waits_for`, while there is not all that it takes."""
        self.waits_for = self._missing()
        if self.waits_for:
            return None
        time_s, position = self._states.time_s, self._states.rows
        first = int(np.searchsorted(time_s, time_s[-1] - self._band.horizon_s))
        start = start_state(time_s, position, first)
        commands = Commands(
            mode=self._mode, time_s=self._commands.time_s, values=self._commands.rows, topic=""
        )
        motion = predict(self._simulator, self._params, commands, time_s[first:], *start)
        error = motion.position_rad - position[first:]
        residual = np.sqrt(np.mean(np.square(error), axis=0))
        share = residual / (self._settings.band_scale * self._band.limit_rad)
        self.last = Judgement(
            residual_rad=residual, share=share, beyond=not bool((share <= 1.0).all())
        )
        self._count(self.last)
        return self.last

    def _missing(self) -> str:
        """Return what a prediction lacks."""
        states, commands = self._states.time_s, self._commands.time_s
        horizon_s, timeout_s = self._band.horizon_s, self._settings.command_timeout_s
        if states.size < 3 or states[-1] - states[0] < horizon_s + START_SPAN_S:
            return "joint states of a whole horizon"
        begin = states[-1] - horizon_s - self._delay_s
        if not commands.size or commands[0] > begin:
            return "commands of a whole horizon"
        relevant = commands[max(0, int(np.searchsorted(commands, begin, side="right")) - 1) :]
        silence_s = np.diff(np.append(relevant, max(states[-1], relevant[-1])))
        if silence_s.max() > timeout_s:
            return "commands without a pause"
        return ""

    def _count(self, judgement: Judgement) -> None:
        """Change the verdict once enough predictions in a row agree."""
        self.judged += 1
        self.beyond += judgement.beyond
        if self.warning:
            agrees = bool((judgement.share <= self._settings.clear_share).all())
            needed = self._settings.clear_after
        else:
            agrees, needed = judgement.beyond, self._settings.warn_after
        self._in_a_row = self._in_a_row + 1 if agrees else 0
        if self._in_a_row >= needed:
            self.warning = not self.warning
            self._in_a_row = 0
