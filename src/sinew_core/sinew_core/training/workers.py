"""Worker processes that run episodes while the learner learns.

A worker is `python -m sinew_core.training.worker`, not a fork: forking a process that has the
threads of torch or DDS is unsafe. It needs neither torch nor the learner. When the learner dies the
pipe closes, and the worker ends.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import Protocol, TypeVar

from sinew_core.errors import RunError, SinewError
from sinew_core.training.jobs import Job

Made = TypeVar("Made")
STARTING_S = 120.0
ENDING_S = 5.0


class Pool(Protocol):
    """What runs jobs.

    Attributes:
        size: how many at a time.
    """

    size: int

    def submit(self, job: Job[Made]) -> Future[Made]:
        """Queue a job."""

    def __enter__(self) -> Pool:
        """Return itself."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End."""


class WorkerPool:
    """Runs jobs on `count` workers; which worker takes a job makes no difference to its result."""

    def __init__(self, configuration: Mapping[str, object], count: int) -> None:
        """Start the workers; `configuration` is `RunConfiguration.to_mapping()`."""
        self.size = count
        self._workers = [_Worker(configuration) for _ in range(count)]
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._free.put(worker)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="worker")

    def submit(self, job: Job[Made]) -> Future[Made]:
        """Queue a job."""
        return self._threads.submit(self._run, job)

    def __enter__(self) -> WorkerPool:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the workers, whatever they are doing."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.end()

    def _run(self, job: Job[Made]) -> Made:
        worker = self._free.get()
        try:
            return worker.call(job)
        finally:
            self._free.put(worker)


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, configuration: Mapping[str, object]) -> None:
        ours, theirs = Pipe()
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "OMP_NUM_THREADS": "1",
        }
        self._pipe = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sinew_core.training.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the learner, which then ends the worker
            )
        self._pipe.send(configuration)

    def call(self, job: Job[Made]) -> Made:
        """Run one job to its end.

        Raises:
            SinewError: what the worker raised.
            RunError: the worker is gone.
        """
        try:
            self._pipe.send(job)
            answer: Made | SinewError = self._pipe.recv()
        except (EOFError, OSError):
            status = self._process.poll()
            raise RunError(
                f"a worker process ended with status {status}: see its messages above"
            ) from None
        if isinstance(answer, SinewError):
            raise answer
        return answer

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pipe.close()


def serve(pipe: Connection, answer: Callable[[Job[object]], object]) -> None:
    """Answer jobs until the pipe closes."""
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            made = answer(job)
        except SinewError as error:
            made = error
        try:
            pipe.send(made)
        except OSError:
            return
