"""Jobs of the training loop that a node runs over its graph, through a pipe."""

from __future__ import annotations

import os
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TypeVar

from sinew_core.errors import RunError, SinewError
from sinew_core.training.jobs import Job

Made = TypeVar("Made")


class GraphPool:
    """A pool of one worker, the graph: jobs run in the order in which they come."""

    size = 1

    def __init__(self, descriptor: int) -> None:
        """Take the descriptor of the pipe to the node."""
        self._pipe = Connection(descriptor)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="graph")

    def submit(self, job: Job[Made]) -> Future[Made]:
        """Queue a job."""
        return self._thread.submit(self._run, job)

    def __enter__(self) -> GraphPool:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the pipe, also for a job that waits for its answer."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        with socket.socket(fileno=os.dup(self._pipe.fileno())) as end, suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)  # closing alone would leave the reader waiting
        self._thread.shutdown()
        self._pipe.close()

    def _run(self, job: Job[Made]) -> Made:
        try:
            self._pipe.send(job)
            answer: Made | SinewError = self._pipe.recv()
        except (EOFError, OSError):
            raise RunError("the node that steps the graph is gone: see its messages") from None
        if isinstance(answer, SinewError):
            raise answer
        return answer
