"""A recorded deployment beside the simulation of the same policy, as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from sinew_core.bundle.reader import load_bundle
from sinew_core.deployment.bag_evaluation import BagEvaluation
from sinew_core.errors import RunError
from sinew_core.report.table import Figures, Row, comparison_rows, table_lines
from sinew_core.training.folder import REPORT_FILE

HEADER = ("", "environment", "ROS 2 graph", "recording")


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """What the policy came to in simulation; None for what was not evaluated.

    Attributes:
        environment: in the environment that it was trained in.
        graph: over the graph of ROS 2 nodes.
    """

    environment: Figures | None = None
    graph: Figures | None = None

    @classmethod
    def read(cls, bundle: str) -> Simulated:
        """Return the figures of a bundle's run, or else those that stand in the bundle itself.

        Raises:
            SinewError: for a bundle or a `report.json` beside it that cannot be read.
        """
        if not bundle:
            return cls()
        report = Path(bundle).resolve().parent / REPORT_FILE
        if not report.is_file():
            return cls(environment=_figures(load_bundle(bundle).manifest.evaluation))
        try:
            figures = json.loads(report.read_text(encoding="utf-8"))
            found = (figures.get("eval_env"), figures.get("eval_graph"))
        except (OSError, ValueError, AttributeError) as error:
            raise RunError(
                f"{report} cannot be read ({' '.join(str(error).split())}): "
                "restore it, or copy the bundle to a folder of its own"
            ) from None
        return cls(environment=_figures(found[0]), graph=_figures(found[1]))


def side_by_side(simulated: Simulated, evaluation: BagEvaluation) -> list[Row]:
    """Return the rows of the table; the first is its header."""
    parts = (simulated.environment, simulated.graph, evaluation.figures)
    return [HEADER, *comparison_rows(parts)]


def remarks(evaluation: BagEvaluation) -> list[str]:
    """Return what is missing and why, what was cut short, and what is to be known of the bag."""
    figures = evaluation.figures
    unavailable = cast("Mapping[str, str]", figures["unavailable"])
    cut = cast("Mapping[str, int]", figures["cut_reasons"])
    faults = cast("Mapping[str, int]", figures["fault_reasons"])
    return [
        *(f"no {metric}: {why}" for metric, why in unavailable.items()),
        *(f"{n} episodes are left out as cut short: {reason}" for reason, n in cut.items()),
        *(f"{n} episodes ended by a fault: {reason}" for reason, n in faults.items()),
        *cast("list[str]", figures["notes"]),
    ]


def report_lines(simulated: Simulated, evaluation: BagEvaluation) -> list[str]:
    """Return the table and the remarks as lines."""
    figures = evaluation.figures
    head = (
        f"{figures['bag']}: {figures['recorded_s']} s of {figures['robot']}, "
        f"{figures['recorded_states']} joint states, {figures['recorded_limit_violations']} of "
        "them outside a limit"
    )
    return [head, *table_lines(side_by_side(simulated, evaluation)), *remarks(evaluation)]


def _figures(part: object) -> Figures | None:
    return part if isinstance(part, Mapping) and part.get("episodes") else None
