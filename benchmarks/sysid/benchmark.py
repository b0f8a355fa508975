"""System identification against known arms: what is found, how sure it is, and whether it says so.

Each arm is an iiwa 14 behind PD loops, unlike its URDF in masses, frictions and rotors, moved by a
planned excitation of a minute and recorded at 200 Hz with noise (0.1 mrad, 0.2 N m) into a bag.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.bounded import Bounded
from benchmarks.options import Options
from benchmarks.report import Progress, Report
from benchmarks.sysid import cases, training
from benchmarks.sysid.cases import Case
from benchmarks.sysid.figures_of_merit import median_sharp, rms_z, worst
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.model import RobotModel

ROBOT = "iiwa14"
_SEEDS = 10
_LEAST_RMS_Z, _LARGEST_RMS_Z = 0.8, 1.3
_MINUTE_S, _QUICK_S, _QUIET_S = 60.0, 20.0, 20.0
TRAINING, _TRAININGS = "training", 2
"""The part that trains, and on how many arms at most: each takes two trainings of minutes."""
_MISMATCH = 1.5
"""chi2 per sample from which a report has to say that the model does not fit."""

Measure = tuple[str, str, float, Callable[[Case], float]]
"""What, unit, bound, and how a case is measured."""


def _out_of_range(low: float, value: float, high: float) -> float:
    """Return 1 or less inside a range; more the further outside."""
    return max(low / value, value / high) if value > 0.0 else math.inf


MATCHED: tuple[Measure, ...] = (
    ("sharp parameters, median error", "", 0.003, lambda c: median_sharp(c.misses)),
    ("sharp parameters, largest error in sigma", "", 4.0,
     lambda c: max((abs(m.z) for m in c.misses if m.sharp), default=math.nan)),
    ("identifiable masses, largest error", "", 0.01, lambda c: worst(c.misses, "mass/")),
    ("identifiable Coulomb frictions, largest error", "", 0.015,
     lambda c: worst(c.misses, "coulomb/")),
    ("identifiable viscous frictions, largest error", "", 0.04,
     lambda c: worst(c.misses, "viscous/")),
    ("delay, error", "s", 1e-4, lambda c: _delay_error(c)),
    ("chi2 per sample, distance from 1", "", 0.03, lambda c: abs(c.found.chi2_per_sample - 1.0)),
    ("held-out position error", "rad", 2e-5, lambda c: c.rmse_rad),
    ("verdict is not good", "", 0.0, lambda c: float(c.found.verdict != "good")),
    ("wall time", "s", 480.0, lambda c: c.found.wall_s),
)  # fmt: skip
MISMATCHED: tuple[Measure, ...] = (
    ("identifiable masses, largest error", "", 0.03, lambda c: worst(c.misses, "mass/")),
    ("identifiable Coulomb frictions, largest error", "", 0.05,
     lambda c: worst(c.misses, "coulomb/")),
    ("delay, error", "s", 5e-4, lambda c: _delay_error(c)),
    ("held-out position error, share of the nominal arm's", "", 0.2,
     lambda c: c.rmse_rad / c.nominal_rmse_rad),
    ("not flagged as a mismatch", "", 0.0,
     lambda c: float(c.found.chi2_per_sample < _MISMATCH or c.found.verdict == "good")),
)  # fmt: skip
SILENT: tuple[Measure, ...] = (
    ("called identifiable, off by more than 4 sigma", "", 0.0,
     lambda c: float(sum(abs(m.z) > 4.0 for m in c.misses))),
    ("verdict is good", "", 0.0, lambda c: float(c.found.verdict == "good")),
)  # fmt: skip
ABSOLUTE: tuple[Measure, ...] = (
    ("masses and frictions called identifiable", "", 0.0,
     lambda c: float(sum(m.estimate.name != "delay_s" for m in c.misses))),
    ("verdict is good", "", 0.0, lambda c: float(c.found.verdict == "good")),
)  # fmt: skip

Part = tuple[Callable[[RobotModel, int, float], Case], tuple[Measure, ...], float]
PARTS: dict[str, Part] = {
    "matched": (cases.matched, MATCHED, _MINUTE_S),
    "mismatched": (cases.mismatched, MISMATCHED, _MINUTE_S),
    "quiet": (cases.quiet, SILENT, _QUIET_S),
    "positions only": (cases.positions_only, ABSOLUTE, _MINUTE_S),
}


def run(report: Report, options: Options) -> None:
    """Identify arms of every part, over the seeds; then train on some."""
    seeds = options.given_seeds or (1 if options.quick else _SEEDS)
    robot = load_robot(ROBOT)
    exact = options.only in PARTS  # "matched" is also a part of "mismatched"
    chosen = {
        name: part
        for name, part in PARTS.items()
        if (name == options.only if exact else options.only in name)
    }
    trainings = 0 if options.only not in TRAINING else min(seeds, _TRAININGS)
    progress = Progress("sysid", len(chosen) * seeds + trainings)
    for name, (identified, measures, length_s) in chosen.items():
        results: list[Case] = []
        for seed in range(seeds):
            progress.start(f"{name}, seed {seed}")
            shortened = min(length_s, _QUICK_S) if options.quick else length_s
            results.append(identified(robot, seed, shortened))
            if results[-1].found.interrupted:
                raise KeyboardInterrupt
            put(report, name, measures, results)
            if measures is MATCHED:
                report.put(spread(name, results))
    _train(report, options, progress, trainings)
    progress.close()


def _train(report: Report, options: Options, progress: Progress, seeds: int) -> None:
    """Train on what is identified, and on the description."""
    robot = load_robot(training.ROBOT)
    results = []
    for seed in range(seeds):
        progress.start(f"{TRAINING}, seed {seed}")
        with tempfile.TemporaryDirectory(prefix="sinew-bench-") as temporary:
            results.append(
                training.compared(robot, seed, _QUICK_S, Path(temporary), quick=options.quick)
            )
        report.put(training.solved(results))
        report.put(training.comparison(results))


def put(report: Report, name: str, measures: tuple[Measure, ...], results: list[Case]) -> None:
    """Put the lines of one part, with one sample for each arm so far."""
    counts = ", ".join(str(len(case.misses)) for case in results)
    for what, unit, bound, measure in measures:
        values = [measure(case) for case in results]
        report.put(
            Bounded(
                what=f"{name}: {what}",
                unit=unit,
                samples=[value if math.isfinite(value) else None for value in values],
                bound=bound,
                notes=(f"{name}: of {len(results[0].found.estimates)} parameters were called "
                       f"identifiable, arm by arm: {counts}.",),
            )
        )  # fmt: skip


def spread(name: str, results: list[Case]) -> Bounded:
    """Return whether errors are as large as their sigmas say, all arms together.

    Errors of one arm go together, so an arm by itself tells little.
    """
    value = rms_z([miss for case in results for miss in case.misses])
    return Bounded(
        what=f"{name}: RMS of errors in sigma, over its range 0.8 to 1.3",
        unit="",
        samples=[_out_of_range(_LEAST_RMS_Z, value, _LARGEST_RMS_Z)],
        bound=1.0,
        notes=(f"{name}: RMS of the errors of all arms in sigma: {value:.3f}.",),
    )


def _delay_error(case: Case) -> float:
    return next(
        (abs(m.estimate.value - m.truth) for m in case.misses if m.estimate.name == "delay_s"),
        math.nan,
    )
