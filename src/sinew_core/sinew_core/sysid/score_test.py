"""Whether data show parameters that were not fitted: Rao's score test, on the fit's linear problem.

Of residuals r over their noise, with derivatives F by the fitted parameters and L by a group of
left-out ones, the group's statistic is the squared length of what L explains of r once F has
explained all it can:

    s = |U' P r|² / d,   P the projection off F,   U an orthonormal basis of P L

Where nothing was left out it is chi-square distributed, with as many degrees of freedom as P L has
columns that F cannot imitate (C. R. Rao, Proc. Cambridge Phil. Soc. 44, 1948; R. Engle, Handbook of
Econometrics II, 1984, chapter 13). No fit with the group is needed. Departures: r is projected,
too, so that a fit that ended a little beside its optimum does no harm (J. Neyman's C(alpha), 1959);
and d, which counts how many samples tell as much as an independent one, and by how much the
residuals exceed the noise, is 1 only where they are white and explained.

A payload that was left out is seen by all groups that can imitate it. So groups are taken one after
the other, the clearest first, each judged by what those before it leave unexplained (a forward
selection), to a level that Bonferroni's inequality divides among the groups.

How far the fitted values are off for it tells one Gauss-Newton step of the enlarged problem, priors
included: the difference between two estimates of which one needs the restriction to be true
(J. Hausman, Econometrica 46, 1978).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln
from scipy.stats import chi2

from sinew_core.robots.arrays import Array

LEVEL = 1e-3
"""Probability that any group at all is shown where nothing was left out."""
_SAME = 1e-3
"""Share of a column's length below which what is left of it, after projection, is rounding."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """What the data say of one group.

    Attributes:
        statistic: chi-square distributed where the group is at its assumed values.
        dof: its degrees of freedom; 0 where the motion does not depend on the group, or the fitted
            parameters imitate all of it.
        log_p: natural logarithm of the probability of as large a statistic.
    """

    statistic: float
    dof: int
    log_p: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Enlarged:
    """The step from a fit to that with some groups more, to first order.

    Attributes:
        fitted: (p,) by which the fitted coordinates would move.
        added: (l,) by which those of the groups would.
        fitted_sigma, added_sigma: their standard deviations in the enlarged fit.
    """

    fitted: Array
    added: Array
    fitted_sigma: Array
    added_sigma: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearFit:
    """A fit's end, own unknowns of the pieces eliminated, with columns that were not fitted.

    Attributes:
        residual: (m,) over its standard deviation.
        fitted: (m, p) derivatives by the fitted coordinates.
        added: (m, l) by what was left out.
        dispersion: squares of the residuals that count as one of independent unit variance.
        samples: how many residuals there were before they were compressed to m rows; 0 for m.
    """

    residual: Array
    fitted: Array
    added: Array
    dispersion: float = 1.0
    samples: int = 0

    def score(self, columns: Sequence[int], besides: Sequence[int] = ()) -> Score:
        """Return the score of some left-out columns, as if some others had been fitted."""
        basis = _basis(np.hstack([self.fitted, self.added[:, list(besides)]]))
        left = self.added[:, list(columns)]
        lengths = np.linalg.norm(left, axis=0)
        left = left[:, lengths > 0.0] / lengths[lengths > 0.0]
        directions = _basis(left - basis @ (basis.T @ left), scale=1.0)
        residual = self.residual - basis @ (basis.T @ self.residual)
        statistic = float(((directions.T @ residual) ** 2).sum()) / self.dispersion
        dof = directions.shape[1]
        return Score(statistic=statistic, dof=dof, log_p=_log_p(statistic, dof))

    def select(
        self, groups: Mapping[str, Sequence[int]], level: float = LEVEL
    ) -> tuple[dict[str, Score], dict[str, Score]]:
        """Return each group's score by itself, and of those that the data show, the clearest first.

        Args:
            groups: columns of each.
            level: of the family of all groups.
        """
        alone = {name: self.score(columns) for name, columns in groups.items()}
        enough = np.log(level / max(1, len(groups)))
        shown: dict[str, Score] = {}
        scores = dict(alone)
        while scores:
            best = min(scores, key=lambda name: (scores[name].log_p, -scores[name].statistic))
            if scores[best].log_p >= enough:
                break
            shown[best] = scores[best]
            taken = [i for name in shown for i in groups[name]]
            scores = {n: self.score(c, taken) for n, c in groups.items() if n not in shown}
        return alone, shown

    def imitated(self, place: int, columns: Sequence[int]) -> float:
        """Return the share of a fitted column's effect, beside all others', that some have, too."""
        others = _basis(np.delete(self.fitted, place, axis=1))
        own = self.fitted[:, place] - others @ (others.T @ self.fitted[:, place])
        left = self.added[:, list(columns)]
        basis = _basis(left - others @ (others.T @ left))
        length = float(own @ own)
        return float(((basis.T @ own) ** 2).sum()) / length if length > 0.0 else 0.0

    def enlarged(self, columns: Sequence[int], prior: Array, prior_residual: Array) -> Enlarged:
        """Return the step of the fit with some of the left-out columns.

        Its deviations go by the mean square of what is left then, 1 at least.

        Args:
            columns: of what was left out.
            prior: (p + l,) inverse deviations of the coordinates before the data, those of all
                left-out ones last.
            prior_residual: (p + l,) how far off the prior the coordinates are, in its deviations.
        """
        p = self.fitted.shape[1]
        kept = [*range(p), *(p + i for i in columns)]
        data = np.hstack([self.fitted, self.added])[:, kept]
        basis = _basis(data)
        left = self.residual - basis @ (basis.T @ self.residual)
        scale = np.sqrt(max(1.0, float(left @ left) / (self.samples or left.size)))
        rows = np.vstack([data / scale, np.diag(prior[kept])])
        right = -np.concatenate([self.residual / scale, prior_residual[kept]])
        lengths = np.linalg.norm(rows, axis=0)
        lengths = np.where(lengths > 0.0, lengths, 1.0)
        u, singular, turned = np.linalg.svd(rows / lengths, full_matrices=False)
        inverse = np.where(singular > 1e-9, 1.0 / np.maximum(singular, 1e-9), 0.0)
        root = (turned.T * inverse) / lengths[:, None]
        step, sigma = root @ (u.T @ right), np.linalg.norm(root, axis=1)
        return Enlarged(
            fitted=step[:p], added=step[p:], fitted_sigma=sigma[:p], added_sigma=sigma[p:]
        )


def _log_p(statistic: float, dof: int) -> float:
    """Return the logarithm of a chi-square's upper tail, also where the tail itself underflows."""
    if not dof:
        return 0.0
    known = float(chi2.logsf(statistic, dof))
    if np.isfinite(known):
        return known
    # The leading terms of the incomplete gamma function's asymptotic series.
    half, a = 0.5 * statistic, 0.5 * dof
    return float((a - 1.0) * np.log(half) - half - gammaln(a) + np.log1p((a - 1.0) / half))


def _basis(columns: Array, scale: float = 0.0) -> Array:
    """Return an orthonormal basis (m, k) of columns (m, l), less what is rounding.

    `scale` is the length that counts as one, 0 for each column's own.
    """
    lengths = np.full(columns.shape[1], scale) if scale else np.linalg.norm(columns, axis=0)
    columns = columns[:, lengths > 0.0] / lengths[lengths > 0.0]
    if not columns.shape[1]:
        return np.zeros((columns.shape[0], 0))
    u, singular, _ = np.linalg.svd(columns, full_matrices=False)
    basis: Array = u[:, singular > (_SAME if scale else 1e-9)]
    return basis
