"""Run benchmarks: `python -m benchmarks [NAME]`."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

from benchmarks.machine import machine_facts
from benchmarks.options import Options
from benchmarks.report import Report
from sinew_core.errors import ConfigError, SinewError, suggest

if TYPE_CHECKING:
    from types import FrameType

BENCHMARKS = {
    "policy": ("benchmarks.policy_latency", "one observation to one action, beside torch eager"),
    "sim": ("benchmarks.sim", "environment steps per second, beside panda-gym"),
    "safety": (
        "benchmarks.safety.benchmark",
        "limits broken by the worst drives and wishes, beside three other limiters",
    ),
    "reach": ("benchmarks.reach", "training time to 95 % success, beside Stable-Baselines3"),
    "learning": (
        "benchmarks.learning.benchmark",
        "scores on standard tasks, beside Stable-Baselines3",
    ),
    "learner": (
        "benchmarks.learner.benchmark",
        "gradient steps per second and memory, beside Stable-Baselines3",
    ),
    "randomisation": (
        "benchmarks.randomisation",
        "success over the range of an arm's dynamics, trained with randomisation and without",
    ),
    "bag": ("benchmarks.bag.benchmark", "joint states of bags, beside rosbags; damaged bags"),
    "sysid": (
        "benchmarks.sysid.benchmark",
        "parameters found from bags of simulated arms, beside the truth",
    ),
    "arms": ("benchmarks.arms", "success of a policy on each emulated arm, over the graph"),
    "online": (
        "benchmarks.online",
        "control steps per second of training over the graph; what fine-tuning there brings",
    ),
    "faults": ("benchmarks.faults.run", "reactions of the safety filter, beside their bounds"),
    "graph": (
        "benchmarks.graph.benchmark",
        "from joint_states to command through the graph at 500 Hz, beside its bars",
    ),
}
JUDGED = ("arms", "graph")
"""Benchmarks that end with status 1 where a bar is missed."""
INTERRUPTED = 130


class Benchmark(Protocol):
    """What the module of a benchmark offers."""

    def run(self, report: Report, options: Options) -> None:
        """Measure, putting every comparison into the report as soon as it is there."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line asks for.

    The status says whether it ran, not what it found; that of the `JUDGED` says both.
    """
    missed = False
    try:
        name, options = _parse(argv)
        names = [name] if name else list(BENCHMARKS)
        # Before numpy and torch are imported: one thread on both sides.
        os.environ["OMP_NUM_THREADS"] = "1"
        signal.signal(signal.SIGTERM, _interrupt)
        for each in names:
            met = run_benchmark(each, options)
            if met is None:
                return INTERRUPTED
            missed |= each in JUDGED and not met
    except ModuleNotFoundError as error:
        _say(f"{error.name} is not installed: ./sinew setup bench installs the peers")
        return 1
    except SinewError as error:
        _say(str(error))
        return 2
    return int(missed)


def run_benchmark(name: str, options: Options) -> bool | None:
    """Run one benchmark and print its table.

    Returns:
        Whether every goal was met; None where it did not run to its end.
    """
    module, title = BENCHMARKS[name]
    benchmark: Benchmark = importlib.import_module(module)
    folder = options.output / f"bench-{name}"
    report = Report(name, title, folder, machine_facts(), options.to_mapping())
    complete = False
    try:
        benchmark.run(report, options)
        complete = True
    except KeyboardInterrupt:
        _say(f"interrupted: {folder} keeps what is done; ./sinew bench {name} measures anew")
    finally:
        report.finish(complete=complete)
    sys.stdout.write(f"{report.table()}\n{folder / 'report.html'}\n")
    return all(line.met() is not False for line in report.lines) if complete else None


def _parse(argv: Sequence[str] | None) -> tuple[str, Options]:
    listed = "\n".join(f"  {name:<13} {title}" for name, (_, title) in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="./sinew bench",
        description="Measure Sinew beside its peers, in the same run on one thread; writes\n"
        "runs/bench-NAME/ with report.json and report.html.",
        epilog=f"benchmarks:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="default: all of them")
    parser.add_argument("--quick", action="store_true", help="few repeats, one seed: a rough look")
    parser.add_argument(
        "--seeds", type=int, help="training runs of each side in reach (5) and learning (10)"
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="PART",
        help="parts of learning, sysid and online, and robots of arms, with PART in their names",
    )
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder of the reports")
    given = parser.parse_args(argv)
    if given.name and given.name not in BENCHMARKS:
        raise ConfigError(f"unknown benchmark '{given.name}': {suggest(given.name, BENCHMARKS)}")
    if given.seeds is not None and given.seeds < 1:
        raise ConfigError(f"--seeds is {given.seeds}: allowed at least 1")
    seeds = given.seeds or (1 if given.quick else 5)
    options = Options(
        quick=given.quick,
        seeds=seeds,
        given_seeds=given.seeds or 0,
        only=given.only,
        output=given.output,
    )
    return given.name, options


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    sys.stderr.write(f"sinew bench: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
