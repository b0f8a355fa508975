"""What the system_id and gap nodes share: a job in its own process, followed and ended cleanly."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from rclpy.clock import Clock, ClockType

from sinew_core.errors import SinewError
from sinew_core.sysid.parameters import BagParameters
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode
from sinew_sysid.display import Display, describe
from sinew_sysid.job_process import JobProcess

_POLL_S = 0.1


class JobError(SinewError):
    """A job ended without a result; its message is the job's own."""


class JobNode(SinewNode):
    """Starts a job, shows how far it is, and ends with it."""

    def __init__(self, name: str) -> None:
        """Make the node; `start` begins."""
        super().__init__(name)
        self._progress: Mapping[str, object] = {"stage": "starting"}
        self._result = ""

    def start(self, parameters: BagParameters) -> None:
        """Start the job of this node's name."""
        self._p = parameters
        self._display = Display(sys.stdout)
        self._process = JobProcess(self.get_name(), parameters.to_mapping())
        self._diagnostics = Diagnostics(self, self._report)
        self.create_timer(_POLL_S, self._watch, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _watch(self) -> None:
        """Take what the job has told; end with it."""
        status = self._process.status()
        self._take()
        if status is None:
            return
        if status < 0:
            raise JobError(f"killed by signal {-status}: nothing was written")
        if status or not self._result:
            raise JobError("the computation ended without a result: see above")
        self.finish()

    def _take(self) -> None:
        for told in self._process.told():
            if "error" in told:
                self._display.close()
                raise JobError(str(told["error"]))
            if "say" in told:
                self._display.say(str(told["say"]))
            progress = told.get("progress")
            if isinstance(progress, Mapping):
                changed = progress.get("stage") != self._progress.get("stage")
                self._progress = progress
                self._display.update(progress)
                if changed:
                    self._diagnostics.changed()
            if "done" in told:
                self._result = str(told["done"])
                self._display.close()
                self._conclude(told.get("lines"))

    def _conclude(self, lines: object) -> None:
        """Print what the job found."""
        for line in lines if isinstance(lines, Sequence) else ():
            sys.stdout.write(f"{line}\n")
        sys.stdout.write(f"results are in {self._result}\n")
        sys.stdout.flush()

    def on_stop(self) -> None:
        """End the job with what it has, and tell it."""
        if self._process.status() is None:
            self._display.say("stopping with what there is")
            ended = self._process.end()
            self._take()
            if not ended:
                raise JobError("the computation did not end in time: killed, nothing was written")
            if not self._result:
                raise JobError("stopped before there was a result: nothing was written")

    def _report(self) -> Status:
        values: dict[str, object] = {"robot": self._p.robot, "bag": self._p.bag}
        values |= self._progress
        return Level.OK, describe(self._progress), values
