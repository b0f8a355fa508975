"""The figures of a deployment for its report."""

from __future__ import annotations

import math
import time
from collections import Counter

from sinew_core.deployment.checks import Check
from sinew_core.deployment.states import distances_rad
from sinew_core.robots.model import RobotModel
from sinew_policy.observed_graph import ObservedGraph


class Measurements:
    """Gathers what happens while the filter is armed."""

    def __init__(self, graph: ObservedGraph, robot: RobotModel) -> None:
        """Measure a graph."""
        self._graph, self._robot = graph, robot
        self._began_s: float | None = None
        self._outputs_before = 0
        self._problems: Counter[str] = Counter()
        self._held: list[dict[str, object]] = []
        self._turns = 0

    def begin(self) -> None:
        """Take the first arming as the beginning."""
        if self._began_s is None:
            self._began_s = time.monotonic()
            self._outputs_before = self._graph.outputs

    def turn(self, problem: Check | None) -> None:
        """Count what was found wrong."""
        self._turns += 1
        if problem is not None:
            self._problems[problem.what] += 1

    def held(self, reason: str) -> None:
        """Take why the arm was held."""
        began_s = self._began_s
        after_s = 0.0 if began_s is None else round(time.monotonic() - began_s, 3)
        self._held.append({"after_s": after_s, "reason": reason})

    def figures(self) -> dict[str, object]:
        """Return plain values."""
        graph, now_s = self._graph, time.monotonic()
        figures: dict[str, object] = {
            "joint_states": graph.arrivals.measure(now_s, math.inf).to_mapping(),
            "latency_command": graph.loop.commands(now_s, math.inf).to_mapping(),
            "latency_output": graph.loop.outputs(now_s, math.inf).to_mapping(),
            "observation": graph.novelty.mappings(),
            "positions": distances_rad(graph.contents, self._robot),
        }
        if self._began_s is not None:
            cycles = graph.outputs - self._outputs_before
            figures |= {
                "interventions": graph.interventions.figures(cycles),
                "held": self._held,
                "problems": {k: round(n / self._turns, 5) for k, n in self._problems.items()},
            }
        return figures
