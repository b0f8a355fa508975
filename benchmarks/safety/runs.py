"""Run the searches on all cores, one drawn parameter set after the other."""

from __future__ import annotations

import dataclasses
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from benchmarks.safety import compared, world
from benchmarks.safety.cases import ROBOTS, Case, draw_case
from benchmarks.safety.kernels import Search, comparison
from benchmarks.safety.plant import Array, Bits, Counts
from benchmarks.safety.world import Limiter
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.parameters import SafetyParameters

STEPS_A_CASE = 150_000
"""Steps of a joint under one parameter set, about."""
PERIODS = (400, 200, 800, 3000)
"""How long an arm is pushed about, in turn: the longest reach full speed at 1 kHz, too."""


@dataclass
class Totals:
    """What was found so far; `wrong` describes the first parameter sets that were broken."""

    counts: Counts = field(default_factory=lambda: world.new_totals()[0])
    measures: Array = field(default_factory=lambda: world.new_totals()[1])
    cases: int = 0
    wall_s: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Steps of a joint."""
        return int(self.counts[world.STEPS])

    @property
    def violations(self) -> int:
        """Limits broken, commands not passed bit for bit, arms not brought to rest."""
        return int(self.counts[list(world.VIOLATIONS)].sum())

    @property
    def infeasible(self) -> int:
        """Cycles of an arm without a feasible command, or with an empty observer."""
        return int(self.counts[world.INFEASIBLE])

    def add(self, case: Case, counts: Counts, measures: Array) -> None:
        """Add what was found in one parameter set."""
        broken = counts[list(world.VIOLATIONS)].sum() + counts[world.INFEASIBLE]
        if broken and len(self.wrong) < 5:
            self.wrong.append(f"{broken} at {1.0 / case.period_s:g} Hz: {case.parameters}")
        world.add_totals(self.counts, self.measures, counts, measures)
        self.cases += 1


def generator(*seed: int) -> Bits:
    """Return the state of a compiled generator."""
    return np.array(np.random.SeedSequence(seed).generate_state(1, np.uint64), dtype=np.uint64)


def search_case(
    search: Search, limiter: Limiter, seed: tuple[int, ...], steps: int
) -> tuple[Counts, Array]:
    """Search one parameter set for about `steps` steps of a joint; return counts and measures."""
    counts, measures = world.new_totals()
    periods = PERIODS[seed[-1] % len(PERIODS)]
    n_arms = max(1, round(steps / (periods * limiter.joints.shape[1])))
    search(limiter, n_arms, periods, generator(*seed), counts, measures)
    return counts, measures


def search_many(
    search: Search, make_limiter: Callable[[Case], Limiter], seed: int, steps: int
) -> Iterator[Totals]:
    """Search drawn parameter sets until there are `steps`; yield the totals after each.

    They depend on `seed` and `steps` alone: sets are added in the order in which they were drawn.
    """

    def one(index: int) -> tuple[Case, Counts, Array]:
        case = draw_case(np.random.default_rng([seed, index]))
        return case, *search_case(search, make_limiter(case), (seed, index), STEPS_A_CASE)

    totals, drawn = Totals(), 0
    search_case(search, make_limiter(draw_case(np.random.default_rng(seed))), (0,), 1)  # compiles
    start = time.perf_counter()
    threads = len(os.sched_getaffinity(0))
    pending: deque[Future[tuple[Case, Counts, Array]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            while totals.steps < steps:
                while len(pending) < 2 * threads:
                    pending.append(pool.submit(one, drawn))
                    drawn += 1
                totals.add(*pending.popleft().result())
                totals.wall_s = time.perf_counter() - start
                yield totals
        finally:
            for future in pending:
                future.cancel()


BLIND: dict[str, dict[str, float]] = {
    "interpolation": {"interpolation": 0.0},
    "noise": {"noise_rad": 0.0},
    "latency": {"max_latency_periods": 0},
    "gain error": {"gain_error": 0.0},
    "jitter": {"jitter": 0.0},
    "dead time": {"dead_time_periods": 0.0},
}
"""What a wrong filter does not know of its drive."""
HARSH = SafetyParameters(
    margin_rad=0.0,
    drift_rad_s=0.0,
    noise_rad=0.002,
    gain_error=0.05,
    jitter=0.1,
    max_latency_periods=3,
    dead_time_periods=3.0,
    interpolation=0.5,
)


def search_blind(search: Search, limits_of: Case, what: str, steps: int) -> Totals:
    """Search a velocity filter that does not know one property of its drive."""
    trusted = dataclasses.replace(limits_of.parameters, **BLIND[what])  # type: ignore[arg-type]  # of each field's own type
    limiter = world.velocity_limiter(limits_of, trusted)
    totals = Totals()
    totals.add(limits_of, *search_case(search, limiter, (0,), steps))
    return totals


def compare_limiter(which: int, parameters: SafetyParameters, steps: int) -> Totals:
    """Drive every robot through one limiter; starts and wishes are those of every other one."""
    compare, periods = comparison(), PERIODS[0]
    totals = Totals()
    for index, name in enumerate(ROBOTS):
        case = Case(
            limits=load_robot(name).limits, parameters=parameters, period_s=compared.PERIOD_S
        )
        limiter = world.velocity_limiter(case)
        # Overshoot is that of the limits themselves, which the peers know; a margin is ours.
        limiter.bounds[world.LEAST] = case.limits.position_lower_rad
        limiter.bounds[world.GREATEST] = case.limits.position_upper_rad
        n_arms = max(1, round(steps / (periods * case.limits.n_joints * len(ROBOTS))))
        counts, measures = world.new_totals()
        chance, wanted = generator(index, 0), generator(index, 1)
        compare(which, limiter, n_arms, periods, wanted, chance, counts, measures)
        totals.add(case, counts, measures)
    return totals
