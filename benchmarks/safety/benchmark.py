"""Limits broken and commands without a way out, sought by adversarial drives and wishes.

Counted are steps of a joint: one filter period of one joint. Beside it, the equations of
ros2_control, MoveIt Servo and a soft limit on the same drives and wishes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.comparison import Comparison, Goal
from benchmarks.options import Options
from benchmarks.report import Progress, Report
from benchmarks.safety import compared, cycles, kernels, runs, world
from benchmarks.safety.cases import Case
from benchmarks.safety.certified import DISTANCE_TOLERANCE_M, search_certified
from benchmarks.safety.manoeuvre import braking_figure
from benchmarks.safety.runs import Totals
from sinew_core.robots.catalogue import load_robot

SEED = 20
NONE = Goal(bound=0.0, at_most=True)
SOME = Goal(bound=1.0)
CYCLE = Goal(bound=25.0, at_most=True)
SLOW_CYCLE = Goal(bound=1000.0, at_most=True)
_SEARCH_NOTE = (
    "A step is one filter period of one joint. Robots, rates of 50 to 1000 Hz and assumptions are "
    "drawn anew every some 150,000 steps; drives do the worst that the assumptions allow, also "
    "between two samples: noise, latency, jitter, gain error, drift, interpolation; measurements "
    "get lost, commands are not finite now and then, at last the policy falls silent or the "
    "filter dies, and the drive holds the last command for the dead time. A violation is a limit "
    "of position, velocity or acceleration broken by more than 1e-9, a safe command changed, or "
    "an arm that does not come to rest. Infeasible is a cycle with lo > hi or an empty observer."
)
_CERTIFIED_NOTE = (
    "Certified braking also holds the jerk limits of the commands, and distances at the true "
    "posture of every sample and of one instant between each two: parts of the arm, floor and "
    f"forbidden boxes by the clearance, within {DISTANCE_TOLERANCE_M:g} m, and the workspace."
)
_CYCLE_NOTE = (
    "Cycles: the filter of the safety node, in plain Python, seven joints, times of the wall; the "
    "arm is driven at its limits all the while, at random or against what it keeps off."
)
_BLIND_NOTE = (
    "Self-check: the same search must find what is wrong with a velocity filter that does not "
    "know one property of its drive."
)
_PEERS_NOTE = (
    "Peers: their published equations, written down anew, on the same drives, starts and wishes "
    "within the speed limits; no drive exceeds the acceleration limit, whatever it is sent. A "
    "command is safe if it is within speed and acceleration limit and the drive, its position "
    "known exactly, can still stop before the limit. MoveIt Servo and the soft limit send on "
    "jumps of the command that no drive can follow, so they change fewer of the others. "
    "Exact drive: no error at all. Declared drive: the default assumptions, jitter 0.1, and "
    "measurements up to two periods old; both at 100 Hz."
)


@dataclass(frozen=True, kw_only=True)
class Volume:
    """How many steps of a joint each part takes at least, and how many cycles are timed each."""

    velocity: int
    position: int
    certified: int
    blind: int
    compared: int
    cycles: int


FULL = Volume(
    velocity=10**9, position=10**9, certified=10**7, blind=10**6, compared=5 * 10**6, cycles=20_000
)
QUICK = Volume(
    velocity=10**6, position=10**6, certified=10**4, blind=10**5, compared=2 * 10**5, cycles=2_000
)
PARTS = 20  # of a search, for the progress


def run(report: Report, options: Options) -> None:
    """Time the cycles, check that the search finds, compare with the peers, then search."""
    volume = QUICK if options.quick else FULL
    timed = list(cycles.cases())
    n_compared = len(compared.PEERS) * len(compared.DRIVES)
    progress = Progress("safety", 3 * PARTS + len(runs.BLIND) + n_compared + len(timed))
    report.draw("braking", braking_figure(), "one joint driven at its limit at full speed")
    put_cycles(report, progress, timed, volume.cycles)
    put_blind(report, progress, volume.blind)
    put_peers(report, progress, volume.compared)
    searches: tuple[tuple[str, str, int, Callable[[int], Iterator[Totals]]], ...] = (
        ("velocity commands", "rad/s", volume.velocity, _search_velocities),
        ("position commands", "rad", volume.position, _search_positions),
        ("certified braking", "rad/s", volume.certified, _search_certified),
    )
    for what, unit, steps, search in searches:
        put_search(report, progress, what, unit, steps, search(steps))
    progress.close()


def _search_velocities(steps: int) -> Iterator[Totals]:
    return runs.search_many(kernels.velocity_search(), world.velocity_limiter, SEED, steps)


def _search_positions(steps: int) -> Iterator[Totals]:
    return runs.search_many(kernels.position_search(), world.position_limiter, SEED, steps)


def _search_certified(steps: int) -> Iterator[Totals]:
    return search_certified(SEED, steps)


def put_search(
    report: Report,
    progress: Progress,
    what: str,
    unit: str,
    steps: int,
    found: Iterator[Totals],
) -> None:
    """Search for violations; what was found until an interrupt is in the report."""
    told, totals = 0, Totals()
    progress.start(f"{what}, {steps:,} steps of a joint")
    try:
        for totals in found:
            part = totals.steps * PARTS // steps
            if told < part < PARTS:
                told = part
                progress.start(f"{what}, {totals.steps:,} of {steps:,} steps of a joint")
                _put_totals(report, what, unit, totals)
    finally:
        if totals.steps:
            _put_totals(report, what, unit, totals)


def _put_totals(report: Report, what: str, unit: str, totals: Totals) -> None:
    counts, measures = totals.counts, totals.measures
    counts_distances = bool(math.isfinite(measures[world.CLEAREST]))
    notes = [_SEARCH_NOTE, _told(what, totals), *totals.wrong]
    if counts_distances:
        notes.append(_CERTIFIED_NOTE)

    def put(name: str, of: str, value: float, goal: Goal | None = None) -> None:
        report.put(
            Comparison(what=f"{what}: {name}", unit=of, ours=[value], goal=goal, notes=tuple(notes))
        )

    changed = max(1, int(counts[world.CHANGED]))
    put("steps", "joint steps", totals.steps)
    put("violations beyond 1e-9", "joint steps", totals.violations, NONE)
    put("infeasible", "cycles", totals.infeasible, NONE)
    put("closest approach to a bound", "nrad", measures[world.NEAREST] * 1e9)
    if counts_distances:
        put("closest approach to a clearance", "mm", measures[world.CLEAREST] * 1e3)
    put("mean change of an unsafe command", unit, measures[world.CHANGE] / changed)
    put("share of commands changed", "%", 100.0 * changed / totals.steps)
    put("rate", "joint steps/s", totals.steps / totals.wall_s)


def _told(what: str, totals: Totals) -> str:
    counts = totals.counts
    kinds = {
        "out of range": world.OUT_OF_RANGE,
        "too fast": world.TOO_FAST,
        "too high an acceleration": world.TOO_HARD,
        "safe but changed": world.NOT_PASSED,
        "not at rest": world.NOT_AT_REST,
        "too high a jerk": world.TOO_JERKY,
        "nearer than the clearance": world.TOO_CLOSE,
    }
    found = ", ".join(f"{name} {counts[kind]:,}" for name, kind in kinds.items())
    return (
        f"{what}: {totals.cases:,} parameter sets, {counts[world.EPISODES]:,} arms from start to "
        f"rest, {totals.wall_s:,.0f} s on all cores. {found}."
    )


def put_cycles(
    report: Report, progress: Progress, cases: Sequence[cycles.Cycles], count: int
) -> None:
    """Time the cycles of the node's filter."""
    for case in cases:
        progress.start(f"cycles, {case}")
        took = np.array(cycles.time_cycles(case, count))
        with_pairs = case.parameters.floor
        typical, slow = np.percentile(took, (50.0, 99.0))
        for name, value, goal in (
            ("median", typical, None if with_pairs else CYCLE),
            ("99th percentile", slow, SLOW_CYCLE if with_pairs else None),
        ):
            report.put(
                Comparison(
                    what=f"cycle, {case}: {name}",
                    unit="µs",
                    ours=[float(value)],
                    goal=goal,
                    notes=(_CYCLE_NOTE,),
                )
            )


def put_blind(report: Report, progress: Progress, steps: int) -> None:
    """Show that filters which do not know their drive are found out."""
    case = Case(limits=load_robot("panda").limits, parameters=runs.HARSH, period_s=0.01)
    for what in runs.BLIND:
        progress.start(f"self-check, a filter that does not know the {what}")
        totals = runs.search_blind(kernels.velocity_search(), case, what, steps)
        report.put(
            Comparison(
                what=f"self-check, filter that does not know the {what}: found",
                unit="violations",
                ours=[totals.violations + totals.infeasible],
                goal=SOME,
                notes=(_BLIND_NOTE,),
            )
        )


def overshoot_rad(totals: Totals) -> float:
    """Return how far a joint was beyond a limit at most; rounding is none."""
    beyond = float(totals.measures[world.OVERSHOOT])
    return beyond if beyond > world.TOLERANCE else 0.0


def share_outside(totals: Totals) -> float:
    """Return in how many percent of the steps a joint was beyond a limit."""
    return 100.0 * float(totals.counts[world.OUTSIDE]) / totals.steps


def lost_speed_rad_s(totals: Totals) -> float:
    """Return the mean of |asked - sent| of the safe commands; rounding is none."""
    lost = float(totals.measures[world.LOST]) / max(1, int(totals.counts[world.SAFE]))
    return lost if lost > world.TOLERANCE else 0.0


def intervention_rad_s(totals: Totals) -> float:
    """Return the mean of |asked - sent| of the unsafe commands."""
    return float(totals.measures[world.CHANGE]) / max(1, int(totals.counts[world.UNSAFE]))


def share_changed(totals: Totals) -> float:
    """Return how many percent of the commands were changed."""
    return 100.0 * float(totals.counts[world.CHANGED]) / totals.steps


_COMPARED: tuple[tuple[str, str, Callable[[Totals], float]], ...] = (
    ("overshoot beyond the limits", "rad", overshoot_rad),
    ("time beyond the limits", "%", share_outside),
    ("lost speed of safe commands", "rad/s", lost_speed_rad_s),
    ("mean change of unsafe commands", "rad/s", intervention_rad_s),
    ("share of commands changed", "%", share_changed),
)


def put_peers(report: Report, progress: Progress, steps: int) -> None:
    """Compare the limiters, drive by drive."""
    for drive, parameters in compared.DRIVES.items():
        ours = runs.compare_limiter(compared.OURS, parameters, steps)
        for peer, which in compared.PEERS.items():
            progress.start(f"{peer}, {drive}")
            theirs = runs.compare_limiter(which, parameters, steps)
            for name, unit, value in _COMPARED:
                report.put(
                    Comparison(
                        what=f"{name}, {drive}, peer {peer}",
                        unit=unit,
                        ours=[value(ours)],
                        peer=[value(theirs)],
                        notes=(_PEERS_NOTE,),
                    )
                )
