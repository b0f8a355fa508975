"""Pieces of a recorded motion that are simulated from their own start.

Where a controller is closed around the arm, a piece lasts from one gap of the recording to the
next: errors of the start fade, and nothing is gained by starting anew. Where efforts drive the arm
openly, errors grow, so the pieces are windows of a second or so: multiple shooting, H. Bock, 1983,
without the continuity from window to window, whose violation would only hide a wrong model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinew_core.bags.recording import Commands, Recording
from sinew_core.robots.arrays import Array, frozen_array

Indices = NDArray[np.intp]

HISTORY_S = 1.5
"""How far back commands are kept for a piece: longer than any delay that is allowed."""
_LEAST_SAMPLES = 10
_START_WINDOW_S = 0.06
_START_SAMPLES = (5, 25)
_AT_REST = 6.0
"""Squared noises that a parabola through the first samples saves over a constant, below which the
joint may as well be at rest: of many samples of one that is, 95 % save less (chi-square, 2)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """One continuous motion of n joints, k samples.

    Attributes:
        time_s: (k,) increasing.
        position_rad: (k, n) as measured.
        effort_nm: (k, n) as measured, None for none.
        driving: what the controller was told from before the start on, or measured efforts.
        replays: whether those are efforts that the motors gave.
        start_position_rad: (n,) at the first sample, as far as the samples tell.
        start_velocity_rad_s: (n,) likewise.
        start_spread: (2 n,) how far those may be off, positions first, over the noise of a sample.
    """

    time_s: Array
    position_rad: Array
    effort_nm: Array | None
    driving: Commands
    replays: bool
    start_position_rad: Array
    start_velocity_rad_s: Array
    start_spread: Array

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        starts = ("start_position_rad", "start_velocity_rad_s", "start_spread")
        for field in ("time_s", "position_rad", *starts):
            object.__setattr__(self, field, frozen_array(getattr(self, field)))


def driving_of(recording: Recording) -> Commands:
    """Return what drove the recorded motion: the commands, else the efforts that were measured."""
    if recording.commands is not None:
        return recording.commands
    assert recording.effort_nm is not None
    return Commands(
        mode="effort", time_s=recording.time_s, values=recording.effort_nm, topic="joint_states"
    )


def usable_span(recording: Recording, settle_s: float) -> tuple[float, float]:
    """Return from when to when the commands of a recording are known, on its clock.

    Before the first command, and the time that it may take to the drive, nobody knows what the
    controller was doing; and after the last one it may have been switched off.
    """
    if recording.commands is None:
        return float(recording.time_s[0]), float(recording.time_s[-1])
    times = recording.commands.time_s
    periods = np.diff(times)
    period = float(np.median(periods)) if periods.size else 0.0
    first = float(times[0])
    if first > recording.time_s[0]:
        first += settle_s + period
    return first, float(times[-1]) + max(0.1, 3.0 * period)


def cut(
    recording: Recording,
    begin_s: float,
    end_s: float,
    *,
    window_s: float | None = None,
    stride: int = 1,
) -> tuple[Piece, ...]:
    """Cut the motion between two times into pieces.

    Args:
        recording: the motion.
        begin_s: samples before are left out.
        end_s: samples after are left out.
        window_s: length of the pieces; None for as long as the motion is continuous.
        stride: every so many samples are kept.
    """
    inside = np.flatnonzero((recording.time_s >= begin_s) & (recording.time_s <= end_s))
    cuts = np.searchsorted(inside, recording.gaps)
    runs = [run for run in np.split(inside, cuts) if run.size >= _LEAST_SAMPLES]
    if window_s is not None:
        runs = [part for run in runs for part in _windows(recording.time_s, run, window_s)]
    return tuple(_piece(recording, run, stride) for run in runs)


def _windows(time_s: Array, run: Indices, window_s: float) -> list[Indices]:
    """Split the samples of a run into windows of equal length."""
    length = float(time_s[run[-1]] - time_s[run[0]])
    count = max(1, round(length / window_s))
    edges = time_s[run[0]] + length * np.arange(1, count) / count
    parts = np.split(run, np.searchsorted(time_s[run], edges))
    return [part for part in parts if part.size >= _LEAST_SAMPLES]


def _piece(recording: Recording, run: Indices, stride: int) -> Piece:
    position, velocity, spread = _start(recording, run)
    kept = run[::stride]
    effort = recording.effort_nm
    return Piece(
        time_s=recording.time_s[kept],
        position_rad=recording.position_rad[kept],
        effort_nm=None if effort is None else frozen_array(effort[kept]),
        driving=_driving(recording, recording.time_s[run[0]], recording.time_s[run[-1]]),
        replays=recording.commands is None,
        start_position_rad=position,
        start_velocity_rad_s=velocity,
        start_spread=spread,
    )


def _start(recording: Recording, run: Indices) -> tuple[Array, Array, Array]:
    """Return position and velocity (n,) at a run's first sample, and their spread (2 n,).

    They are of a parabola through the first samples, or of rest where those tell nothing else. A
    joint that sticks forgets its velocity at once and keeps its place for ever, so a fit that took
    the one for unknown would trade it against the other, along a way that no derivative tells.
    """
    least, most = _START_SAMPLES
    time = recording.time_s[run[:most]] - recording.time_s[run[0]]
    count = max(least, int(np.count_nonzero(time <= _START_WINDOW_S)))
    time, samples = time[:count], recording.position_rad[run[:count]]
    powers = np.vander(time, 3, increasing=True)
    fitted = np.linalg.lstsq(powers, samples, rcond=None)[0]
    mean = samples.mean(axis=0)
    left = ((samples - powers @ fitted) ** 2).sum(axis=0)
    rests = ((samples - mean) ** 2).sum(axis=0) - left <= _AT_REST * left / max(1, count - 3)
    moving = np.sqrt(np.diag(np.linalg.inv(powers.T @ powers)))
    resting = np.array([1.0, np.sqrt(12.0) / time[-1]]) / np.sqrt(count)  # of a mean, a slope
    spread = [np.where(rests, r, m) for r, m in zip(resting, moving, strict=False)]
    position, velocity = np.where(rests, mean, fitted[0]), np.where(rests, 0.0, fitted[1])
    return position, velocity, np.concatenate(spread)


def _driving(recording: Recording, begin_s: float, end_s: float) -> Commands:
    """Return the commands that matter to a piece, the one in force at its beginning included."""
    driving = driving_of(recording)
    first = int(np.searchsorted(driving.time_s, begin_s - HISTORY_S, side="right")) - 2
    last = int(np.searchsorted(driving.time_s, end_s, side="right")) + 1
    kept = slice(max(0, first), last)
    return Commands(
        mode=driving.mode,
        time_s=driving.time_s[kept],
        values=driving.values[kept],
        topic=driving.topic,
    )
