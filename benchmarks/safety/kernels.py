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
import numpy as np

from benchmarks.safety import compared, peers, plant, search, wishes, world
from benchmarks.safety.plant import Array, Bits, Counts
from benchmarks.safety.world import Arm, Limiter
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


@functools.cache
def begin_at() -> Callable[[Bits, Limiter, Arm, Array], None]:
    """Compile the start of an arm at rest at a posture (n,), its measured one in the arm."""
    sources = _hash_of_sources()

    def begin(rng: Bits, limiter: Limiter, arm: Arm, posture: Array) -> None:
        sources  # noqa: B018 - see above
        search.begin(rng, limiter, arm)
        arm.plant[plant.X] = posture
        search.sense(rng, limiter, arm, 0, 0, False)

    kernel: Callable[[Bits, Limiter, Arm, Array], None]
    kernel = numba.njit(cache=True, nogil=True)(begin)
    return kernel


@functools.cache
def sense_and_ask() -> Callable[[Bits, Limiter, Arm, int, bool], None]:
    """Compile the measurements and wishes of period `k`."""
    sources = _hash_of_sources()

    def ask(rng: Bits, limiter: Limiter, arm: Arm, k: int, lossy: bool) -> None:
        sources  # noqa: B018 - see above
        search.sense(rng, limiter, arm, k % len(arm.past), k, lossy)
        search.ask_velocities(rng, limiter, arm)

    kernel: Callable[[Bits, Limiter, Arm, int, bool], None]
    kernel = numba.njit(cache=True, nogil=True)(ask)
    return kernel


@functools.cache
def check_and_move() -> Callable[[Bits, Limiter, Arm, int, Counts, Array], None]:
    """Compile the checks of velocity commands and the motion of the drives up to period `k`."""
    sources = _hash_of_sources()

    def advance(
        rng: Bits, limiter: Limiter, arm: Arm, k: int, counts: Counts, measures: Array
    ) -> None:
        sources  # noqa: B018 - see above
        search.check_velocities(limiter, arm, counts, measures)
        search.move_all(rng, limiter, arm, k % len(arm.past), counts, measures)

    kernel: Callable[[Bits, Limiter, Arm, int, Counts, Array], None]
    kernel = numba.njit(cache=True, nogil=True)(advance)
    return kernel


@functools.cache
def posture_between() -> Callable[[Limiter, Arm, int, float], Array]:
    """Compile the true posture (n,) rad after a part of the period up to `k`."""
    sources = _hash_of_sources()

    def between(limiter: Limiter, arm: Arm, k: int, part: float) -> Array:
        sources  # noqa: B018 - see above
        posture = np.empty(len(arm.out))
        newest = k % len(arm.past)
        for j in range(len(posture)):
            age = 1.0 - part
            posture[j] = plant.measure(limiter.drive, arm.plant, arm.past, newest, j, age, 0.0)
        return posture

    kernel: Callable[[Limiter, Arm, int, float], Array]
    kernel = numba.njit(cache=True, nogil=True)(between)
    return kernel
