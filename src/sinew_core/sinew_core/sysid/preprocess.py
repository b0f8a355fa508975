"""Recorded motion made fit for least squares: pieces without gaps, uniform, smooth, differentiated.

Time is that of the header stamps; it is cut at gaps, and each piece is resampled to the median
period: positions by cubic splines, efforts linearly, since they jump. A zero-phase Butterworth
filter (forwards and backwards) then goes over both sides of the equation, the regressor and the
effort, so that it changes noise but no balance (Gautier: Dynamic identification of robots with
power model, ICRA 1997, there named parallel filter). What goes into the regressor, which is
nonlinear in positions, is smoothed once more with twice the cutoff.

Velocities are differentiated positions, since those that an arm publishes are filtered by it with
a lag that nobody tells. Differences are central and of fourth order: at a tenth of the sampling
rate they are off by half a percent, at a hundredth by less than 1e-6.

Noise in positions makes regressors noisy too, and least squares then finds too little of what they
stand for. So a recording is read twice, by its even and its odd samples, whose noises know nothing
of each other: their difference shows what is noise, and `robust_fit` takes that away.

Filters need to settle: two periods of the cutoff at both ends of a piece is left out.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.signal import butter, sosfiltfilt

from sinew_core.bags.recording import Recording
from sinew_core.errors import BagError
from sinew_core.robots.arrays import Array
from sinew_core.sysid.regressor import JointMotion

_ORDER = 4
_HIGHEST_RATE_HZ = 500.0
"""Faster recordings are resampled to this."""
_CUTOFF_RANGE_HZ = (3.0, 10.0)
_CUTOFF_TIMES = 4.0
"""How far above what a motion is made of the cutoff lies. The noise that positions bring into
accelerations biases what is found, with the fifth power of the cutoff."""
_MOTION_SHARE = 0.99
_CUTOFF_SHARE = 0.15
"""Of the sampling rate, which the cutoff does not exceed."""
_FINE = 2.0
_ROWS_PER_CUTOFF = 2.5
"""Rows of the equations per second, as a multiple of the cutoff: more would not be independent."""
_SHORTEST_ROWS = 5
_SETTLING_PERIODS = 2.0


@dataclass(frozen=True, kw_only=True)
class LowPass:
    """A zero-phase Butterworth filter of uniform samples.

    The magnitude is that of a filter of twice the order: 1/2 at the cutoff.
    """

    rate_hz: float
    cutoff_hz: float

    def apply(self, values: Array) -> Array:
        """Return values (N, ...) smoothed along the first axis."""
        sections = _sections(self.rate_hz, self.cutoff_hz)
        # As long as the filter rings, but no longer than there are samples to mirror.
        pad = min(len(values) - 1, round(3.0 * self.rate_hz / self.cutoff_hz))
        smooth: Array = sosfiltfilt(sections, values, axis=0, padlen=pad)
        return smooth


@functools.lru_cache(maxsize=16)
def _sections(rate_hz: float, cutoff_hz: float) -> Array:
    sections: Array = butter(_ORDER, cutoff_hz, fs=rate_hz, output="sos")
    return sections


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """Motion between two gaps, on a uniform grid of N times.

    Attributes:
        time_s: (N,) from the recording's zero.
        position_rad: (N, n).
        smooth: the filter of both sides of an equation.
        rows: which of the N become equations: settled, and as many as are independent.
        raw_time_s, raw_effort_nm: as recorded (m,), (m, n); None where no effort was.
    """

    time_s: Array
    position_rad: Array
    smooth: LowPass
    rows: slice
    raw_time_s: Array
    raw_effort_nm: Array | None

    @property
    def period_s(self) -> float:
        """Return the time between two samples."""
        return 1.0 / self.smooth.rate_hz

    @property
    def row_time_s(self) -> Array:
        """Return the times of the equations."""
        return self.time_s[self.rows]

    def motion(self) -> JointMotion:
        """Return the motion at all N times, smooth enough to be differentiated twice."""
        fine = LowPass(rate_hz=self.smooth.rate_hz, cutoff_hz=_FINE * self.smooth.cutoff_hz)
        position = fine.apply(self.position_rad)
        velocity, acceleration = derivatives(position, self.period_s)
        return JointMotion(
            position_rad=position, velocity_rad_s=velocity, acceleration_rad_s2=acceleration
        )

    def filtered(self, values: Array) -> Array:
        """Return values (N, ...) smoothed, at the times of the equations."""
        return self.smooth.apply(values)[self.rows]

    def effort_nm(self, later_s: float) -> Array:
        """Return the efforts (N, n) measured so much later than each of the N times."""
        assert self.raw_effort_nm is not None
        return resampled(self.raw_time_s, self.raw_effort_nm, self.time_s + later_s)


def make_pieces(
    recording: Recording, cutoff_hz: float | None = None
) -> tuple[tuple[Piece, ...], ...]:
    """Return the pieces of a recording that are long enough for a filter, in one or two readings.

    There are two, by even and by odd samples, on the same grids, where samples are so frequent that
    half of them serve.

    Args:
        recording: what is read.
        cutoff_hz: of the filter, lower where samples are rare; by default what suits the motion.

    Raises:
        BagError: when no piece is long enough.
    """
    cutoff_hz = suitable_cutoff_hz(recording) if cutoff_hz is None else cutoff_hz
    periods_s = np.diff(recording.time_s)
    half_hz = 0.5 / float(np.median(periods_s)) if periods_s.size else 0.0
    ways = 2 if _CUTOFF_SHARE * half_hz >= cutoff_hz else 1
    bounds = [0, *recording.gaps, len(recording.time_s)]
    parts = [slice(first, end) for first, end in itertools.pairwise(bounds)]
    pieces = [_readings(recording, part, cutoff_hz, ways) for part in parts]
    pieces = [readings for readings in pieces if readings]
    if not pieces:
        raise BagError(
            f"{recording.source}: no piece of motion without a gap is long enough: record at least "
            "20 s without a break"
        )
    return tuple(zip(*pieces, strict=True))


def _readings(recording: Recording, part: slice, cutoff_hz: float, ways: int) -> tuple[Piece, ...]:
    """Return a piece as its samples are read, in so many ways; none when it is too short."""
    time_s, position = recording.time_s[part], recording.position_rad[part]
    if len(time_s) < 2 * _SHORTEST_ROWS * ways:
        return ()
    rate_hz = min(1.0 / (ways * float(np.median(np.diff(time_s)))), _HIGHEST_RATE_HZ)
    smooth = LowPass(rate_hz=rate_hz, cutoff_hz=min(cutoff_hz, _CUTOFF_SHARE * rate_hz))
    # Where every reading has samples; a stamp that is off by rounding does not cost the last.
    first_s, last_s = float(time_s[ways - 1]), float(time_s[-ways])
    count = int((last_s - first_s) * rate_hz + 1e-3) + 1
    edge = round(_SETTLING_PERIODS * rate_hz / smooth.cutoff_hz)
    # A rate that is off by rounding does not change the number of rows.
    stride = max(1, int(rate_hz / (_ROWS_PER_CUTOFF * smooth.cutoff_hz) + 1e-3))
    if count - 2 * edge < _SHORTEST_ROWS * stride:
        return ()
    grid = np.minimum(first_s + np.arange(count) / rate_hz, last_s)
    effort = None if recording.effort_nm is None else recording.effort_nm[part]
    return tuple(
        Piece(
            time_s=grid,
            position_rad=make_interp_spline(time_s[read], position[read], k=3)(grid),
            smooth=smooth,
            rows=slice(edge, count - edge, stride),
            raw_time_s=time_s[read],
            raw_effort_nm=None if effort is None else effort[read],
        )
        for read in (slice(way, None, ways) for way in range(ways))
    )


def suitable_cutoff_hz(recording: Recording) -> float:
    """Return four times the frequency below which 99 % of the joints' squared speed lies.

    Each joint's speed counts by its own size; the result is kept between 3 and 10 Hz.
    """
    time_s = recording.time_s
    if len(time_s) < 4 * _SHORTEST_ROWS:
        return _CUTOFF_RANGE_HZ[0]
    grid = np.linspace(time_s[0], time_s[-1], len(time_s))
    period_s = float(grid[1] - grid[0])
    position = resampled(time_s, recording.position_rad, grid)
    # A window, since a motion need not end where it began.
    way = (position - position.mean(axis=0)) * np.hanning(len(grid))[:, None]
    frequency_hz = np.fft.rfftfreq(len(grid), period_s)
    power = np.abs(np.fft.rfft(way, axis=0)) ** 2 * frequency_hz[:, None] ** 2
    power = power[frequency_hz <= _CUTOFF_RANGE_HZ[1]]
    shares = np.cumsum(power, axis=0) / np.maximum(power.sum(axis=0), 1e-300)
    highest_hz = float(frequency_hz[np.argmax(shares.mean(axis=1) >= _MOTION_SHARE)])
    return float(np.clip(_CUTOFF_TIMES * highest_hz, *_CUTOFF_RANGE_HZ))


def derivatives(values: Array, period_s: float) -> tuple[Array, Array]:
    """Return first and second derivatives (N, ...) of uniform samples, of fourth order.

    The two samples at each end, where no central stencil fits, repeat their neighbour's.
    """
    first = _stencil(values, (1.0, -8.0, 0.0, 8.0, -1.0)) / (12.0 * period_s)
    second = _stencil(values, (-1.0, 16.0, -30.0, 16.0, -1.0)) / (12.0 * period_s**2)
    return first, second


def _stencil(values: Array, weights: Sequence[float]) -> Array:
    inner = np.zeros_like(values[4:])
    for offset, weight in enumerate(weights):
        inner += weight * values[offset : len(values) - 4 + offset]
    width = [(2, 2)] + [(0, 0)] * (values.ndim - 1)
    return np.pad(inner, width, mode="edge")


def resampled(time_s: Array, values: Array, at_s: Array) -> Array:
    """Return values (N, n) at other times, on straight lines; the ends hold."""
    if np.array_equal(time_s, at_s):
        return values
    return np.stack([np.interp(at_s, time_s, column) for column in values.T], axis=1)
