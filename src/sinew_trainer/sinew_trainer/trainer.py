"""Trainer node: runs the training process and publishes its progress as diagnostics.

Training never blocks this node's executor: it lives in a process of its own, and the node looks at
its progress file twice a second. Interrupting the node interrupts the training, which keeps its
best bundle so far.
"""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

from rclpy.clock import Clock, ClockType

from sinew_core.files import write_atomically
from sinew_core.runs import create_run_folder
from sinew_core.training.config import TrainConfig
from sinew_core.training.configuration import RunConfiguration, section_classes
from sinew_core.training.folder import CONFIGURATION_FILE
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.parameters import Declarations
from sinew_trainer.child import interrupt
from sinew_trainer.progress import describe, read_progress

_POLL_S = 0.5
_STOP_WITHIN_S = 10.0


class Trainer(SinewNode):
    """Owns the run folder and the training process."""

    def __init__(self) -> None:
        """Read the parameters, create the run folder and start training in it."""
        super().__init__("trainer")
        configuration = self._declare()
        train = configuration.train
        self._folder = create_run_folder(
            Path(train.output),
            train.run_name(datetime.datetime.now(tz=datetime.timezone.utc)),
            overwrite=train.overwrite,
        )
        write_atomically(self._folder / CONFIGURATION_FILE, configuration.to_yaml())
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sinew_core.training.process", str(self._folder)],
            start_new_session=True,  # Ctrl-C reaches it once, through this node
        )
        self._diagnostics = Diagnostics(self, self._report)
        self.create_timer(_POLL_S, self._watch, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info(f"training into {self._folder}")

    def _declare(self) -> RunConfiguration:
        declarations = Declarations(self)
        train = declarations.declare(TrainConfig)
        sections = {
            name: declarations.declare(kind, prefix=name)
            for name, kind in section_classes(train.algorithm, train.task).items()
        }
        declarations.finish()
        return RunConfiguration.from_sections(train, sections)

    def _watch(self) -> None:
        status = self._process.poll()
        if status is None:
            return
        if status == 0:
            self.get_logger().info(f"trained; the bundle is {self._folder / 'bundle'}")
        self.finish(0 if status == 0 else 1)

    def on_stop(self) -> None:
        """Ask the training to end, and wait until it has kept its best bundle."""
        if not interrupt(self._process, _STOP_WITHIN_S):
            self.get_logger().error("the training process did not end in time: killed")

    def _report(self) -> Status:
        progress = read_progress(self._folder)
        if progress is None:
            return Level.OK, "starting", {"run": str(self._folder)}
        return Level.OK, describe(progress), {"run": str(self._folder), **progress}


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run_node(Trainer, args)


if __name__ == "__main__":
    sys.exit(main())
