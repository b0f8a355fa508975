"""The sim-to-real gap of a recorded motion: what a simulation makes of the recorded commands.

Two measures, joint by joint:

- the free run starts once, where the motion starts, and is never corrected: it is what a policy
  that is trained in this simulation lives with. A joint controller holds it near the real motion
  and hides errors; without one errors add up for ever.
- the prediction starts again from the measured positions every `horizon_s`, so that neither
  happens: the error is that of the model over one horizon.

Where the simulated arm diverges, its figures are nan.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from sinew_core.bags.recording import Commands, Recording
from sinew_core.errors import BagError, UnstableError
from sinew_core.robots.arrays import Array
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation.rollout import Motion
from sinew_core.sysid.motion import START_SPAN_S, segments, smooth_derivative, start_state

State: TypeAlias = tuple[Array, Array]
"""Position and velocity (n,), in rad and rad/s."""

HORIZON_S = 0.5
_BEFORE_S = 0.2
"""Commands so long before a start, and the delay, go into a roll-out."""


class Simulator(Protocol):
    """What rolls recorded commands out, such as `Plant` or `EnginePlant`."""

    def roll_out(
        self,
        params: SimParams,
        commands: Commands,
        start_position_rad: Array,
        start_velocity_rad_s: Array,
        sample_time_s: Array,
    ) -> Motion:
        """Return the motion at the sample times, which starts with the first of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Difference:
    """Of one quantity of n joints: root mean square and largest, each (n,) in its unit."""

    rms: Array
    largest: Array

    @classmethod
    def of(cls, errors: Array) -> Difference:
        """Return that of errors (N, n)."""
        return cls(rms=np.sqrt(np.mean(errors**2, axis=0)), largest=np.max(np.abs(errors), axis=0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Gap:
    """How far a simulated arm was from the measured one.

    Attributes:
        label: of the parameters, `nominal` or `identified`.
        time_s: (N,) of the samples compared.
        measured_rad, simulated_rad: (N, n) of the free run.
        position, velocity, effort: of the free run, in rad, rad/s and N m; None where the bag has
            no efforts.
        horizon_s: after which each prediction ends.
        predicted_position, predicted_velocity: of all predictions.
        window_rms_rad: (w, n) root mean square of each prediction's position error.
    """

    label: str
    time_s: Array
    measured_rad: Array
    simulated_rad: Array
    position: Difference
    velocity: Difference
    effort: Difference | None
    horizon_s: float
    predicted_position: Difference
    predicted_velocity: Difference
    window_rms_rad: Array

    @property
    def diverges(self) -> bool:
        """Whether the simulated arm diverges within a prediction, or could not be simulated."""
        return not bool(np.isfinite(self.window_rms_rad).all())


class NoSimulator:
    """Stands for an arm that no steps are fine enough for: whatever it is told, it diverges."""

    def roll_out(self, *_args: object, **_named: object) -> Motion:
        """Raise `UnstableError`."""
        raise UnstableError("no steps are fine enough for this arm: give it smaller gains")


def measure_gap(
    recording: Recording,
    simulator: Simulator,
    params: SimParams,
    label: str,
    horizon_s: float = HORIZON_S,
) -> Gap:
    """Replay a recording's commands with one set of parameters.

    Raises:
        BagError: when there are no commands, or no motion after the first of them.
    """
    commands, pieces = _replayable(recording)
    velocity = measured_velocity(recording)
    time_s, q = recording.time_s, recording.position_rad
    windows, starts = _predictions(time_s, q, pieces, horizon_s)
    run = functools.partial(_run, simulator, params, commands)
    predicted = [run(time_s[w], start) for w, start in zip(windows, starts, strict=True)]
    places = [start_state(time_s[p], q[p], 0)[0] for p in pieces]
    free = [run(time_s[p], (a, velocity[p.start])) for p, a in zip(pieces, places, strict=True)]
    rows, window_rows = _rows(pieces), _rows(windows)
    simulated = np.concatenate([m.position_rad for m in free])
    speed = np.concatenate([m.velocity_rad_s for m in free])
    misses = [m.position_rad - q[w] for m, w in zip(predicted, windows, strict=True)]
    speed_misses = np.concatenate([m.velocity_rad_s for m in predicted]) - velocity[window_rows]
    effort = None
    if recording.effort_nm is not None:
        given = np.concatenate([m.effort_nm for m in free])
        # An effort is that of the motors until its sample: no run tells that of its first.
        firsts = np.cumsum([0, *(p.stop - p.start for p in pieces[:-1])])
        effort = Difference.of(np.delete(given - recording.effort_nm[rows], firsts, axis=0))
    return Gap(
        label=label,
        time_s=time_s[rows],
        measured_rad=q[rows],
        simulated_rad=simulated,
        position=Difference.of(simulated - q[rows]),
        velocity=Difference.of(speed - velocity[rows]),
        effort=effort,
        horizon_s=horizon_s,
        predicted_position=Difference.of(np.concatenate(misses)),
        predicted_velocity=Difference.of(speed_misses),
        window_rms_rad=np.array([np.sqrt(np.mean(miss**2, axis=0)) for miss in misses]),
    )


def predict(
    simulator: Simulator,
    params: SimParams,
    commands: Commands,
    time_s: Array,
    start_position_rad: Array,
    start_velocity_rad_s: Array,
) -> Motion:
    """Return the motion at times (N,) from a state at the first; late commands are left out."""
    first = time_s[0] - params.dynamics.delay_s - _BEFORE_S
    low = max(0, int(np.searchsorted(commands.time_s, first)) - 2)
    high = int(np.searchsorted(commands.time_s, time_s[-1], side="right")) + 1
    needed = Commands(
        mode=commands.mode,
        time_s=commands.time_s[low:high],
        values=commands.values[low:high],
        topic=commands.topic,
    )
    return simulator.roll_out(params, needed, start_position_rad, start_velocity_rad_s, time_s)


def windows_of(time_s: Array, piece: slice, horizon_s: float) -> list[slice]:
    """Return the samples of each prediction in a piece without gaps, one after the other."""
    edges = np.arange(time_s[piece.start], time_s[piece.stop - 1] + 1e-9, horizon_s)
    starts = [piece.start + int(i) for i in np.searchsorted(time_s[piece], edges)]
    windows = [slice(a, b + 1) for a, b in itertools.pairwise(starts)]
    return [w for w in windows if w.stop - w.start > 1] or [piece]


def measured_velocity(recording: Recording) -> Array:
    """Return the velocities (N, n), of smoothed positions where the bag has none."""
    if recording.velocity_rad_s is not None:
        return recording.velocity_rad_s
    velocity = np.zeros_like(recording.position_rad)
    for piece in segments(recording):
        q, time_s = recording.position_rad[piece], recording.time_s[piece]
        velocity[piece] = smooth_derivative(q, time_s, 1)
    return velocity


def _replayable(recording: Recording) -> tuple[Commands, list[slice]]:
    """Return the commands, and the pieces of motion that have some before them."""
    commands = recording.commands
    if commands is None or not commands.time_s.size:
        raise BagError(
            f"bag '{recording.source}' has no commands to replay: record the controller's commands "
            "too, or name their topic with command_topic:="
        )
    begun = int(np.searchsorted(recording.time_s, commands.time_s[0]))
    pieces = [slice(max(p.start, begun), p.stop) for p in segments(recording)]
    pieces = [p for p in pieces if p.stop - p.start > 1]
    if not pieces:
        raise BagError(
            f"bag '{recording.source}' has no joint states after its first command: record both at "
            "the same time"
        )
    return commands, pieces


def _predictions(
    time_s: Array, position_rad: Array, pieces: Sequence[slice], horizon_s: float
) -> tuple[list[slice], list[State]]:
    """Return the samples of each prediction, and the state that it starts in.

    They begin where there are samples on both sides of the start, as those of the monitor do.
    """
    windows, starts = [], []
    for piece in pieces:
        times = time_s[piece]
        inside = max(1, int(np.searchsorted(times, times[0] + START_SPAN_S)))
        whole = times[-1] - times[min(inside, times.size - 1)] >= horizon_s
        settled = slice(piece.start + inside, piece.stop) if whole else piece
        for window in windows_of(time_s, settled, horizon_s):
            windows.append(window)
            starts.append(start_state(times, position_rad[piece], window.start - piece.start))
    return windows, starts


def _run(
    simulator: Simulator, params: SimParams, commands: Commands, time_s: Array, start: State
) -> Motion:
    """Return a run at times (N,) from a state at the first; where it diverges, all is nan."""
    try:
        return predict(simulator, params, commands, time_s, *start)
    except UnstableError:
        nothing = np.full((time_s.size, start[0].size), np.nan)
        return Motion(position_rad=nothing, velocity_rad_s=nothing, effort_nm=nothing)


def _rows(pieces: Sequence[slice]) -> Array:
    rows: Array = np.concatenate([np.arange(p.start, p.stop) for p in pieces])
    return rows
