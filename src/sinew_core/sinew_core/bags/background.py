"""A bag writer on its own thread behind a queue of limited size: whoever records never waits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from rosbags.interfaces import Qos

from sinew_core.bags.writer import BagWriter
from sinew_core.errors import BagError, SinewError

_TICK_S = 0.1


class BackgroundWriter:
    """Take messages at any rate; write them in their order.

    Attributes:
        dropped: messages lost because the disk did not keep up.
        error: why writing ended early, None while it goes well.
    """

    def __init__(self, make_writer: Callable[[], BagWriter], max_bytes: int = 64 * 2**20) -> None:
        """Make the writer on its thread, and wait until it stands.

        Args:
            make_writer: SQLite wants a database to stay on the thread that made it.
            max_bytes: bytes of messages that may wait.

        Raises:
            SinewError: what `make_writer` raises.
        """
        self.dropped = 0
        self.error: SinewError | None = None
        self._make_writer = make_writer
        self._max_bytes = max_bytes
        self._waiting: deque[tuple[str, str, bytes, int]] = deque()
        self._declared: deque[tuple[str, str, tuple[Qos, ...]]] = deque()
        self._n_bytes_in = self._n_bytes_out = 0
        self._wake = threading.Event()
        self._made = threading.Event()
        self._ending = self._discarding = False
        self._thread = threading.Thread(target=self._run, name="bag writer", daemon=True)
        self._thread.start()
        self._made.wait()
        if self.error is not None:
            raise self.error

    def declare(self, topic: str, msgtype: str, qos: Sequence[Qos] = ()) -> None:
        """Declare a topic before its first message, with what its publishers offer."""
        self._declared.append((topic, msgtype, tuple(qos)))

    def put(self, topic: str, msgtype: str, data: bytes, time_ns: int) -> bool:
        """Take one message; return whether there was room for it."""
        size = len(data)
        if self._n_bytes_in - self._n_bytes_out + size > self._max_bytes:
            self.dropped += 1
            return False
        self._n_bytes_in += size
        self._waiting.append((topic, msgtype, data, time_ns))
        return True

    def close(self) -> None:
        """Write what waits and complete the bag.

        Raises:
            SinewError: why it could not be completed.
        """
        self._ending = True
        self._wake.set()
        self._thread.join()
        if self.error is not None:
            raise self.error

    def discard(self) -> None:
        """Delete the bag."""
        self._discarding = True
        self.close()

    def _run(self) -> None:
        try:
            writer = self._make_writer()
            self._made.set()
            self._serve(writer)
        except SinewError as error:
            self.error = error
        # The thread must not end silently, whatever happens.
        except Exception as error:
            self.error = BagError(f"the bag writer failed: {type(error).__name__}: {error}")
        finally:
            self._made.set()

    def _serve(self, writer: BagWriter) -> None:
        """Write in bursts: a thread woken up for each message would delay the one that records."""
        while not self._ending:
            self._wake.wait(_TICK_S)
            self._write_waiting(writer)
            writer.tick()
        if self._discarding:
            writer.discard()
        else:
            self._write_waiting(writer)
            writer.close()

    def _write_waiting(self, writer: BagWriter) -> None:
        # A topic is declared before its first message is put, so that all known ones may go first.
        n_messages = len(self._waiting)
        while self._declared:
            writer.add_topic(*self._declared.popleft())
        for _ in range(0 if self._discarding else n_messages):
            topic, msgtype, data, time_ns = self._waiting.popleft()
            writer.write(topic, msgtype, data, time_ns)
            self._n_bytes_out += len(data)
