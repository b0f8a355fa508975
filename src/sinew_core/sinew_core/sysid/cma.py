"""A wide search for a start, where the local fit goes nowhere near the recorded motion.

CMA-ES (N. Hansen, The CMA Evolution Strategy: A Tutorial, 2016) by the `cmaes` library, over
coordinates in units of what counts as a large change of each. It needs no derivatives and stands
diverged simulations, which rank last, but takes far more of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.sysid.least_squares import Box

_SIGMA = 0.3
_WIDEST = 20.0
"""Large changes: how far from the start the search goes where the bounds are wider."""
_DIVERGED = 1e30
_STALE = 15
"""Generations without a better point after which the search ends."""


def wide_search(
    costs: Callable[[Sequence[Array]], Sequence[float]],
    start: Array,
    size: Array,
    box: Box,
    *,
    seed: int,
    generations: int = 80,
    progress: Callable[[int, float], None] | None = None,
    out_of_time: Callable[[], bool] = lambda: False,
) -> Array:
    """Return the best coordinates (p,) found, the start if there are none better.

    Args:
        costs: gives the cost of many coordinates (p,); not finite where they diverge.
        start: (p,).
        size: (p,) what counts as a large change of each.
        box: bounds and priors, which are added to the cost.
        seed: of the search.
        generations: at most.
        progress: told the generation and the best cost after each.
        out_of_time: asked before every generation; True ends the search with the best so far.
    """
    from cmaes import CMA  # brings scipy.stats: 2 s that a start without a search need not wait

    lower = np.maximum((box.lower - start) / size, -_WIDEST)
    upper = np.minimum((box.upper - start) / size, _WIDEST)
    bounds = np.column_stack([lower, np.maximum(upper, lower + 1e-9)])
    search = CMA(mean=np.zeros(start.size), sigma=_SIGMA, bounds=bounds, seed=seed)
    best, least = start, _prior_and(costs([start])[0], box, start)
    last_better = 0
    for generation in range(1, generations + 1):
        if out_of_time():
            break
        asked = [search.ask() for _ in range(search.population_size)]
        points = [box.clip(start + size * point) for point in asked]
        found = [_prior_and(c, box, x) for c, x in zip(costs(points), points, strict=True)]
        search.tell(list(zip(asked, found, strict=True)))
        first = int(np.argmin(found))
        if found[first] < least:
            best, least, last_better = points[first], found[first], generation
        if progress:
            progress(generation, least)
        if search.should_stop() or generation - last_better >= _STALE:
            break
    return best


def _prior_and(cost: float, box: Box, point: Array) -> float:
    prior = box.prior(point)
    return float(cost + prior @ prior) if np.isfinite(cost) else _DIVERGED
