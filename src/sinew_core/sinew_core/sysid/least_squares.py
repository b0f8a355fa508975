"""Least squares within bounds, for residuals that cost a simulation each: Levenberg-Marquardt.

Unknowns are p shared ones, with bounds and priors, and own ones of each block of residuals, such as
the state that a piece of motion starts in. The own ones are eliminated block by block with a QR
decomposition (variable projection: G. Golub, V. Pereyra, Inverse Problems 19, 2003), so that the
systems to be solved stay of size p, whatever the number of blocks.

Damping follows K. Madsen, H. Nielsen, O. Tingleff, Methods for non-linear least squares problems,
2004, algorithm 3.16, with the columns' largest norms as scale (J. More, 1978). Departures: bounds
are an active set, so that an unknown can end exactly on one; a point whose simulation diverged is
a rejected step; and the stop is told in units of the residuals' own scatter. SciPy's
`least_squares` keeps off the bounds and knows no own unknowns.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from sinew_core.robots.arrays import Array
from sinew_core.sysid.elimination import Block, Eliminated, compress, eliminate

_FIRST_DAMPING = 1e-3
_LEAST_DAMPING = 1e-9
"""Of the step that convergence is judged by."""
_MOST_DAMPING = 1e8
_LEAST_GAIN = 1e-4
"""Share of the promised fall of the cost that a step has to keep, to be accepted."""
_SETTLED, _BY_KINKS = 50.0, 100.0
_CRAWL, _CRAWLED = 1e-5, 4
"""Steps in turn that lower the cost by no more than this share of it, and how many end a fit: kinks
and wrong slopes let it go on so for ever."""
_FREE = 1e-2
"""Damping up to which a step is about the one that solves the linear problem."""
_LEAST_SCATTER = 1e-14
"""Of the mean squared residual: what convergence is judged by where the model is exact."""

ENDED_EARLY = ("steps", "time", "interrupted")
"""Ends of a fit that may still have improved."""


class Problem(Protocol):
    """What is fitted."""

    def residuals(self, shared: Array, own: Sequence[Array]) -> list[Array] | None:
        """Return the residuals of each block, None where a simulation diverged."""
        ...

    def linearise(self, shared: Array, own: Sequence[Array]) -> list[Block]:
        """Return residuals and derivatives of each block at a point that does not diverge."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Box:
    """Bounds (p,) of the shared unknowns, and what is known of them before: mean and deviation.

    An infinite deviation is no knowledge.
    """

    lower: Array
    upper: Array
    prior_mean: Array
    prior_sigma: Array

    def prior(self, shared: Array) -> Array:
        """Return the residuals (p,) against the prior."""
        informed = np.isfinite(self.prior_sigma)
        sigma = np.where(informed, self.prior_sigma, 1.0)
        residual: Array = np.where(informed, (shared - self.prior_mean) / sigma, 0.0)
        return residual

    def clip(self, shared: Array) -> Array:
        """Return the nearest point (p,) within the bounds."""
        clipped: Array = np.clip(shared, self.lower, self.upper)
        return clipped

    def moved(self, shared: Array, step: Array) -> Array:
        """Return a point (p,) one step on, exactly on a bound where the step leads to it."""
        rounding = 1e-12 * (1.0 + np.abs(shared))
        moved = np.where(step >= self.upper - shared - rounding, self.upper, shared + step)
        return np.where(step <= self.lower - shared + rounding, self.lower, moved)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a fit is: accepted steps so far, residuals' mean square, and roll-outs' damping."""

    step: int
    cost: float
    damping: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """The end of a fit.

    Attributes:
        shared: (p,).
        own: of each block.
        blocks: linearised at the end, None if the fit was interrupted before it began.
        cost_history: mean square of residuals and priors, at the start and after each step.
        dead: indices of shared unknowns whose change changed nothing at all, at the end.
        at_bound: (p,) whether on a bound.
        ended: `converged`, `stuck`, `crawled`, `steps` (as many as allowed), `time`,
            `interrupted` or `diverged` (at the start already).
    """

    shared: Array
    own: tuple[Array, ...]
    blocks: tuple[Block, ...]
    cost_history: tuple[float, ...]
    dead: tuple[int, ...]
    at_bound: NDArray[np.bool_]
    ended: str

    @property
    def settled(self) -> bool:
        """Whether it ended where the residuals' slopes have it end."""
        return self.ended == "converged"


def least_squares(
    problem: Problem,
    start: Array,
    own: Sequence[Array],
    box: Box,
    *,
    max_steps: int = 30,
    tolerance: float = 1e-2,
    progress: Callable[[Progress], None] | None = None,
    out_of_time: Callable[[], bool] = lambda: False,
) -> Fit:
    """Minimise the squared residuals and priors from a start (p,) and own unknowns of each block.

    Ctrl-C ends it with the best point so far.

    Args:
        problem: what is fitted.
        start: moved into the bounds.
        own: start of each block's own unknowns.
        box: bounds and priors.
        max_steps: accepted steps at most.
        tolerance: the fit has converged when the next step promises to lower the sum of squares
            by no more than this times the residuals' mean square, or one lowered it by no more
            than that, or two in turn by no more than fifty times that; or where kinks keep a
            promise of a hundred times that from being held. It has crawled when four steps in turn
            lowered the cost by a hundred-thousandth at most. 0.01 leaves unknowns within a few
            tenths of their standard deviation.
        progress: told after every accepted step.
        out_of_time: asked before every step; True ends the fit with the best point so far.
    """
    search = _Search(problem, box, box.clip(start), tuple(own), tolerance, progress, out_of_time)
    ended = "interrupted"
    with contextlib.suppress(KeyboardInterrupt):
        ended = search.run(max_steps)
    return search.result(ended)


class _Search:
    """One run: the point, its linearisation, and the damping."""

    def __init__(
        self,
        problem: Problem,
        box: Box,
        shared: Array,
        own: tuple[Array, ...],
        tolerance: float,
        progress: Callable[[Progress], None] | None,
        out_of_time: Callable[[], bool],
    ) -> None:
        self._problem, self._box, self._tell = problem, box, progress
        self._out_of_time = out_of_time
        self._shared, self._own, self._tolerance = shared, own, tolerance
        self._blocks: tuple[Block, ...] = ()
        self._damping, self._growth = _FIRST_DAMPING, 2.0
        self._scale = np.zeros(shared.size)
        self._history: list[float] = []
        self._count = 1

    def run(self, max_steps: int) -> str:
        """Step until one of the ends; return its name."""
        first = self._problem.residuals(self._shared, self._own)
        if first is None:
            return "diverged"
        self._count = max(1, sum(r.size for r in first))
        cost = self._cost(first, self._shared)
        self._record(cost)
        few, crawled = False, 0
        while True:
            self._blocks = tuple(self._problem.linearise(self._shared, self._own))
            if len(self._history) > max_steps:
                return "steps"
            if self._out_of_time():
                return "time"
            after = self._improve(cost)
            if isinstance(after, str):
                return after
            gained, cost = cost - after, after
            self._record(cost)
            small = gained <= _SETTLED * self._enough(cost) and self._damping <= _FREE
            crawled = crawled + 1 if gained <= _CRAWL * cost else 0
            if (small and (few or gained <= self._enough(cost))) or crawled == _CRAWLED:
                self._blocks = tuple(self._problem.linearise(self._shared, self._own))
                return "converged" if small else "crawled"
            few = small

    def result(self, ended: str) -> Fit:
        """Return where the search is."""
        columns = np.zeros(self._shared.size)
        for block in self._blocks:
            columns = np.maximum(columns, np.abs(block.shared).max(axis=0, initial=0.0))
        dead = np.flatnonzero(columns == 0.0) if self._blocks else np.zeros(0, int)
        return Fit(
            shared=self._shared,
            own=self._own,
            blocks=self._blocks,
            cost_history=tuple(self._history),
            dead=tuple(int(i) for i in dead),
            at_bound=(self._shared <= self._box.lower) | (self._shared >= self._box.upper),
            ended=ended,
        )

    def _record(self, cost: float) -> None:
        self._history.append(cost / self._count)
        if self._tell:
            step = len(self._history) - 1
            self._tell(Progress(step=step, cost=cost / self._count, damping=self._damping))

    def _cost(self, residuals: Sequence[Array], shared: Array) -> float:
        prior = self._box.prior(shared)
        return float(sum(float(r @ r) for r in residuals) + prior @ prior)

    def _improve(self, cost: float) -> float | str:
        """Take one step that lowers the cost, which is returned, or tell why there is none."""
        blocks = [compress(block) for block in self._blocks]
        _, _, best = self._proposal(blocks, _LEAST_DAMPING)
        if best <= self._enough(cost):
            return "converged"
        while self._damping <= _MOST_DAMPING:
            step, own_steps, promised = self._proposal(blocks, self._damping)
            shared = self._box.moved(self._shared, step)
            own = tuple(o + d for o, d in zip(self._own, own_steps, strict=True))
            residuals = self._problem.residuals(shared, own)
            after = np.inf if residuals is None else self._cost(residuals, shared)
            gain = (cost - after) / max(promised, _LEAST_SCATTER)
            if np.isfinite(after) and gain > _LEAST_GAIN:
                self._damping *= max(0.1, 1.0 - (2.0 * gain - 1.0) ** 3)
                self._growth = 2.0
                self._shared, self._own = shared, own
                return float(after)
            self._damping *= self._growth
            self._growth *= 2.0
        return "converged" if best <= _BY_KINKS * self._enough(cost) else "stuck"

    def _proposal(
        self, blocks: Sequence[Block], damping: float
    ) -> tuple[Array, list[Array], float]:
        """Return the damped shared step, own steps, and by how much they should lower the cost."""
        parts = [eliminate(block, damping) for block in blocks]
        rows, right = self._system(parts)
        self._scale = np.maximum(self._scale, np.linalg.norm(rows, axis=0))
        step = self._step(rows, right, damping)
        own_steps = [part.own_step(step) for part in parts]
        before = self._cost([block.residual for block in blocks], self._shared)
        after = [
            block.residual + block.shared @ step + block.own @ own
            for block, own in zip(blocks, own_steps, strict=True)
        ]
        return step, own_steps, before - self._cost(after, self._shared + step)

    def _enough(self, cost: float) -> float:
        """Return the fall of the cost that is not worth a step."""
        return self._tolerance * max(cost / self._count, _LEAST_SCATTER)

    def _system(self, parts: Sequence[Eliminated]) -> tuple[Array, Array]:
        """Return rows (k, p) and residuals (k,) of the shared unknowns, priors included."""
        informed = np.isfinite(self._box.prior_sigma)
        weight = np.where(informed, 1.0 / np.where(informed, self._box.prior_sigma, 1.0), 0.0)
        rows = np.vstack([*(part.shared for part in parts), np.diag(weight)])
        right = np.concatenate([*(part.residual for part in parts), self._box.prior(self._shared)])
        return rows, right

    def _step(self, rows: Array, right: Array, damping: float) -> Array:
        """Return the damped step (p,) within the bounds.

        The damped linear problem is solved within the bounds exactly, so that the step goes along
        a bound rather than being cut off by it.
        """
        if not self._shared.size:
            return np.zeros(0)
        lower, upper = self._box.lower - self._shared, self._box.upper - self._shared
        brake = np.sqrt(damping) * np.where(self._scale > 0.0, self._scale, 1.0)
        left = np.vstack([rows, np.diag(brake)])
        target = np.concatenate([-right, np.zeros(brake.size)])
        step: Array = np.linalg.lstsq(left, target, rcond=None)[0]
        if ((step < lower) | (step > upper)).any():
            step = np.zeros_like(step)
            wide = upper > lower
            bounds = (lower[wide], upper[wide])
            columns, turns = left[:, wide], 10 * (1 + int(wide.sum()))
            solved = lsq_linear(columns, target, bounds, method="bvls", tol=1e-14, max_iter=turns)
            step[wide] = np.clip(solved.x, *bounds)
        return step
