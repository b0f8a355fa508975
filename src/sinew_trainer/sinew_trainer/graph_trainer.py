"""Graph trainer node: training whose episodes run over the graph, through the safety filter.

The learner is a process of its own, which sends jobs through a pipe; a thread of this node runs
them. In lockstep the world waits until the next command comes. In real time nothing that the
learner does holds up a control tick.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from rclpy.clock import Clock, ClockType

from sinew_core.errors import RunError
from sinew_core.files import disk_errors, write_json
from sinew_core.training.environment import make_setup
from sinew_core.training.folder import GRAPH_TRAINING_FILE
from sinew_core.training.graph.environment import Closed, GraphEnv
from sinew_core.training.graph.runner import run_job
from sinew_core.training.jobs import Job
from sinew_core.training.workers import serve
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.parameters import declare_from
from sinew_trainer.filter_settings import FilterSettings
from sinew_trainer.graph_parameters import GraphTrainParameters
from sinew_trainer.graph_run import GraphRun, prepare_run
from sinew_trainer.graph_world import GraphWorld
from sinew_trainer.progress import describe
from sinew_trainer.training_process import TrainingProcess

_POLL_S = 0.01
_LEAVE_WITHIN_S = 0.5


class GraphTrainer(SinewNode):
    """Owns the run folder, the learner's process and the thread of the episodes."""

    def __init__(self) -> None:
        """Ask the safety filter what it allows; training begins once that is known."""
        super().__init__("graph_trainer")
        self._p = p = declare_from(self, GraphTrainParameters)
        self.urgent = p.pace == "realtime"
        self._run: GraphRun | None = None
        self._world: GraphWorld | None = None
        self._process: TrainingProcess | None = None
        self._leaving = False
        self._settings = FilterSettings(self, p.safety_filter, p.patience_s)
        self._diagnostics = Diagnostics(self, self._report)
        self.create_timer(_POLL_S, self._supervise, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _begin(self, found: dict[str, object]) -> None:
        """Prepare the run folder, connect to the graph, and start the learner."""
        p = self._p
        self._run = run = prepare_run(p, found)
        setup = make_setup(run.configuration)
        self._world = world = GraphWorld(self, p, setup, str(found["joint_prefix"]))
        environment = GraphEnv(setup, world, p.reset)
        ours, theirs = Pipe()
        with theirs:
            self._process = TrainingProcess(run.folder, run.despite, graph=theirs.fileno())
        self._process.run_as_others()
        threading.Thread(
            target=_serve, args=(ours, environment), name="episodes", daemon=True
        ).start()
        self.get_logger().info(f"training over the graph into {run.folder}{run.start}")

    def _supervise(self) -> None:
        """Go on with what is under way; end with the learner."""
        if self._leaving:
            return
        if self._process is None or self._world is None:
            self._settings.poll(self._begin)
            return
        status = self._process.status()
        if status is None:
            self._world.poll()
        else:
            self.finish(0 if status == 0 else 1)

    def _conclude(self, folder: Path, status: int) -> None:
        """Write the report of a training that has come to its end."""
        if status != 0:
            self.get_logger().error(
                f"the learner ended with status {status}; go on with resume:={folder}"
            )
            return
        # Imported here, because matplotlib takes long to load and nothing waits any more.
        from sinew_trainer.report import summary_table, write_report

        with disk_errors(folder):
            write_report(folder)
        sys.stdout.write(summary_table(folder) + "\n")
        sys.stdout.flush()

    def _keep_figures(self) -> None:
        """Add what the world was like since this start to what it was before."""
        assert self._run is not None
        assert self._world is not None
        path = self._run.folder / GRAPH_TRAINING_FILE
        before = json.loads(path.read_text())["sessions"]
        with disk_errors(self._run.folder):
            write_json(path, {"sessions": [*before, self._world.figures()]})

    def on_stop(self) -> None:
        """End the learner, which keeps a checkpoint and its best bundle; or tell how it ended."""
        if self._process is None or self._world is None or self._run is None:
            return
        folder, status = self._run.folder, self._process.status()
        if status is not None:
            self._leave()
            self._keep_figures()
            self._conclude(folder, status)
            return
        # It has to know of the stop before an evaluation under way fails for it.
        ended = self._process.end(self._leave)
        self._keep_figures()
        if ended:
            self.get_logger().info(f"stopped; go on with resume:={folder}")
        else:
            self.get_logger().error(f"the learner was killed; go on with resume:={folder}")

    def _leave(self) -> None:
        """End the world, and wait until the filter is disarmed: it must not miss its commands."""
        assert self._world is not None
        self._leaving = True
        self._world.close()
        deadline_s = time.monotonic() + _LEAVE_WITHIN_S
        while not self._world.left and time.monotonic() < deadline_s:
            self.executor.spin_once(_POLL_S)

    def _report(self) -> Status:
        if self._process is None or self._world is None or self._run is None:
            return Level.OK, "waiting for the safety filter", {}
        progress = self._process.progress()
        values = {
            "run": str(self._run.folder),
            "paused": self._world.paused,
            **self._world.figures(),
        }
        if self._world.paused:
            return Level.WARN, "waiting to be armed", values
        return Level.OK, "starting" if progress is None else describe(progress), values


def _serve(pipe: Connection, environment: GraphEnv) -> None:
    """Run jobs until the learner has gone."""

    def run(job: Job[object]) -> object:
        try:
            return run_job(environment, job)
        except Closed:
            raise RunError("the graph has ended in the middle of an evaluation") from None

    with pipe:
        serve(pipe, run)


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run_node(GraphTrainer, args)


if __name__ == "__main__":
    sys.exit(main())
