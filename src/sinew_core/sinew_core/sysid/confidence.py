"""How sure a fit is of its values: from the data alone, without what was believed before.

The covariance is (J^T J)^-1 of residuals over their noise, own unknowns of the pieces eliminated.
Where the residuals are larger than the noise (the caller tells), the model is wrong somewhere, and
its errors go on from sample to sample, so that N samples are not N measurements. Each standard
deviation then grows by the largest of

- 1 and the root of the mean squared residual (chi-square per sample),
- what the residuals themselves tell: the sandwich C (sum s s^T) C, with the gradients s summed over
  stretches of half a second, which may be correlated within in any way (cluster-robust: H. White,
  Econometrica 48, 1980; K. Liang, S. Zeger, Biometrika 73, 1986), by c / (c - p) for few stretches;
  where there are too few of them, the root of the residuals' correlation time in samples.

That is honest for what repeats over the motion differently from stretch to stretch. An error of the
model that is the same everywhere moves a value without showing; no statistic sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.sysid.elimination import Block, eliminate

MISMATCH = 1.1
"""Chi-square per sample from which on the model is held to be wrong rather than the noise unlucky:
of the thousands of samples of a second or more it strays by a few per cent."""
_STRETCH_S = 0.5
_FEWEST_STRETCHES = 1.5
"""Stretches per unknown below which the sandwich is not trusted."""
_ROUNDING = 1e-9
_CANCELLED = 1e-3
"""A combination whose effect is this small beside those of its parts, which cancel, has none:
finite differences, and the simulation's own kinks, are not exact enough to tell."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """Residuals (k, channels) of one piece with derivatives (k, channels, p), and their times."""

    time_s: Array
    residual: Array
    derivative: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Confidence:
    """What the data tell of p values.

    Attributes:
        covariance: (p, p); meaningless for values whose sigma is infinite.
        sigma: (p,), infinite where the data say nothing.
        singular_values: (p,) of the sensitivities to each value's accepted deviation, falling: one
            below 1 belongs to a combination that is not known that well.
        undetermined: (d, p) orthonormal combinations below 1, in accepted deviations.
        inflation: (p,) by which each sigma grew because the residuals are larger than the noise.
    """

    covariance: Array
    sigma: Array
    singular_values: Array
    undetermined: Array
    inflation: Array


def confidence(
    blocks: Sequence[Block],
    stretches: Sequence[Stretch],
    values_jacobian: Array,
    accepted: Array,
    *,
    mismatch: bool,
) -> Confidence:
    """Return what a fit's end tells of its values.

    Args:
        blocks: linearised at the end; residuals over what they are weighted by.
        stretches: the same without the rows of priors, one for each block.
        values_jacobian: (p, p) of the values by the unknowns.
        accepted: (p,) deviations that are small enough for each value.
        mismatch: whether the residuals are larger than the noise.
    """
    rows = np.vstack([eliminate(block).shared for block in blocks])
    by_value = np.linalg.lstsq(values_jacobian.T, rows.T, rcond=None)[0].T
    _, singular, turned = np.linalg.svd(by_value * accepted, full_matrices=True)
    singular = np.concatenate([singular, np.zeros(accepted.size - singular.size)])
    parts = np.sqrt(turned**2 @ ((by_value * accepted) ** 2).sum(axis=0))
    before = _norms(blocks, values_jacobian) * accepted
    least = np.maximum(_CANCELLED * parts, _ROUNDING * np.sqrt(turned**2 @ before**2))
    known = singular > np.maximum(least, np.finfo(float).tiny)
    inverse = np.where(known, 1.0 / np.where(known, singular, 1.0), 0.0)
    root = accepted[:, None] * turned.T * inverse
    covariance = root @ root.T
    silent = (turned[~known] ** 2).sum(axis=0) > 1e-6
    inflation = np.ones(accepted.size)
    if mismatch:
        inflation = _inflation(blocks, stretches, values_jacobian, covariance)
    covariance = covariance * np.outer(inflation, inflation)
    sigma = np.sqrt(np.diag(covariance))
    weak = ~known | (singular < np.sqrt(turned**2 @ inflation**2))
    return Confidence(
        covariance=covariance,
        sigma=np.where(silent, np.inf, sigma),
        singular_values=singular,
        undetermined=turned[weak],
        inflation=inflation,
    )


def _norms(blocks: Sequence[Block], values_jacobian: Array) -> Array:
    """Return the norms (p,) of the derivatives by the values, own unknowns not eliminated."""
    information = np.sum([block.shared.T @ block.shared for block in blocks], axis=0)
    inverse = np.linalg.pinv(values_jacobian)
    squares = np.einsum("ji,jk,ki->i", inverse, information, inverse)
    norms: Array = np.sqrt(np.maximum(squares, 0.0))
    return norms


def correlation_samples(residual: Array) -> float:
    """Return how many samples of residuals (k, channels) tell as much as one independent one."""
    centred = residual - residual.mean(axis=0)
    k = len(centred)
    power = np.abs(np.fft.rfft(centred, 2 * k, axis=0)) ** 2
    lags = np.fft.irfft(power.sum(axis=1), 2 * k)[: k // 2]
    if k < 4 or lags[0] <= 0.0:
        return 1.0
    shares = lags / lags[0]
    below = np.flatnonzero(shares < 0.05)
    end = int(below[0]) if below.size else shares.size
    return float(1.0 + 2.0 * shares[1:end].sum())


def _mean_square(stretches: Sequence[Stretch]) -> float:
    total = sum(float((s.residual**2).sum()) for s in stretches)
    return total / max(1, sum(s.residual.size for s in stretches))


def _inflation(
    blocks: Sequence[Block],
    stretches: Sequence[Stretch],
    values_jacobian: Array,
    covariance: Array,
) -> Array:
    p = covariance.shape[0]
    scatter = np.sqrt(_mean_square(stretches))
    scores = np.vstack([_scores(b, s) for b, s in zip(blocks, stretches, strict=True)])
    count = scores.shape[0]
    plain = np.sqrt(np.maximum(np.diag(covariance), np.finfo(float).tiny))
    if count > _FEWEST_STRETCHES * p:
        by_value = np.linalg.lstsq(values_jacobian.T, scores.T, rcond=None)[0].T
        moved = by_value @ covariance
        robust = np.sqrt((moved**2).sum(axis=0) * count / (count - p))
        return np.asarray(np.maximum(np.maximum(1.0, scatter), robust / plain))
    lengths = [s.residual.shape[0] for s in stretches]
    samples = np.average([correlation_samples(s.residual) for s in stretches], weights=lengths)
    return np.full(p, max(1.0, scatter) * np.sqrt(samples))


def _scores(block: Block, stretch: Stretch) -> Array:
    """Return the gradients (c, p) of stretches of half a second, own unknowns eliminated."""
    k, channels, p = stretch.derivative.shape
    left = stretch.derivative.reshape(k * channels, p)
    if block.own.shape[1]:
        part = eliminate(block)
        explained = np.linalg.lstsq(part.triangle, part.coupling, rcond=1e-10)[0]
        left = left - block.own[: k * channels] @ explained
    each = (left.reshape(k, channels, p) * stretch.residual[:, :, None]).sum(axis=1)
    passed = stretch.time_s - stretch.time_s[0]
    count = max(1, int(passed[-1] // _STRETCH_S))
    place = np.minimum((passed // _STRETCH_S).astype(int), count - 1)
    scores = np.zeros((count, p))
    np.add.at(scores, place, each)
    return scores
