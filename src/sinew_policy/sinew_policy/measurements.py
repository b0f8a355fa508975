"""What a deployment measures, and its report."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Sequence

from sinew_core.deployment.checks import Check
from sinew_core.deployment.states import distances_rad
from sinew_core.deployment.summary import measured_text, report_figures, write_report
from sinew_core.robots.model import RobotModel
from sinew_policy.deployment_parameters import DeploymentParameters
from sinew_policy.given_targets import GivenTargets
from sinew_policy.observed_graph import ObservedGraph


class Measurements:
    """Gathers what happens, above all while the filter is armed.

    Attributes:
        problem: why the report could not be written, in one line; empty where it was.
    """

    def __init__(self, graph: ObservedGraph, robot: RobotModel) -> None:
        """Measure a graph."""
        self._graph, self._robot = graph, robot
        self._made_s = time.monotonic()
        self._began_s: float | None = None
        self._outputs_before = self._turns = 0
        self._problems: Counter[str] = Counter()
        self._held: list[dict[str, object]] = []
        self.problem = ""

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

    def report(
        self,
        p: DeploymentParameters,
        bundle: str,
        checks: Sequence[Check],
        targets: GivenTargets | None,
    ) -> str:
        """Write the report; return it as text, with all figures where it cannot be written."""
        head = {
            "mode": p.mode,
            "robot": self._robot.name,
            "bundle": bundle,
            "controller": self._graph.controller,
            "authority": p.authority,
            "bag": p.bag,
            "duration_s": round(time.monotonic() - self._made_s, 3),
        }
        measured = self._figures()
        if targets is not None and p.mode == "live":
            measured["targets"] = targets.run.figures()
        figures = report_figures(head, checks, measured)
        text = measured_text(figures)
        try:
            write_report(p.output, figures, checks)
        except OSError as error:
            # What was measured on an arm is not measured again so soon.
            text += json.dumps(figures) + "\n"
            self.problem = (
                f"output {p.output} cannot be written ({error.strerror}): report.json is printed "
                "above, keep it from there"
            )
        return text

    def _figures(self) -> dict[str, object]:
        graph, now_s = self._graph, time.monotonic()
        figures: dict[str, object] = {
            "joint_states": graph.arrivals.measure(now_s, math.inf).to_mapping(),
            "latency_command": graph.loop.commands(now_s, math.inf).to_mapping(),
            "latency_output": graph.loop.outputs(now_s, math.inf).to_mapping(),
            "observation": graph.novelty.mappings(),
            "positions": distances_rad(graph.contents, self._robot),
            "held": self._held,
        }
        if self._began_s is not None:
            cycles = graph.outputs - self._outputs_before
            figures |= {
                "interventions": graph.interventions.figures(cycles),
                "problems": {k: round(n / self._turns, 5) for k, n in self._problems.items()},
            }
        return figures
