"""Run a launch file as a child process, in the launch system's own terms."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from sinew_core.errors import RunError
from sinew_core.start import start
from sinew_ros.child import ends_with_parent, interrupt

_STOP_WITHIN_S = 20.0
_POLL_S = 0.2


class Launch:
    """One running launch file; its output goes to a log file.

    Its own ROS domain and ROS home keep its graph, and the latch of its safety filter, apart from
    any other that runs on this machine. Should this process die, the launch ends as by Ctrl-C.
    """

    def __init__(
        self,
        name: str,
        arguments: Mapping[str, object],
        log: Path,
        domain_id: int,
        cores: Collection[int] = (),
        kept: Path | None = None,
    ) -> None:
        """Start `name.launch.yaml`, on these cores only if any are given.

        Beside the log a folder of its name is the ROS home. `kept` is where the log will be in the
        end, if elsewhere.
        """
        self._name = name
        self._log, self._kept = log, kept
        environment = dict(
            os.environ,
            ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST",
            ROS_DOMAIN_ID=str(domain_id),
            ROS_HOME=str(log.with_suffix("").resolve()),
        )
        words = [f"{k}:={_text(v)}" for k, v in arguments.items()]
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [*start("sinew_bringup.launcher"), name, *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches it once, through `stop`
                preexec_fn=ends_with_parent(signal.SIGINT),
            )
        if cores:
            # Its nodes inherit them: they start long after this.
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(self._process.pid, cores)

    def wait(self, while_waiting: Callable[[], None] = lambda: None) -> None:
        """Wait for its end.

        Raises:
            RunError: with the last line of its output when it failed.
        """
        while True:
            try:
                status = self._process.wait(_POLL_S)
                break
            except subprocess.TimeoutExpired:
                while_waiting()
        if status != 0:
            words = last_words(self._log.read_text(errors="replace"))
            kept = self._kept or self._log
            where = f" (see {kept})" if kept.parent.is_dir() else ""
            raise RunError(f"{self._name} failed{where}: {words}")

    def stop(self) -> None:
        """End it as Ctrl-C does, and wait."""
        interrupt(self._process, _STOP_WITHIN_S)


def last_words(log: str) -> str:
    """Return the line of a log that says why: the last about an error, else the last of a node."""
    lines = [line for line in log.splitlines() if line.strip()]
    nodes = [line for line in lines if not line.startswith("[launch]")]
    said = [line for line in nodes if " ended with exit status " not in line]
    told = said or nodes or lines or ["it said nothing"]
    errors = [line for line in told if "error" in line.lower() or "refused" in line.lower()]
    return (errors or told)[-1].strip()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
