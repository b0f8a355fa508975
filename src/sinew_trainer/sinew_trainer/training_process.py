"""The training process as its node sees it: started, asked through a pipe, seen by its files."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sinew_core.training.folder import EVALUATION_FILE, PROGRESS_FILE
from sinew_core.training.progress import Progress
from sinew_ros.child import interrupt
from sinew_trainer.progress import read_progress

_STOP_WITHIN_S = 20.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judged:
    """What an evaluation on request came to."""

    env_steps: int
    episodes: int
    success_rate: float
    return_mean: float

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"success {self.success_rate:.1%}, return {self.return_mean:.2f} over "
            f"{self.episodes} episodes at {self.env_steps:,} environment steps"
        )


class TrainingProcess:
    """Trains in a run folder; asking it something never blocks."""

    def __init__(
        self, folder: Path, despite: Sequence[str] = (), *, graph: int | None = None
    ) -> None:
        """Start it; what an earlier process told in this folder is forgotten.

        `despite` names kinds of differences, of `DESPITE`, despite which a run is resumed.
        `graph` is the descriptor of the pipe to whoever runs the episodes; None: workers.
        """
        self._folder = folder
        self._asked = 0
        for name in (PROGRESS_FILE, EVALUATION_FILE):
            (folder / name).unlink(missing_ok=True)
        words = [str(folder), "--control", "--despite", ",".join(despite)]
        if graph is not None:
            words += ["--graph", str(graph)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sinew_core.training.process", *words],
            stdin=subprocess.PIPE,
            pass_fds=() if graph is None else (graph,),
            start_new_session=True,  # Ctrl-C reaches it once, through the node
        )

    def run_as_others(self) -> None:
        """Take from it the real-time priority of its node, which it would keep a core by."""
        with contextlib.suppress(OSError):
            os.sched_setscheduler(self._process.pid, os.SCHED_OTHER, os.sched_param(0))

    def status(self) -> int | None:
        """Return its exit status, None while it runs."""
        return self._process.poll()

    def progress(self) -> Progress | None:
        """Return what it told last, None before the first."""
        return read_progress(self._folder)

    def ask(self, request: str) -> bool:
        """Send a request of `Control`; tell whether it could be sent."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{request}\n".encode())
            self._process.stdin.flush()
        except OSError:
            return False
        return self.status() is None

    def next_number(self) -> int:
        """Return a number for an evaluation."""
        self._asked += 1
        return self._asked

    def judged(self, number: int) -> Judged | None:
        """Return what the evaluation of this number came to, None before it is done."""
        try:
            content = json.loads((self._folder / EVALUATION_FILE).read_text())
        except (OSError, ValueError):
            return None
        if content["request"] < number:
            return None
        return Judged(**{f.name: content[f.name] for f in dataclasses.fields(Judged)})

    def end(self, once_asked: Callable[[], None] = lambda: None) -> bool:
        """Ask it to end and wait for its checkpoint; kill it, and return False, if that hangs.

        `once_asked` is called before the wait.
        """
        return interrupt(self._process, _STOP_WITHIN_S, once_asked)
