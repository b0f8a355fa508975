"""What a person asks of a training that runs: pause, resume, stop, evaluate."""

from __future__ import annotations

import queue
import threading
from typing import TextIO

PAUSE, RESUME, STOP, EVALUATE = "pause", "resume", "stop", "evaluate"


class Control:
    """Takes requests from any thread; the training loop looks at them where nothing is under way.

    Attributes:
        paused: whether the training is to wait.
        stopped: whether it is to end, with all that it has.
    """

    def __init__(self) -> None:
        """Ask for nothing."""
        self.paused = False
        self.stopped = False
        self._evaluations: queue.SimpleQueue[int] = queue.SimpleQueue()

    def ask(self, line: str) -> None:
        """Take one request: a word, and for `evaluate` the number under which to answer.

        Raises:
            ValueError: for anything else.
        """
        word, _, number = line.strip().partition(" ")
        if word in (PAUSE, RESUME):
            self.paused = word == PAUSE
        elif word == STOP:
            self.stopped = True
        elif word == EVALUATE:
            self._evaluations.put(int(number))
        else:
            raise ValueError(f"not a request: {line!r}")

    def next_evaluation(self) -> int | None:
        """Return the number of the next evaluation that was asked for, None where none was."""
        try:
            return self._evaluations.get_nowait()
        except queue.Empty:
            return None

    def follow(self, stream: TextIO) -> None:
        """Take requests from the lines of a stream, in a thread; its end asks for the stop.

        Lines of a pipe need no polling, keep their order and cannot be left over from an earlier
        run; and the pipe ends with the process that asked, however that ended.
        """

        def read() -> None:
            for line in stream:
                self.ask(line)
            self.stopped = True

        threading.Thread(target=read, name="control", daemon=True).start()
