"""Trainer node: runs the training process, passes requests to it, publishes its progress.

Training never blocks this node's executor: it lives in a process of its own, and the node looks at
its files several times a second. Interrupting the node interrupts the training, which keeps a
checkpoint and its best bundle so far. Should the node die, the training ends in the same way.
"""

from __future__ import annotations

import dataclasses
import datetime
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rclpy.clock import Clock, ClockType
from rclpy.task import Future
from std_srvs.srv import Trigger

from sinew_core.errors import RunError
from sinew_core.parameters import Parameters
from sinew_core.training.checkpoints.resume import (
    finished,
    read_configuration,
    resumed_configuration,
)
from sinew_core.training.config import Resume, TrainConfig
from sinew_core.training.configuration import RunConfiguration, section_classes
from sinew_core.training.control import EVALUATE, PAUSE, RESUME, STOP
from sinew_core.training.folder import BUNDLE_FOLDER
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.parameters import Declarations
from sinew_trainer.progress import describe
from sinew_trainer.run_folder import create_run, go_on_with
from sinew_trainer.training_process import TrainingProcess

_POLL_S = 0.1
_ANSWER_WITHIN_S = 20.0


class Trainer(SinewNode):
    """Owns the run folder and the training process."""

    def __init__(self) -> None:
        """Read the parameters, create the run folder or go on with it, and start training."""
        super().__init__("trainer")
        declarations = Declarations(self)
        resume = declarations.declare(Resume)
        self._folder = self._prepare(declarations, resume)
        self._process = TrainingProcess(self._folder, resume.despite)
        self._waiting: list[tuple[Callable[[], bool], float, Future]] = []
        self._state = "starting"
        self._diagnostics = Diagnostics(self, self._report)
        self.create_timer(_POLL_S, self._watch, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.create_service(Trigger, "~/pause", self._pause)
        self.create_service(Trigger, "~/resume", self._resume)
        self.create_service(Trigger, "~/stop", self._stop)
        self.create_service(Trigger, "~/evaluate", self._evaluate)
        self.get_logger().info(f"training into {self._folder}")

    def _prepare(self, declarations: Declarations, resume: Resume) -> Path:
        """Return the run folder, with the configuration in it."""
        train = declarations.declare(TrainConfig)
        folder = Path(resume.resume)
        chosen = read_configuration(folder).train if resume.resume else train
        classes = section_classes(chosen.algorithm, chosen.task)
        for name, kind in classes.items():
            declarations.declare(kind, prefix=name)
        declarations.finish()
        declared = declarations.declared
        if resume.resume:
            configuration = resumed_configuration(folder, _given(declared), resume.despite)
            reason = finished(folder, configuration)
            if reason:
                raise RunError(f"{folder} is finished, there is nothing to resume: {reason}")
            go_on_with(folder, configuration, resume.despite)
        else:
            sections = {name: declared[name] for name in classes}
            configuration = RunConfiguration.from_sections(train, sections)
            folder = create_run(configuration, datetime.datetime.now(tz=datetime.timezone.utc))
        return folder

    def _watch(self) -> None:
        """Look at the process: answer who waits for it, tell a new state, end with it."""
        progress, status = self._process.progress(), self._process.status()
        now_s = time.monotonic()
        for reached, deadline_s, future in self._waiting:
            if not future.done() and (status is not None or now_s > deadline_s or reached()):
                future.set_result(reached())
        self._waiting = [entry for entry in self._waiting if not entry[2].done()]
        if progress is not None and progress.state != self._state:
            self._state = progress.state
            self._diagnostics.changed()
        if status is None:
            return
        if status == 0 and finished(self._folder, read_configuration(self._folder)):
            self.get_logger().info(f"trained; the bundle is {self._folder / BUNDLE_FOLDER}")
        elif status == 0:
            self.get_logger().info(f"stopped; {self._how_to_go_on()}")
        elif status < 0:
            self.get_logger().error(f"killed by signal {-status}; {self._how_to_go_on()}")
        self.finish(0 if status == 0 else 1)

    async def _pause(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._state in ("paused", "stopping"):
            return _answer(response, False, f"nothing to pause: training is {self._state}")
        if not self._process.ask(PAUSE):
            return _answer(response, False, "nothing to pause: training has ended")
        if await self._until(lambda: self._now_in("paused")):
            return _answer(response, True, f"paused at {self._steps()}, with a checkpoint")
        return _answer(response, True, "training will pause after what is under way")

    async def _resume(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if not self._now_in("paused"):
            return _answer(response, False, f"not paused: training is {self._state}")
        if not self._process.ask(RESUME):
            return _answer(response, False, "training has ended")
        await self._until(lambda: not self._now_in("paused"))
        return _answer(response, True, f"training again from {self._steps()}")

    def _stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if not self._process.ask(STOP):
            return _answer(response, False, "training has ended already")
        return _answer(response, True, f"stopping with a checkpoint; {self._how_to_go_on()}")

    async def _evaluate(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        number = self._process.next_number()
        if not self._process.ask(f"{EVALUATE} {number}"):
            return _answer(response, False, "nothing to evaluate: training has ended")
        await self._until(lambda: self._process.judged(number) is not None, float("inf"))
        judged = self._process.judged(number)
        if judged is None:
            return _answer(response, False, "training ended before the evaluation")
        return _answer(response, True, str(judged))

    def _until(self, reached: Callable[[], bool], within_s: float = _ANSWER_WITHIN_S) -> Future:
        """Return what becomes true as soon as `reached` is, false after a time or at the end."""
        future = Future()
        self._waiting.append((reached, time.monotonic() + within_s, future))
        return future

    def _now_in(self, state: str) -> bool:
        progress = self._process.progress()
        return progress is not None and progress.state == state

    def _steps(self) -> str:
        progress = self._process.progress()
        return f"{progress.env_steps if progress else 0:,} environment steps"

    def _how_to_go_on(self) -> str:
        return f"go on with ./sinew train resume:={self._folder}"

    def on_stop(self) -> None:
        """Ask the training to end, and wait until it has kept its best bundle."""
        if not self._process.end():
            self.get_logger().error(
                f"the training process did not end in time: killed; {self._how_to_go_on()}"
            )

    def _report(self) -> Status:
        progress = self._process.progress()
        if progress is None:
            return Level.OK, self._state, {"run": str(self._folder), "state": self._state}
        values = {"run": str(self._folder), **dataclasses.asdict(progress)}
        return Level.OK, describe(progress), values


def _given(declared: dict[str, Parameters]) -> dict[str, object]:
    """Return the parameters that differ from their defaults.

    A launch file gives all of its arguments to the node, those that nobody chose as well: of a run
    that goes on, a parameter at its default counts as not given. The main job knows what was given:
    it writes that into the run's configuration before it starts this node.
    """
    given: dict[str, object] = {}
    for prefix, parameters in declared.items():
        if isinstance(parameters, Resume):
            continue
        plain = type(parameters)().to_mapping()
        start = f"{prefix}." if prefix else ""
        changed = {k: v for k, v in parameters.to_mapping().items() if v != plain[k]}
        given |= {start + name: value for name, value in changed.items()}
    return given


def _answer(response: Trigger.Response, success: bool, message: str) -> Trigger.Response:
    response.success, response.message = success, message
    return response


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run_node(Trainer, args)


if __name__ == "__main__":
    sys.exit(main())
