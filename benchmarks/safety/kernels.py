"""The loops, compiled; numba keeps the machine code on disk until one of the sources changes.

Its cache knows only the file of the compiled function, and what that closes over: here a hash of
all files that end up in the loops.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable

import numba

from benchmarks.safety import compared, peers, plant, search, wishes, world
from benchmarks.safety.plant import Array, Bits
from benchmarks.safety.world import Counts, Limiter
from sinew_core.safety import equations, position_equations, twin

Search = Callable[[Limiter, int, int, Bits, Counts, Array], None]
Compare = Callable[[int, Limiter, int, int, Bits, Bits, Counts, Array], None]


def _hash_of_sources() -> str:
    # Importing `twin` is what makes the filter's equations compilable.
    files = (equations, position_equations, twin, plant, peers, wishes, world, search, compared)
    text = "".join(inspect.getsource(file) for file in files)
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def velocity_search() -> Search:
    """Compile `search.search_velocities`."""
    sources = _hash_of_sources()

    def search_velocities(
        limiter: Limiter, n_arms: int, periods: int, rng: Bits, counts: Counts, measures: Array
    ) -> None:
        sources  # noqa: B018 - see above
        search.search_velocities(limiter, n_arms, periods, rng, counts, measures)

    kernel: Search = numba.njit(cache=True, nogil=True)(search_velocities)
    return kernel


@functools.cache
def position_search() -> Search:
    """Compile `search.search_positions`."""
    sources = _hash_of_sources()

    def search_positions(
        limiter: Limiter, n_arms: int, periods: int, rng: Bits, counts: Counts, measures: Array
    ) -> None:
        sources  # noqa: B018 - see above
        search.search_positions(limiter, n_arms, periods, rng, counts, measures)

    kernel: Search = numba.njit(cache=True, nogil=True)(search_positions)
    return kernel


@functools.cache
def comparison() -> Compare:
    """Compile `compared.compare`."""
    sources = _hash_of_sources()

    def compare(
        which: int,
        limiter: Limiter,
        n_arms: int,
        periods: int,
        wanted: Bits,
        chance: Bits,
        counts: Counts,
        measures: Array,
    ) -> None:
        sources  # noqa: B018 - see above
        compared.compare(which, limiter, n_arms, periods, wanted, chance, counts, measures)

    kernel: Compare = numba.njit(cache=True, nogil=True)(compare)
    return kernel
