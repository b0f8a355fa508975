"""How fast the safety filter reacts to faults, beside the bounds that it promises.

Every sample starts a graph of its own at 200 Hz, brings the arm into motion, and injects one fault.
A sample counts only if state, cause and the arm's rest are as they have to be. Where the machine is
so busy that a watchdog runs out before the fault, the graph is started again. So it is where a
sample fails and the whole machine stood still for most of a cycle meanwhile (`stalls`): that is
another fault than the one injected. The report says how often.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.bounded import Bounded
from benchmarks.faults.hog import may_hog
from benchmarks.faults.observer import FaultError, NotReadyError
from benchmarks.faults.stalls import Stalls
from benchmarks.faults.table import FAULTS, TABLE, Fault, run_fault
from benchmarks.options import Options
from benchmarks.report import Progress, Report

_NOTE = (
    "Times go from the injection to the first slower output of the filter (after its death: to the "
    "first slower joint state), as an observing process receives both, on one steady clock. The "
    "watchdogs are those of the bounds: commands 0.1 s, states 3 periods, 3 missed cycles, the "
    "driver's 0.1 s. The way of the call and of the output is part of the emergency stop's time; "
    "the filter reports its own part as stop_reaction_ms."
)
_OVERLOAD_NOTE = (
    "Overload lasts one cycle longer than may be missed; its time is that of the cycles that may "
    "be missed plus what the filter needs after the overload."
)

# A busy machine may trip the watchdogs, which are as short as the bounds, before the fault.
_STARTS = 5


def run(report: Report, options: Options) -> None:
    """Repeat every row of the table."""
    repeats = 2 if options.quick else 20
    names = [name for name in FAULTS if name != "overload-hog" or may_hog()]
    progress = Progress("faults", repeats * len(names))
    with (
        tempfile.TemporaryDirectory(prefix="sinew-stalls-") as folder,
        Stalls(Path(folder)) as clocks,
    ):
        for name in names:
            samples: list[float | None] = []
            failures: Counter[str] = Counter()
            for _ in range(repeats):
                progress.start(FAULTS[name].what)
                sample, wrong = measure(FAULTS[name], clocks)
                samples.append(sample)
                failures.update(wrong)
                report.put(_line(FAULTS[name], samples, failures))
    progress.close()


def measure(fault: Fault, clocks: Stalls) -> tuple[float | None, list[str]]:
    """Return the reaction, None if there is none that counts, and all that went wrong."""
    wrong: list[str] = []
    while len(wrong) < _STARTS:
        sample: float | None = None
        with tempfile.TemporaryDirectory(prefix="sinew-faults-") as folder:
            try:
                outcome = run_fault(fault, TABLE, Path(folder), timed=True)
            except NotReadyError:
                wrong.append("started again, as a watchdog ran out before the fault")
                continue
            except FaultError as error:
                since_s, failure = error.since_s, str(error).splitlines()[0]
            else:
                since_s, failure = outcome.since_s, str(outcome.seen)
                if outcome.as_expected(fault):
                    sample = outcome.seen.reaction
        if sample is not None and sample <= fault.bound:
            return sample, wrong
        if not clocks.any_since(since_s):
            return sample, [*wrong, *([failure] if sample is None else [])]
        wrong.append("started again, as the machine stood still during the fault")
    return None, wrong


def _line(fault: Fault, samples: list[float | None], failures: Counter[str]) -> Bounded:
    failed = (f"{fault.what}, {n} times: {failure}" for failure, n in failures.items())
    overload = (_OVERLOAD_NOTE,) if "overload" in fault.what else ()
    return Bounded(
        what=f"{fault.what}: {fault.reaction}",
        unit=fault.unit,
        samples=list(samples),
        bound=fault.bound,
        notes=(_NOTE, *overload, *failed),
    )
