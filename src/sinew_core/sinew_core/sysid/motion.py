"""Pieces of a recorded motion, and its derivatives without the noise of encoders."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.signal import savgol_filter

from sinew_core.bags.recording import Recording
from sinew_core.robots.arrays import Array

_WINDOW_S = 0.05
"""Of the quadratic that is laid through the positions: shorter, and encoders' noise shows."""


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
