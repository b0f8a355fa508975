"""Pieces of a recorded motion, and its derivatives without the noise of encoders."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.signal import savgol_filter

from sinew_core.bags.recording import Recording
from sinew_core.robots.arrays import Array

_WINDOW_S = 0.05
"""Of the quadratic that is laid through the positions: shorter, and encoders' noise shows."""
START_SPAN_S = 0.02
"""On either side of a start: its state is that of a parabola through the positions."""
_START_PERIOD_S = 0.005
_ROUNDING_S = 1e-6


def segments(recording: Recording) -> list[slice]:
    """Return the samples between gaps, of two or more each."""
    edges = [0, *recording.gaps, len(recording.time_s)]
    pieces = [slice(a, b) for a, b in itertools.pairwise(edges)]
    return [piece for piece in pieces if piece.stop - piece.start > 1]


def smooth_derivative(position_rad: Array, time_s: Array, order: int) -> Array:
    """Return the first or second derivative (N, n) of positions (N, n), without their noise."""
    period_s = float(np.median(np.diff(time_s)))
    window = max(5, 2 * round(_WINDOW_S / period_s / 2) + 1)
    if len(time_s) <= window:
        rate: Array = np.gradient(position_rad, time_s, axis=0)
        return rate if order == 1 else np.gradient(rate, time_s, axis=0)
    derivative: Array = savgol_filter(
        position_rad, window, polyorder=2, deriv=order, delta=period_s, axis=0
    )
    return derivative


def start_state(time_s: Array, position_rad: Array, at: int) -> tuple[Array, Array]:
    """Return position (n,) and velocity (n,) at a sample: of a parabola through those about it.

    Velocities that an arm publishes are left out, since many are filtered, zero, or of another
    unit. At the first sample, those after it serve alone, of twice the time. Of frequent samples
    some 5 ms apart are taken, so that a start tells as much of a fast bag as while an arm is
    watched, where no more are kept.

    Args:
        time_s: (N,) increasing.
        position_rad: (N, n), without a gap.
        at: index of the sample.
    """
    after_s = (START_SPAN_S if at else 2.0 * START_SPAN_S) + _ROUNDING_S
    low = int(np.searchsorted(time_s, time_s[at] - START_SPAN_S - _ROUNDING_S))
    high = int(np.searchsorted(time_s, time_s[at] + after_s, side="right"))
    low, high = max(0, min(low, at - 1)), min(len(time_s), max(high, at + (2 if at else 3)))
    period_s = (time_s[high - 1] - time_s[low]) / max(1, high - 1 - low)
    stride = max(1, round(_START_PERIOD_S / period_s)) if period_s > 0.0 else 1
    rows = slice(low + (at - low) % stride, high, stride)
    since_s = time_s[rows] - time_s[at]
    powers = np.vander(since_s, min(3, since_s.size), increasing=True)
    fitted = np.linalg.lstsq(powers, position_rad[rows], rcond=None)[0]
    still = np.zeros(position_rad.shape[1])
    return np.array(fitted[0]), np.array(fitted[1]) if len(fitted) > 1 else still
