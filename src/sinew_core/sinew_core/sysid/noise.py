"""How noisy a recorded signal is, from the signal itself.

A fourth divided difference at the actual stamps vanishes for every cubic, so what it leaves of a
motion sampled at 50 Hz or more is noise. Its median is not touched by the few samples at which
friction turns round; what is within three deviations of it tells the deviation more precisely.
Encoders that count steps are still most of the time, which looks like no
noise at all: a step's own deviation, a step over the root of twelve, is the least then.

Only noise that is new in every sample is seen here; what changes slowly, such as a drive's ripple,
shows as a fit whose residuals are larger than this.
"""

from __future__ import annotations

import numpy as np

from sinew_core.robots.arrays import Array

_POINTS = 5
_MEDIAN_TO_SIGMA = 1.482602218505602
"""Of a normal distribution: standard deviation over median absolute deviation."""
_WITHIN = 3.0
_SHARE_WITHIN = 0.9866
"""Standard deviation of what is within three deviations of a normal distribution."""
_STEPS_SEEN = 50
"""A signal is counted in steps where it takes each of its values so often, or has less of them."""


def noise_sigma(time_s: Array, values: Array) -> Array:
    """Return the standard deviation (n,) of what is new in every sample of values (N, n).

    Zero for signals with fewer than ten samples, and for noise-free ones up to rounding.
    """
    n = values.shape[1]
    if len(time_s) < 2 * _POINTS:
        return np.zeros(n)
    differences = _divided_differences(time_s, values)
    rough = _MEDIAN_TO_SIGMA * np.median(np.abs(differences), axis=0)
    within = np.abs(differences) <= _WITHIN * rough
    counts = np.maximum(1, within.sum(axis=0))
    fine = np.sqrt((within * differences**2).sum(axis=0) / counts) / _SHARE_WITHIN
    steps = np.array([counted_step(values[:, i]) for i in range(n)])
    sigma: Array = np.maximum(fine, steps / np.sqrt(12.0))
    return sigma


def counted_step(values: Array) -> float:
    """Return the step that a signal (N,) is counted in, zero where it is continuous."""
    distinct = np.unique(values)
    if distinct.size < 2 or values.size < _STEPS_SEEN:
        return 0.0
    gaps = np.diff(distinct)
    gaps = gaps[gaps > 1e-9 * np.abs(distinct).max()]
    if not gaps.size:
        return 0.0
    step = float(gaps.min())
    whole = np.abs(gaps / step - np.round(gaps / step)) < 0.02
    span = float(distinct[-1] - distinct[0])
    # A continuous signal would show gaps far below one step of so few.
    few = span / step < 0.2 * values.size * np.sqrt(values.size)
    return step if bool(whole.mean() > 0.98) and few else 0.0


def _divided_differences(time_s: Array, values: Array) -> Array:
    """Return differences (N - 4, n), scaled so that white noise keeps its standard deviation."""
    rows = np.lib.stride_tricks.sliding_window_view(time_s, _POINTS)
    apart = rows[:, :, None] - rows[:, None, :]
    apart[:, np.arange(_POINTS), np.arange(_POINTS)] = 1.0
    # Divided by the period, so that the products neither vanish nor overflow.
    weights = 1.0 / np.prod(apart / np.median(np.diff(time_s)), axis=2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    windows = np.lib.stride_tricks.sliding_window_view(values, _POINTS, axis=0)
    differences: Array = np.einsum("tp,tjp->tj", weights, windows)
    return differences
