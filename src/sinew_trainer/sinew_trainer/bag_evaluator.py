"""Bag evaluator: judges a recorded deployment and shows it beside the simulation of its policy."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sinew_core.deployment.bag_evaluation import BagEvaluation, evaluate_bag
from sinew_core.deployment.bag_parameters import BagEvaluationParameters
from sinew_core.deployment.bag_table import Simulated, report_lines
from sinew_core.errors import ConfigError, RunError
from sinew_core.files import write_atomically
from sinew_ros.main import SinewNode, run_node
from sinew_ros.parameters import declare_from

_SOON_S = 0.01


class BagEvaluator(SinewNode):
    """Reads the bag in its first cycle, prints, writes, and ends."""

    def __init__(self) -> None:
        """Read the parameters."""
        super().__init__("bag_evaluator")
        self._p = declare_from(self, BagEvaluationParameters)
        self.cycle_period_s = _SOON_S

    def cycle(self, missed: int) -> None:
        """Do everything."""
        if self.exit_code is not None:
            return
        p = self._p
        simulated = Simulated.read(p.bundle)
        evaluation = evaluate_bag(p)
        try:
            self._write(simulated, evaluation)
        except OSError as error:
            raise RunError(
                f"{error.filename} cannot be written ({error.strerror}): give another place, "
                "output:=FILE or page:=FILE"
            ) from None
        sys.stdout.write("\n".join(report_lines(simulated, evaluation)) + "\n")
        sys.stdout.flush()
        self.finish(0)

    def _write(self, simulated: Simulated, evaluation: BagEvaluation) -> None:
        p = self._p
        if p.page:
            page = _page(simulated, evaluation)
            Path(p.page).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(Path(p.page), page)
        if p.output:
            evaluation.record.write(
                Path(p.output),
                {**evaluation.figures, "bundle": p.bundle},
                traced=p.traced_episodes,
                tool_xyz=evaluation.assignment.robot.chain.tool_xyz,
            )


def _page(simulated: Simulated, evaluation: BagEvaluation) -> str:
    """Return the page; what draws pictures is not there on a robot's computer."""
    try:
        from sinew_core.report.recording import recording_page
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"page needs {error.name}, which is not installed: run ./sinew setup train, "
            "or leave page empty"
        ) from None
    return recording_page(simulated, evaluation)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(BagEvaluator, args)


if __name__ == "__main__":
    sys.exit(main())
