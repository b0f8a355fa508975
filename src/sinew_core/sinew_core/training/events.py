"""Curves of a run for TensorBoard: an event file that grows, and can go back to a checkpoint.

The records are written by TensorBoard's own writer, without its queue and thread: a checkpoint has
to know how long the file is. A resumed run cuts off what came after its checkpoint and goes on in
the same file, so that no point of a curve comes twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

EVENT_FILE = "events.out.tfevents.sinew"
_FORMAT = "brain.Event:2"


class EventFile:
    """One event file that is open for appending."""

    def __init__(self, folder: Path, length: int, clock: Callable[[], float] = time.time) -> None:
        """Keep the first `length` bytes of the file in `folder`; of a shorter one, nothing."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / EVENT_FILE
        path.touch()
        self._clock = clock
        self._file = path.open("r+b")
        self._file.truncate(length if length <= path.stat().st_size else 0)
        self._file.seek(0, os.SEEK_END)
        self._writer = RecordWriter(self._file)
        if self._file.tell() == 0:
            self._write(Event(wall_time=clock(), file_version=_FORMAT))

    def add(self, env_steps: int, figures: Mapping[str, float]) -> None:
        """Append one point of each curve."""
        values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        summary = Summary(value=values)
        self._write(Event(wall_time=self._clock(), step=env_steps, summary=summary))

    def length(self) -> int:
        """Return the length of the file in bytes."""
        return self._file.tell()

    def flush(self) -> None:
        """Show readers what was added."""
        self._file.flush()

    def sync(self) -> None:
        """Make what was added survive a power cut."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """End the file."""
        self._writer.close()

    def _write(self, event: Event) -> None:
        self._writer.write(event.SerializeToString())
