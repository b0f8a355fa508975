"""How long the graph takes from joint_states to command at 500 Hz, and what it loses.

Driver, safety filter and policy run as deployed, each a process, in real time with all rates at
500 Hz. Beside them one clock per core tells when the machine itself stood still, and before them a
node that only sends joint states back shows what two bare hops cost here.
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.bounded import Bounded
from benchmarks.comparison import Comparison
from benchmarks.faults.observer import FaultError
from benchmarks.faults.stalls import Stalls
from benchmarks.graph.bundle import write_swaying_policy
from benchmarks.graph.figures import (
    Milliseconds,
    growth_percent,
    latencies_ms,
    latency_figure,
    overlapping,
    unanswered,
    whole_way_ms,
)
from benchmarks.graph.rig import RATES, GraphRig
from benchmarks.options import Options
from benchmarks.report import Progress, Report
from sinew_core.robots.catalogue import load_robot

P50_MS, P99_MS = 0.6, 2.0
GROWTH_PERCENT = 1.0
_SECONDS, _QUICK_SECONDS = 600, 60
_WARM_SECONDS, _QUICK_WARM_SECONDS = 60, 20
_ECHO_SECONDS = 10
_AIM_EVERY_S = 2
_LATENESS_S = 0.0005
"""Of a clock above every priority: what is this late was no process of ours."""

_NOTE = (
    "Latency goes from the stamp that the driver gives a joint state as it publishes it to the "
    "moment at which another process has the policy's answer in hand. Driver, filter and policy "
    "run on the nodes' real-time priority where the system permits it. The whole way ends with the "
    "first output of the filter that follows the answer; the wait for the filter's next cycle, up "
    "to 2 ms, is part of it. Lost are states that the policy did not answer, and commands that the "
    "filter rejected. Memory is what is resident, after the first minute (--quick: 20 s) and at "
    "the end."
)
_HOST_NOTE = (
    "The machine stood still where a clock of its own core, above every other priority, was more "
    "than 0.5 ms late: the host took it away, or (some 50 ms at a time) the kernel held back all "
    "real-time processes together, ours and others', at their limit of 95 % of a core. What was on "
    "its way then is left out in the lines that say so; the bars hold for everything."
)


def run(report: Report, options: Options) -> None:
    """Measure for ten minutes, with `--quick` for one."""
    seconds = _QUICK_SECONDS if options.quick else _SECONDS
    warm = _QUICK_WARM_SECONDS if options.quick else _WARM_SECONDS
    robot = load_robot("panda")
    progress = Progress("graph", 2 + seconds // 60)
    with tempfile.TemporaryDirectory(prefix="sinew-graph-") as name:
        folder = Path(name)
        bundle = write_swaying_policy(folder / "bundle", robot, RATES)
        with Stalls(folder, _LATENESS_S) as clocks, GraphRig(folder, robot) as rig:
            rig.run_first()
            progress.start(f"two bare hops, {_ECHO_SECONDS} s")
            _echo(rig, report)
            progress.start("start of the graph")
            rig.start_graph(bundle)
            _collect_no_more()
            memory = _serve(rig, seconds, progress)
            _put_bars(rig, report, memory, warm)
            _put_facts(rig, report, clocks)
    progress.close()


def _collect_no_more() -> None:
    """Keep collections of garbage out of what the observer measures."""
    gc.collect()
    gc.freeze()


def _echo(rig: GraphRig, report: Report) -> None:
    rig.start("echo", "benchmarks.graph.echo")
    rig.until(lambda: len(rig.echoes.stamps_ns), "echoes")
    rig.forget()
    rig.serve(time.monotonic() + _ECHO_SECONDS)
    latency = latencies_ms(rig.echoes.stamps_ns, rig.echoes.received_ns)
    rig.stop("echo")
    _put_latencies(report, "two bare hops, before the graph", latency)


def _serve(rig: GraphRig, seconds: int, progress: Progress) -> dict[str, list[int]]:
    """Serve messages for a time; return the memory of each process in bytes, once a second."""
    memory: dict[str, list[int]] = {name: [] for name in rig.processes}
    rig.forget()
    begin_s = time.monotonic()
    for second in range(seconds):
        if second % 60 == 0:
            progress.start(f"the graph, minute {1 + second // 60}")
        if second % _AIM_EVERY_S == 0:
            rig.aim()
        rig.serve(begin_s + second + 1)
        for name, process in rig.processes.items():
            memory[name].append(_resident_bytes(process.pid))
    state = rig.report("safety_filter")
    if state.get("state") != "armed":
        raise FaultError(f"the filter is not armed any more: {state}")
    return memory


def _put_bars(rig: GraphRig, report: Report, memory: dict[str, list[int]], warm: int) -> None:
    commands = rig.commands
    latency = latencies_ms(commands.stamps_ns, commands.received_ns)
    for share, bound in ((50, P50_MS), (99, P99_MS)):
        report.put(
            Bounded(
                what=f"joint_states to policy/command, p{share}",
                unit="ms",
                samples=[float(np.percentile(latency, share))],
                bound=bound,
                notes=(_NOTE, f"{len(latency)} commands"),
            )
        )
    rejected = [int(v) for k, v in rig.report("safety_filter").items() if k.startswith("rejected")]
    for what, lost in (
        ("joint states without an answer", unanswered(rig.states.stamps_ns, commands.stamps_ns)),
        ("commands that the filter rejected", sum(rejected)),
    ):
        report.put(Bounded(what=what, unit="messages", samples=[float(lost)], bound=0.0))
    for name, samples in memory.items():
        report.put(
            Bounded(
                what=f"memory of the {name}: growth",
                unit="%",
                samples=[growth_percent(samples, warm)],
                bound=GROWTH_PERCENT,
                notes=(
                    f"{name}: {samples[0] / 2**20:.1f} MiB at first, {samples[warm] / 2**20:.1f}"
                    f" after {warm} s, {samples[-1] / 2**20:.1f} at the end",
                ),
            )
        )
    report.draw(
        "latency",
        latency_figure(commands.stamps_ns, latency),
        "joint_states to policy/command, second by second",
    )


def _put_facts(rig: GraphRig, report: Report, clocks: Stalls) -> None:
    commands, outputs = rig.commands, rig.outputs
    begins = np.array(commands.stamps_ns, np.int64)
    ends = np.array(commands.received_ns, np.int64)
    latency = latencies_ms(begins.tolist(), ends.tolist())
    to_wall_s = time.time() - time.monotonic()
    stills = [
        (round(1e9 * (begin_s + to_wall_s)), round(1e9 * (end_s + to_wall_s)))
        for begin_s, end_s in clocks.standstills()
        if 1e9 * (end_s + to_wall_s) > begins[0]
    ]
    hit = overlapping(begins, ends, stills)
    _put_latencies(report, "joint_states to policy/command", latency, shares=())
    still_ms = [(end - begin) / 1e6 for begin, end in stills] or [0.0]
    _put_fact(report, "times that the machine stood still", "times", float(len(stills)), _HOST_NOTE)
    _put_fact(report, "longest of these", "ms", max(still_ms), _HOST_NOTE)
    _put_fact(
        report, "commands that were on their way then", "messages", float(hit.sum()), _HOST_NOTE
    )
    if not hit.all():
        _put_latencies(report, "the others, joint_states to policy/command", latency[~hit])
    way = whole_way_ms(rig.states.stamps_ns, outputs.stamps_ns, outputs.received_ns)
    _put_latencies(report, "joint_states to the filter's output", way)
    decision_us = float(rig.report("policy")["inference_p50_us"])
    safety = rig.report("safety_filter")
    _put_fact(report, "one decision, p50", "ms", decision_us / 1e3)
    _put_fact(report, "one cycle of the filter, mean", "ms", float(safety["cycle_mean_us"]) / 1e3)
    missed = float(safety.get("cycles_missed", 0))
    _put_fact(report, "cycles that the filter missed", "cycles", missed)


def _put_latencies(
    report: Report, what: str, latency: Milliseconds, shares: tuple[int, ...] = (50, 99)
) -> None:
    for share in shares:
        _put_fact(report, f"{what}, p{share}", "ms", float(np.percentile(latency, share)))
    _put_fact(report, f"{what}, largest", "ms", float(latency.max()))


def _put_fact(report: Report, what: str, unit: str, value: float, *notes: str) -> None:
    report.put(Comparison(what=what, unit=unit, ours=[value], notes=notes))


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
