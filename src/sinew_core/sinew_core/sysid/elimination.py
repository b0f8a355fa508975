"""Residuals that share unknowns and have own ones, and what is left of them without their own."""

from __future__ import annotations

import dataclasses
from typing import cast

import numpy as np

from sinew_core.robots.arrays import Array


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Residuals that share own unknowns, and how they change.

    Attributes:
        residual: (m,), each over its standard deviation.
        shared: (m, p) derivatives by the shared unknowns.
        own: (m, q) derivatives by the block's own unknowns.
    """

    residual: Array
    shared: Array
    own: Array


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Eliminated:
    """One block without its own unknowns.

    Attributes:
        triangle: (q, q) and `coupling` (q, p), `target` (q,): the own step s_o of a shared step s
            solves triangle s_o = -target - coupling s.
        shared: (k, p) and `residual` (k,): what the own unknowns cannot explain.
    """

    triangle: Array
    coupling: Array
    target: Array
    shared: Array
    residual: Array

    def own_step(self, step: Array) -> Array:
        """Return the own step (q,) that goes with a shared step (p,)."""
        if not self.triangle.size:
            return np.zeros(0)
        right = -self.target - self.coupling @ step
        return np.asarray(np.linalg.lstsq(self.triangle, right, rcond=1e-10)[0], np.float64)


def compress(block: Block) -> Block:
    """Return a block of at most q + p + 1 rows whose squares are the same for every step."""
    q, p = block.own.shape[1], block.shared.shape[1]
    factor = _triangle(block.own, block.shared, block.residual)
    return Block(residual=factor[:, -1], shared=factor[:, q : q + p], own=factor[:, :q])


def eliminate(block: Block, damping: float = 0.0) -> Eliminated:
    """Project a block onto what its own unknowns, which may be damped, cannot explain, by QR."""
    q, p = block.own.shape[1], block.shared.shape[1]
    own, shared, residual = block.own, block.shared, block.residual
    if damping > 0.0:
        brake = np.sqrt(damping) * np.diag(np.linalg.norm(own, axis=0))
        own = np.vstack([own, brake])
        shared = np.vstack([shared, np.zeros((q, p))])
        residual = np.concatenate([residual, np.zeros(q)])
    factor = _triangle(own, shared, residual)
    return Eliminated(
        triangle=factor[:q, :q],
        coupling=factor[:q, q : q + p],
        target=factor[:q, -1],
        shared=factor[q:, q : q + p],
        residual=factor[q:, -1],
    )


def _triangle(own: Array, shared: Array, residual: Array) -> Array:
    return cast(Array, np.linalg.qr(np.column_stack([own, shared, residual]), mode="r"))
