"""The main program of every node: start, spin, stop on a signal, exit status.

Signals never interrupt a callback: they ask the loop to end, the node sends its last messages in
`on_stop` while the connection still stands, and the process exits with status 0.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.duration import Duration
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.service import Service
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription

from sinew_core.errors import ConfigError, SinewError
from sinew_ros.executor import WaitSetExecutor
from sinew_ros.exit_timer import ExitTimer
from sinew_ros.settable import Settable, refused

# How long a signal may wait: Python runs its handler only when the wait in C returns.
_POLL_S = 0.05
_DELIVER_S = 0.5
_SAME_SIGNAL_S = 1.0
_TELL_AFTER_S = 2.0
_END_WITHIN_S = 2.2
# Above ordinary processes, below what a driver of hardware and the kernel's threads use.
_PRIORITY = 10


class SinewNode(Node):  # type: ignore[misc]  # rclpy is untyped
    """A node that `run_node` runs: it may end itself, say good-bye, and have a paced cycle."""

    cycle_period_s: float | None = None
    """Period of `cycle` on the steady clock; None (the default): no cycle, messages only."""

    urgent: bool = False
    """Whether to run before ordinary processes, where the system permits it."""

    quiet: tuple[Subscription, ...] = ()
    """Subscriptions whose messages wait until something else wakes the node."""

    settable: Settable | None = None
    """Which parameters may be changed while the node runs; None (the default): none."""

    prompt: tuple[Service, ...] = ()
    """Services that must not wait for a pause between messages, as the others do."""

    companions: tuple[Node, ...] = ()
    """Nodes of the same process that run beside this one, such as a simulated controller's."""

    exit_code: int | None = None

    def finish(self, exit_code: int = 0) -> None:
        """End the process after the present callback with this exit status."""
        if self.exit_code is None:
            self.exit_code = exit_code

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """Change parameters, or refuse with the reason; the parameter services call this."""
        own = [p for p in parameter_list if p.name != "use_sim_time"]
        if self.settable is None or not own:
            return super().set_parameters_atomically(parameter_list)
        changes = self.settable.converted(parameter_list)
        reason = self.settable.refusal(changes)
        if reason:
            return refused(reason)
        result = super().set_parameters_atomically(changes)
        if result.successful:
            self.settable.apply(changes)
        return result

    def cycle(self, missed: int) -> None:
        """Run one paced cycle; `missed` cycles were left out because the last one ended late."""

    def on_stop(self) -> None:
        """Send the last messages; the connection still stands."""


def run_node(make_node: Callable[[], SinewNode], args: Sequence[str] | None = None) -> int:
    """Run one node until a signal or its own `finish`; return the exit status.

    A `SinewError`, at the start or later, ends the process with one line and status 1. After any
    other error the node sends its last messages all the same, and then the error is raised.
    """
    try:
        with _refusals_of_ros():
            rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except SinewError as error:
        sys.stderr.write(f"{_program(None)}: {error}\n")
        return 1
    node: SinewNode | None = None
    executor = WaitSetExecutor()
    stopped = _StopRequest()
    status = 1
    try:
        with _refusals_of_ros():
            node = make_node()
        for each in (node, *node.companions):
            executor.add_node(each)
        if node.urgent:
            _run_first()
        # What the start has made stays: collecting it again and again would cost whole cycles.
        gc.collect()
        gc.freeze()
        try:
            _spin(node, executor, stopped)
        except (SinewError, ExternalShutdownException):
            raise
        except Exception:
            _stop_after_an_error(node)
            raise
        _stop(node)
        status = node.exit_code or 0
    except SinewError as error:
        sys.stderr.write(f"{_program(node)}: {error}\n")
    except (KeyboardInterrupt, ExternalShutdownException):
        status = 0
    finally:
        _leave(executor, node, status)
        stopped.release()
    return status


@contextlib.contextmanager
def _refusals_of_ros() -> Iterator[None]:
    """Turn what ROS does not accept at the start, most of it given by the user, into one line."""
    try:
        yield
    except (rclpy_implementation.RCLError, NameValidationException) as error:
        reason = " ".join(str(error).split())
        remedy = "check the names of topics and namespaces, HOME and the ROS_ variables"
        raise ConfigError(f"ROS refuses: {reason}: {remedy}") from None


def _stop(node: SinewNode) -> None:
    try:
        node.on_stop()
    finally:
        _deliver(node)  # what it has sent until it failed, too: that may be what brakes an arm


def _stop_after_an_error(node: SinewNode) -> None:
    """Stop as far as that still works: an arm must not go on with its last command."""
    try:
        _stop(node)
    except Exception:  # the one before it matters more, and is raised
        traceback.print_exc()


def _leave(executor: WaitSetExecutor, node: SinewNode | None, status: int) -> None:
    """Say good-bye to the middleware; where it hangs in that, tell where, and end all the same.

    By then the node's own work is done, so that this takes nothing from its status.
    """
    with contextlib.suppress(OSError):  # nobody may be reading any more
        sys.stdout.flush()
    faulthandler.dump_traceback_later(_TELL_AFTER_S)
    timer = ExitTimer(_END_WITHIN_S, status)
    executor.shutdown(0)
    if node is not None:
        for each in (*node.companions, node):
            each.destroy_node()
    rclpy.try_shutdown()
    timer.cancel()
    faulthandler.cancel_dump_traceback_later()


class _StopRequest:
    """Becomes true at the first SIGINT or SIGTERM."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
        for number in self._before:
            signal.signal(number, self._take)

    def __call__(self) -> bool:
        return self._since_s is not None

    def release(self) -> None:
        """Let signals do what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        now_s = time.monotonic()
        self._since_s = now_s if self._since_s is None else self._since_s
        # A launch system sends its children the signal that Ctrl-C has sent them already; a later
        # one is from somebody who has lost patience.
        if now_s - self._since_s > _SAME_SIGNAL_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def _run_first() -> None:
    """Give the threads of this process a real-time priority; without the right to, go on as is."""
    with contextlib.suppress(OSError):
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(_PRIORITY))


def _deliver(node: SinewNode) -> None:
    """Wait until the last messages have arrived; a subscriber that died must not delay the end."""
    deadline = time.monotonic() + _DELIVER_S
    for publisher in node.publishers:
        left_s = deadline - time.monotonic()
        if left_s > 0.0:
            publisher.wait_for_all_acked(Duration(seconds=left_s))


def _program(node: SinewNode | None) -> str:
    return node.get_name() if node is not None else sys.argv[0].rsplit("/", 1)[-1]


def _spin(node: SinewNode, executor: WaitSetExecutor, stopped: Callable[[], bool]) -> None:
    """Serve messages, and between them the paced cycle, until the node is to end.

    Deadlines are multiples of the period from the start, so that a late cycle does not shift the
    later ones; cycles missed altogether are left out, not caught up.
    """
    period_s = node.cycle_period_s
    deadline, missed = time.monotonic(), 0
    while not stopped() and node.exit_code is None:
        if period_s is None:
            executor.spin_once(_POLL_S)
            continue
        left_s = deadline - time.monotonic()
        if left_s > 0.0:
            executor.spin_once(min(left_s, _POLL_S))
            continue
        node.cycle(missed)
        deadline += period_s
        late_s = time.monotonic() - deadline
        missed = max(0, int(late_s / period_s))
        deadline += period_s * missed
        if late_s > 0.0:
            executor.spin_once(0.0)
