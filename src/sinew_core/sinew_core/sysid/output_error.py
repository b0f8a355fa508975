"""Output error: how far a simulated arm, told what the real one was told, goes elsewhere.

The residuals of a piece of motion are positions, and efforts where they were measured, each over
the standard deviation of its noise. Velocities are left out: most drivers derive them from the
positions, and so they tell nothing new. The state that a piece starts in is unknown, since it was
measured with noise; it is fitted with the rest (`least_squares`).

Derivatives are central differences: a Coulomb friction makes a motion that has kinks, on which
one-sided ones wander. At a bound, three points inside it serve. Their steps are three times what
the residuals' scatter lets an unknown stray if all others were known, the first ones a tenth of the
parametrisation's. So the fit ends in three or four steps, where steps of a per cent, thirty times
as wide, need seventeen: they see another slope than the one at the minimum. With a closed
controller a start is soon forgotten, so its roll-outs end where its influence has faded. Where the
pool has coarser steps for derivatives, those are of their own residuals, and every step is accepted
or rejected by the exact ones: each costs one roll-out, derivatives two for each unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.elimination import Block
from sinew_core.sysid.least_squares import Fit
from sinew_core.sysid.pieces import Piece
from sinew_core.sysid.rollouts import Job, Moves, RolloutPool

START_STEP = (1e-5, 1e-3)
"""rad, rad/s: of the differences by the state that a piece starts in."""
START_SIGMA = (0.01, 0.5)
"""rad, rad/s: how far the start may be off what the first samples tell, at most."""
_START_STRAYS = 3.0
"""How far it may be off, over what the noise of those samples lets it."""
_FIRST_STEP, _LEAST_STEP = 0.1, 0.02
"""Shares of the parametrisation's steps, of the first differences and of the finest."""
_STRAYS = 3.0
_LEAST_EFFECT = 1e-200
"""Of an unknown that changes nothing; less would overflow."""
_FIRST_MEMORY_S = 2.0
_FADED = 1e-3
"""Share of a start's largest influence below which it is forgotten."""


class Coordinates(Protocol):
    """The unknowns: `sinew_core.sysid.parametrisation.Parametrisation` is one."""

    @property
    def lower(self) -> Array:
        """(p,)."""

    @property
    def upper(self) -> Array:
        """(p,)."""

    @property
    def step(self) -> Array:
        """(p,) of finite differences."""

    def params(self, theta: Array) -> SimParams:
        """Return the arm with coordinates (p,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """Standard deviations that residuals are divided by.

    Attributes:
        position_rad: (n,).
        effort_nm: (n,), None where efforts are not fitted.
    """

    position_rad: Array
    effort_nm: Array | None

    def row(self) -> Array:
        """Return them side by side (channels,), as residuals are."""
        if self.effort_nm is None:
            return self.position_rad
        return np.concatenate([self.position_rad, self.effort_nm])

    def times(self, scale: Array) -> Weights:
        """Return them times a scale (channels,)."""
        n, row = self.position_rad.size, self.row() * scale
        effort = None if self.effort_nm is None else row[n:]
        return Weights(position_rad=row[:n], effort_nm=effort)


class OutputError:
    """The least-squares problem of some pieces of motion."""

    def __init__(
        self,
        coordinates: Coordinates,
        pool: RolloutPool,
        pieces: Sequence[Piece],
        weights: Weights,
        *,
        forgets: bool,
    ) -> None:
        """Take what is fitted to what; `forgets` tells whether a controller is closed."""
        self._coordinates, self._pool, self.weights = coordinates, pool, weights
        self.pieces = tuple(pieces)
        self._measured = [self._weighted(p.position_rad, p.effort_nm) for p in self.pieces]
        whole = [piece.time_s.size for piece in self.pieces]
        self._forgets = forgets
        self._step = _FIRST_STEP * coordinates.step
        self._memory = [_first_memory(p) for p in self.pieces] if forgets else whole
        self._known: tuple[Array, tuple[Array, ...], list[Block]] | None = None
        self._last: tuple[Array, tuple[Array, ...], list[Array]] | None = None

    def reweighted(self, weights: Weights, fit: Fit) -> OutputError:
        """Return the same problem with other weights, which needs no simulation at a fit's end."""
        other = OutputError(
            self._coordinates, self._pool, self.pieces, weights, forgets=self._forgets
        )
        other._memory, other._step = self._memory, self._step
        scale = self.weights.row() / weights.row()
        blocks = [self._scaled(i, block, scale) for i, block in enumerate(fit.blocks)]
        other._known = (fit.shared, fit.own, blocks)
        return other

    def _scaled(self, piece: int, block: Block, scale: Array) -> Block:
        """Return a block whose rows, but the start's, are multiplied by a scale (channels,)."""
        rows = np.ones(block.residual.size)
        size = self._measured[piece].size
        rows[:size] = np.tile(scale, size // scale.size)
        return Block(
            residual=block.residual * rows,
            shared=block.shared * rows[:, None],
            own=block.own * rows[:, None],
        )

    def starts(self) -> tuple[Array, ...]:
        """Return the starting state (2 n,) of each piece, as far as the samples tell."""
        return tuple(_start(piece) for piece in self.pieces)

    def _start_sigma(self, piece: int) -> Array:
        """Return how far the start (2 n,) of a piece may be off."""
        spread = self.pieces[piece].start_spread
        noise = np.tile(self.weights.position_rad, 2)
        return np.minimum(_START_STRAYS * noise * spread, _start_row(START_SIGMA, spread.size))

    def residuals(self, shared: Array, own: Sequence[Array]) -> list[Array] | None:
        """Return the residuals of every piece, the start's own last; None where one diverged."""
        if self._last is not None and _same_point(self._last, shared, own):
            return self._last[2]
        found = self.residuals_at([shared], own)[0]
        self._last = None if found is None else (shared, tuple(own), found)
        return found

    def residuals_at(
        self, points: Sequence[Array], own: Sequence[Array]
    ) -> list[list[Array] | None]:
        """Return the residuals at many points, which are simulated at the same time."""
        return self.residuals_of([self._coordinates.params(shared) for shared in points], own)

    def residuals_of(
        self, arms: Sequence[SimParams], own: Sequence[Array], *, rough: bool = False
    ) -> list[list[Array] | None]:
        """Return the residuals of many arms, whatever differs between them, likewise.

        Rough ones are only to be compared with each other, for derivatives.
        """
        jobs = [_job(p, arm, y) for arm in arms for p, y in zip(self.pieces, own, strict=True)]
        results = iter((self._pool.rough if rough else self._pool).run(jobs))
        return [self._residuals_of([next(results) for _ in self.pieces], own) for _ in arms]

    def _residuals_of(
        self, motions: Sequence[Moves | None], own: Sequence[Array]
    ) -> list[Array] | None:
        found = []
        for i, moves in enumerate(motions):
            if moves is None:
                return None
            start = (own[i] - _start(self.pieces[i])) / self._start_sigma(i)
            found.append(np.concatenate([self._residual(i, moves), start]))
        return found

    def linearise(self, shared: Array, own: Sequence[Array]) -> list[Block]:
        """Return residuals and derivatives; an unknown whose change diverges has none."""
        if self._known is not None and _same_point(self._known, shared, own):
            return self._known[2]
        residuals = self.residuals(shared, own)
        assert residuals is not None
        pool, base = self._for_derivatives(shared, own, residuals)
        by_shared = self._by_shared(pool, shared, own, base)
        by_own = self._by_own(pool, self._coordinates.params(shared), own)
        self._step = self._next_step(by_shared, residuals)
        blocks = []
        for i, start in enumerate(own):
            prior = np.diag(1.0 / self._start_sigma(i))
            nothing = np.zeros((start.size, shared.size))
            blocks.append(
                Block(
                    residual=residuals[i],
                    shared=np.vstack([by_shared[i], nothing]),
                    own=np.vstack([by_own[i], prior]),
                )
            )
        return blocks

    def _for_derivatives(
        self, shared: Array, own: Sequence[Array], residuals: list[Array]
    ) -> tuple[RolloutPool, list[Array]]:
        """Return what derivatives run on, and the residuals there.

        Where coarse steps are too coarse for the gains, those would have no derivatives at all.
        """
        if self._pool.rough is not self._pool:
            arm = self._coordinates.params(shared)
            found = self.residuals_of([arm], own, rough=True)[0]
            if found is not None:
                return self._pool.rough, found
        return self._pool, residuals

    def channels(self, rows: Array, piece: int) -> Array:
        """Return what belongs to a piece's samples, (k, channels, ...): positions, then efforts."""
        measured = self._measured[piece]
        return rows[: measured.size].reshape(*measured.shape, *rows.shape[1:])

    def _weighted(self, position_rad: Array, effort_nm: Array | None) -> Array:
        """Return positions, and efforts where they are fitted, over their noise: (k, channels)."""
        position: Array = position_rad / self.weights.position_rad
        if self.weights.effort_nm is None or effort_nm is None:
            return position
        return np.hstack([position, effort_nm / self.weights.effort_nm])

    def _residual(self, piece: int, moves: Moves) -> Array:
        simulated = self._weighted(moves.position_rad, moves.effort_nm)
        residual: Array = (simulated - self._measured[piece]).ravel()
        return residual

    def _by_shared(
        self, pool: RolloutPool, shared: Array, own: Sequence[Array], residuals: Sequence[Array]
    ) -> list[Array]:
        """Return derivatives (m, p) of each piece's residuals by the shared unknowns."""
        offsets = [self._offsets(shared, j) for j in range(shared.size)]
        jobs = []
        for j, pair in enumerate(offsets):
            for offset in pair:
                moved = shared.copy()
                moved[j] += offset
                params = self._coordinates.params(moved)
                jobs += [_job(p, params, y) for p, y in zip(self.pieces, own, strict=True)]
        results = iter(pool.run(jobs))
        derivatives = [np.zeros((m.size, shared.size)) for m in self._measured]
        for j, pair in enumerate(offsets):
            first = [next(results) for _ in self.pieces]
            second = [next(results) for _ in self.pieces]
            for i, both in enumerate(zip(first, second, strict=True)):
                base = residuals[i][: self._measured[i].size]
                sides = [None if moves is None else self._residual(i, moves) for moves in both]
                derivatives[i][:, j] = slope(base, pair, sides)
        return derivatives

    def _next_step(self, by_shared: Sequence[Array], residuals: Sequence[Array]) -> Array:
        """Return the steps (p,) of the next differences, see above."""
        count = sum(row.size for row in residuals)
        scatter = np.sqrt(sum(float(row @ row) for row in residuals) / count)
        squares = np.array([(rows**2).sum(axis=0) for rows in by_shared])
        effect = np.maximum(np.sqrt(squares.sum(axis=0)), _LEAST_EFFECT)
        first = self._coordinates.step
        step: Array = np.clip(_STRAYS * scatter / effect, _LEAST_STEP * first, first)
        return step

    def _offsets(self, shared: Array, j: int) -> tuple[float, float]:
        """Return two offsets of an unknown, which stay within its bounds."""
        below = float(shared[j] - self._coordinates.lower[j])
        above = float(self._coordinates.upper[j] - shared[j])
        step = min(float(self._step[j]), max(below, above) / 2.0)
        if below < step:
            return step, 2.0 * step
        if above < step:
            return -step, -2.0 * step
        return step, -step

    def _by_own(self, pool: RolloutPool, params: SimParams, own: Sequence[Array]) -> list[Array]:
        """Return derivatives (m, 2 n) of each piece by its start, as far as it is remembered."""
        found = [np.zeros((m.size, y.size)) for m, y in zip(self._measured, own, strict=True)]
        waiting = list(range(len(self.pieces)))
        while waiting:
            jobs = [
                _job(self.pieces[i], params, moved, self._memory[i])
                for i in waiting
                for moved in _moved_starts(own[i])
            ]
            results = iter(pool.run(jobs))
            for i in waiting:
                both = [(next(results), next(results)) for _ in own[i]]
                self._write_start_columns(found[i], i, both)
            waiting = [i for i in waiting if self._remember_longer(i, found[i])]
        return found

    def _write_start_columns(
        self, columns: Array, piece: int, both: Sequence[tuple[Moves | None, Moves | None]]
    ) -> None:
        steps = 2.0 * _start_row(START_STEP, len(both))
        for j, (plus, minus) in enumerate(both):
            if plus is not None and minus is not None:
                change = self._weighted(plus.position_rad, plus.effort_nm)
                change = change - self._weighted(minus.position_rad, minus.effort_nm)
                columns[: change.size, j] = change.ravel() / steps[j]

    def _remember_longer(self, piece: int, columns: Array) -> bool:
        """Tell whether a start's influence has not faded yet, and double its time then."""
        kept, whole = self._memory[piece], self._measured[piece].shape[0]
        if kept >= whole:
            return False
        size = np.abs(self.channels(columns, piece)[:kept]).max(axis=1)
        tail = size[-max(1, kept // 10) :].max(axis=0)
        if (tail <= _FADED * size.max(axis=0)).all():
            return False
        self._memory[piece] = min(2 * kept, whole)
        return True


def slope(base: Array, offsets: tuple[float, float], sides: Sequence[Array | None]) -> Array:
    """Return the derivative (m,) of a row, known here and at two offsets; None: diverged there.

    For offsets h and -h it is the central difference, for h and 2 h the parabola's slope; where one
    side diverged, what the other tells.
    """
    (a, b), (at_a, at_b) = offsets, sides
    if a == 0.0:
        return np.zeros_like(base)
    if at_a is not None and at_b is not None:
        # Lagrange's parabola through (0, base), (a, at_a), (b, at_b).
        derivative: Array = (
            -(a + b) / (a * b) * base + b / (a * (b - a)) * at_a - a / (b * (b - a)) * at_b
        )
        return derivative
    for offset, side in ((a, at_a), (b, at_b)):
        if side is not None:
            one_sided: Array = (side - base) / offset
            return one_sided
    return np.zeros_like(base)


def _same_point(
    known: tuple[Array, tuple[Array, ...], object], shared: Array, own: Sequence[Array]
) -> bool:
    pairs = [(known[0], shared), *zip(known[1], own, strict=True)]
    return all(np.array_equal(a, b) for a, b in pairs)


def _job(piece: Piece, params: SimParams, start: Array, samples: int | None = None) -> Job:
    n = start.size // 2
    return Job(
        piece=piece,
        params=params,
        position_rad=start[:n],
        velocity_rad_s=start[n:],
        samples=piece.time_s.size if samples is None else samples,
    )


def _start(piece: Piece) -> Array:
    return np.concatenate([piece.start_position_rad, piece.start_velocity_rad_s])


def _start_row(values: tuple[float, float], size: int) -> Array:
    """Return a row (2 n,) with one value for positions and one for velocities."""
    return np.repeat(values, size // 2)


def _moved_starts(start: Array) -> list[Array]:
    """Return starts with each of their values moved up and down."""
    steps = np.diag(_start_row(START_STEP, start.size))
    return [start + sign * row for row in steps for sign in (1.0, -1.0)]


def _first_memory(piece: Piece) -> int:
    """Return how many samples of a piece may remember its start, as a first guess."""
    within = np.searchsorted(piece.time_s, piece.time_s[0] + _FIRST_MEMORY_S)
    return min(piece.time_s.size, max(2, int(within)))
