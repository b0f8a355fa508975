"""Run the processes of a system together: their output, their end, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from sinew_core.errors import ConfigError
from sinew_ros.child import ends_with_parent

_CHUNK_BYTES = 65536
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
_SAME_REQUEST_S = 1.0
"""`timeout` sends its signal twice, and so may a terminal that closes; a later one is from somebody
who has lost patience."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A process to run; the end of a required one ends the system."""

    label: str
    arguments: tuple[str, ...]
    required: bool


@dataclass(eq=False)
class _Child:
    command: Command
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    pending: bytes = b""
    ended: bool = field(default=False)

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class System:
    """Processes that live and end together.

    Everything happens in the thread that calls `run`: output, signals and ends of processes wake
    one selector.
    """

    def __init__(
        self,
        commands: Sequence[Command],
        write: Callable[[str], object],
        patience_s: tuple[float, float, float] = (6.0, 3.0, 3.0),
    ) -> None:
        """Prepare to run the commands.

        Args:
            commands: what to start, in this order.
            write: gets each line of output, label in front.
            patience_s: how long SIGINT, SIGTERM and SIGKILL each have to work.
        """
        self._commands = tuple(commands)
        self._patience_s = patience_s
        self._write = write
        self._children: list[_Child] = []
        self._selector = selectors.DefaultSelector()
        self._stage = -1
        self._deadline_s = float("inf")
        self._asked = False
        self._asked_s = float("-inf")
        self._status = 0

    def run(self) -> int:
        """Run until a required process ends or a signal asks for the end; return the status.

        The status is not zero when a required process failed, when any process failed on its own,
        or when one had to be killed.
        """
        with self._woken_by_signals():
            try:
                for command in self._commands:
                    self._start(command)
                while not all(child.ended for child in self._children):
                    self._turn()
            finally:
                for child in self._children:
                    if not child.ended:
                        child.signal(signal.SIGKILL)
                        child.process.wait()
                    child.output.close()
        return self._status

    def _start(self, command: Command) -> None:
        try:
            process = subprocess.Popen(
                command.arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
                preexec_fn=ends_with_parent(signal.SIGKILL),
            )
        except OSError as error:
            remedy = "check that the file can be run"
            raise ConfigError(f"{command.label} cannot be started: {error}: {remedy}") from None
        assert process.stdout is not None
        child = _Child(command, process, process.stdout)
        os.set_blocking(child.output.fileno(), False)
        self._selector.register(child.output, selectors.EVENT_READ, child)
        self._children.append(child)

    def _turn(self) -> None:
        """Wait for the next event and deal with all there is."""
        timeout_s = max(0.0, self._deadline_s - time.monotonic())
        events = self._selector.select(None if timeout_s == float("inf") else timeout_s)
        for key, _ in events:
            if isinstance(key.data, _Child):
                self._read(key.data)
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(key.fd, _CHUNK_BYTES)
        for child in self._children:
            if not child.ended and _has_exited(child.process.pid):
                self._end(child)
        if self._asked:
            self._asked = False
            self._escalate()
        elif time.monotonic() >= self._deadline_s:
            self._escalate()

    def _read(self, child: _Child) -> bool:
        """Pass on the complete lines of what the process has written; say if there may be more."""
        try:
            data = os.read(child.output.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._selector.unregister(child.output)
        *lines, child.pending = (child.pending + data).split(b"\n")
        if not data and child.pending:
            lines, child.pending = [*lines, child.pending], b""
        for line in lines:
            self._tell(f"[{child.command.label}] {line.decode(errors='replace').rstrip()}\n")
        return bool(data)

    def _end(self, child: _Child) -> None:
        """Reap a process, clear its group away and decide what its end means."""
        child.signal(signal.SIGKILL)
        status = child.process.wait()
        child.ended = True
        if child.output in self._selector.get_map():
            while self._read(child):
                pass
        ending = self._stage >= 0
        if status:
            self._tell(f"[{child.command.label}] ended with {_named(status)}\n")
            if not ending or status == -signal.SIGKILL:
                self._status = 1
        if child.command.required and not ending:
            self._tell(f"[launch] {child.command.label} has ended: ending the others\n")
            self._escalate()

    def _tell(self, line: str) -> None:
        """Write a line; where nobody can read it any more, ask for the end."""
        try:
            self._write(line)
        except OSError:
            if self._stage < 0:
                self._ask()

    def _ask(self, *_: object) -> None:
        """Note that somebody wants the end; what follows at once says the same again."""
        now_s = time.monotonic()
        if now_s - self._asked_s > _SAME_REQUEST_S:
            self._asked, self._asked_s = True, now_s

    def _escalate(self) -> None:
        """Send the next stronger signal to all that still run."""
        self._stage = min(self._stage + 1, len(_SIGNALS) - 1)
        number = _SIGNALS[self._stage]
        self._deadline_s = time.monotonic() + self._patience_s[self._stage]
        for child in self._children:
            if child.ended:
                continue
            if self._stage > 0:
                label = child.command.label
                self._tell(f"[launch] {label} still runs: sending {number.name}\n")
            child.signal(number)

    @contextlib.contextmanager
    def _woken_by_signals(self) -> Iterator[None]:
        """Let signals ask for the end, and SIGCHLD wake the selector.

        SIGHUP, of a terminal that closes, is one of them unless it is ignored, as under `nohup`.
        """
        wanted: dict[signal.Signals, Callable[..., None]] = {
            signal.SIGINT: self._ask,
            signal.SIGTERM: self._ask,
            signal.SIGCHLD: lambda *_: None,
        }
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            wanted[signal.SIGHUP] = self._ask
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(reader, selectors.EVENT_READ)
        previous_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        previous = {number: signal.signal(number, handler) for number, handler in wanted.items()}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(previous_fd)
            self._selector.close()
            os.close(reader)
            os.close(writer)


def _has_exited(pid: int) -> bool:
    """Say whether a process has ended, and leave it unreaped so that its group keeps its id."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, pid, options) is not None


def _named(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def to_stdout(line: str) -> None:
    """Write a text at once, so that it is seen where output is a pipe, in any encoding."""
    encoding = sys.stdout.encoding
    sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()
