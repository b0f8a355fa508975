"""Weighted, bounded least squares over groups of equations, robust to outliers.

Every joint of every group has a noise of its own, which the residuals tell (median absolute
deviation); residuals beyond 2.5 of it count as much less as they are farther out (Huber). Steps are
those of Gauss and Newton inside the bounds, halved until the cost falls.

With two readings A and B of the same motion, whose noises are independent, the cost is the product
r_A . r_B: the r . r of their mean less the d . d of their half difference. Its least does not shift
with the noise of the regressors, as that of r . r does; this is the method of instrumental
variables, each reading being the other's instrument (Janot, Vandanjon, Gautier: A generic
instrumental variable approach for industrial robot identification, TCST 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from sinew_core.robots.arrays import Array
from sinew_core.sysid.parametrisation import STEP_SHARE, Parametrisation
from sinew_core.sysid.stage1_model import GroupRows

Mask = NDArray[np.bool_]
Evaluate = Callable[[Array], list[GroupRows]]

_HUBER_SIGMAS = 2.5
_MEDIAN_TO_SIGMA = 1.4826
_ROUNDS = 4
_MAX_STEPS = 20
_CONVERGED = 1e-5
"""Of the sizes of the coordinates."""
_RIDGE_SIZES = 30.0
"""What no equation moves stays at its start: as if it were known to so many of its sizes."""
_LEAST_NOISE_NM = 1e-6
_LEAST_CURVATURE = 1e-13


@dataclass(frozen=True, kw_only=True, eq=False)
class RobustFit:
    """Where the equations lead.

    Attributes:
        theta: (p,) coordinates.
        information: (p, p) of the data alone, about them.
        noise_nm: (n,) by group: standard deviation of an equation's residual.
        residual_nm: (n,) by group: root mean square.
    """

    theta: Array
    information: Array
    noise_nm: dict[str, Array]
    residual_nm: dict[str, Array]


def robust_fit(
    evaluate: Evaluate, fit: Parametrisation, start: Array, free: Mask | None = None
) -> RobustFit:
    """Return the fit of all groups that `evaluate` gives, with the parametrisation's priors.

    Only the coordinates that are free (p,) move; all by default.
    """
    free = np.ones(fit.size, bool) if free is None else free
    theta = np.array(start)
    groups = evaluate(theta)
    theta = _solve(evaluate, fit, theta, [_level(group) for group in groups], free)
    for _ in range(_ROUNDS):
        groups = evaluate(theta)
        theta = _solve(evaluate, fit, theta, [_weights(group) for group in groups], free)
    return judge(evaluate(theta), theta)


def judge(groups: Sequence[GroupRows], theta: Array) -> RobustFit:
    """Return what groups tell at coordinates (p,) where they were fitted."""
    information = sum(_information(group) for group in groups)
    return RobustFit(
        theta=theta,
        information=np.asarray(information),
        noise_nm={group.name: noise_of(group) for group in groups},
        residual_nm={group.name: _root_mean_square(group) for group in groups},
    )


def sizes_of(fit: Parametrisation) -> Array:
    """Return what counts as a large change (p,) of each coordinate."""
    return fit.step / STEP_SHARE


def prior_information(fit: Parametrisation) -> Array:
    """Return the information (p,) of each coordinate's prior, 0 without."""
    return np.where(np.isfinite(fit.prior_sigma), 1.0 / fit.prior_sigma**2, 0.0)


def noise_of(group: GroupRows) -> Array:
    """Return the standard deviation (n,) of a group's residuals, whatever its outliers."""
    return np.array(
        [
            max(_MEDIAN_TO_SIGMA * np.median(np.abs(r[u > 0.0])), _LEAST_NOISE_NM)
            if (u > 0.0).any()
            else np.inf
            for r, u in zip(group.residual_nm.T, group.usable.T, strict=True)
        ]
    )


def _level(group: GroupRows) -> Array:
    """Return weights (T, n) before anything is known: each joint by the size of its residuals."""
    return group.usable / noise_of(group)


def _weights(group: GroupRows) -> Array:
    """Return the root weights (T, n) of a group's equations."""
    noise = noise_of(group)
    apart = np.abs(group.residual_nm) / noise
    trust = np.minimum(1.0, _HUBER_SIGMAS / np.maximum(apart, 1e-12))
    return group.usable * np.sqrt(trust) / noise


def _information(group: GroupRows) -> Array:
    """Return the information (p, p) of a group, less where its residuals repeat themselves."""
    weights = _weights(group) / np.sqrt(_repetition(group))
    rows = (weights[:, :, None] * group.jacobian).reshape(-1, group.jacobian.shape[2])
    information: Array = rows.T @ rows
    return information


def _repetition(group: GroupRows) -> Array:
    """Return how many successive residuals (n,) of each joint say the same: 1 + 2 sum of r_k.

    Their correlations r_k count until the first that is not positive (Geyer's initial sequence).
    """
    result = np.ones(group.residual_nm.shape[1])
    for joint in range(result.size):
        r = group.residual_nm[:, joint] * group.usable[:, joint]
        spectrum = np.abs(np.fft.rfft(r - r.mean(), 2 * r.size)) ** 2
        correlations = np.fft.irfft(spectrum)[: r.size // 4]
        if correlations.size < 2 or correlations[0] <= 0.0:
            continue
        correlations = correlations / correlations[0]
        end = np.flatnonzero(correlations <= 0.0)
        stop = int(end[0]) if end.size else correlations.size
        result[joint] = max(1.0, 1.0 + 2.0 * correlations[1:stop].sum())
    return result


def _root_mean_square(group: GroupRows) -> Array:
    total = np.maximum(group.usable.sum(axis=0), 1.0)
    mean: Array = (group.usable * group.residual_nm**2).sum(axis=0) / total
    return np.sqrt(mean)


def _solve(
    evaluate: Evaluate,
    fit: Parametrisation,
    theta: Array,
    weights: Sequence[Array],
    free: Mask,
) -> Array:
    """Return the coordinates (p,) of the least cost under fixed root weights."""
    sizes = sizes_of(fit)
    anchor, ridge, start = prior_information(fit), (_RIDGE_SIZES * sizes) ** -2.0, theta

    def cost_of(trial: Array, groups: Sequence[GroupRows]) -> float:
        data = sum(_square(g, w) for g, w in zip(groups, weights, strict=True))
        known = anchor * (trial - fit.prior_mean) ** 2 + ridge * (trial - start) ** 2
        return data + float(np.sum(known))

    groups = evaluate(theta)
    cost = cost_of(theta, groups)
    for _ in range(_MAX_STEPS):
        gradient, curvature = _normal(groups, weights)
        gradient = gradient + anchor * (theta - fit.prior_mean) + ridge * (theta - start)
        curvature = curvature + np.diag(anchor + ridge)
        step = np.zeros(fit.size)
        lower, upper = (bound[free] - theta[free] for bound in (fit.lower, fit.upper))
        step[free] = _bounded_step(gradient[free], curvature[np.ix_(free, free)], lower, upper)
        share = 1.0
        while True:
            trial = np.clip(theta + share * step, fit.lower, fit.upper)
            groups = evaluate(trial)
            trial_cost = cost_of(trial, groups)
            if trial_cost <= cost or share < 0.1:
                break
            share *= 0.5
        if trial_cost > cost:
            break
        moved, theta, cost = np.abs(trial - theta), trial, trial_cost
        if float(np.max(moved / sizes)) < _CONVERGED:
            break
    return theta


def _square(group: GroupRows, weight: Array) -> float:
    """Return the weighted product of two readings' residuals, or the square of the one's."""
    apart = 0.0 if group.apart_nm is None else float(np.sum((weight * group.apart_nm) ** 2))
    return float(np.sum((weight * group.residual_nm) ** 2)) - apart


def _normal(groups: Sequence[GroupRows], weights: Sequence[Array]) -> tuple[Array, Array]:
    """Return gradient (p,) and Gauss-Newton curvature (p, p), halved."""
    p = groups[0].jacobian.shape[2]
    gradient, curvature = np.zeros(p), np.zeros((p, p))
    for group, weight in zip(groups, weights, strict=True):
        rows = (weight[:, :, None] * group.jacobian).reshape(-1, p)
        gradient += rows.T @ (weight * group.residual_nm).ravel()
        curvature += rows.T @ rows
        if group.apart_nm is not None and group.jacobian_apart is not None:
            rows = (weight[:, :, None] * group.jacobian_apart).reshape(-1, p)
            gradient -= rows.T @ (weight * group.apart_nm).ravel()
            curvature -= rows.T @ rows
    return gradient, curvature


def _bounded_step(gradient: Array, curvature: Array, lower: Array, upper: Array) -> Array:
    """Return the step (p,) of the least quadratic cost inside the bounds."""
    # Each coordinate by what it moves: a weak direction, such as that of delay and viscous friction
    # together, must not drown in the curvature of masses.
    scales = 1.0 / np.sqrt(np.maximum(np.diag(curvature), 1e-300))
    values, vectors = np.linalg.eigh(curvature * np.outer(scales, scales))
    root = np.sqrt(np.maximum(values, _LEAST_CURVATURE * values[-1]))
    factor = root[:, None] * vectors.T
    target = -(vectors.T @ (gradient * scales)) / root
    step = vectors @ (target / root)
    if ((step < lower / scales) | (step > upper / scales)).any():
        low, high = np.minimum(lower / scales, 0.0), np.maximum(upper / scales, 1e-300)
        step = lsq_linear(factor, target, bounds=(low, high), method="bvls").x
    result: Array = step * scales
    return result
