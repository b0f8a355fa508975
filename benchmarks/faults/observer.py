"""The node that sees what a fault does: every output, state and report, by the steady clock."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.client import Client
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from sinew_core.errors import RunError
from sinew_ros.executor import WaitSetExecutor
from sinew_ros.messages import answered_stamp, command_stamp
from sinew_ros.qos import RELIABLE
from sinew_ros.stamps import stamp_ns

COMMANDS = "forward_velocity_controller/commands"
WITHIN_S = 60.0
_SPIN_S = 0.02
_PRIORITY = 5
R = TypeVar("R")


class FaultError(RunError):
    """What was expected did not come; `since_s` is when the fault was injected."""

    since_s = math.inf


class NotReadyError(FaultError):
    """The graph stopped before the fault: the machine is too slow for the watchdogs."""


class Output(NamedTuple):
    """What the filter sent."""

    received_s: float
    velocity_rad_s: tuple[float, ...]
    state_stamp_ns: int
    command_stamp_ns: int


class Measured(NamedTuple):
    """A joint state of the arm."""

    received_s: float
    stamp_ns: int
    position_rad: tuple[float, ...]
    velocity_rad_s: tuple[float, ...]


class Observer:
    """Subscribe, call services, and wait for conditions; nothing waits for a fixed time.

    Attributes:
        outputs, states: all that came, in its order.
        reports: per node, the values of its last diagnostics; its message under "message".
        reported_s: per node, when they came.
        on_state: called after each state.
        context: adds to the message of a condition that does not come.
        check: called while waiting; raises where waiting is in vain.
    """

    def __init__(self, domain_id: int, states_topic: str) -> None:
        """Join the domain."""
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        rclpy.init(domain_id=domain_id, signal_handler_options=SignalHandlerOptions.NO)
        self.outputs: list[Output] = []
        self.states: list[Measured] = []
        self.reports: dict[str, dict[str, str]] = {}
        self.reported_s: dict[str, float] = {}
        self.on_state: Callable[[], None] = lambda: None
        self.check: Callable[[], None] = lambda: None
        self.node = Node("observer")
        self._executor = WaitSetExecutor()
        self._executor.add_node(self.node)
        subscribe = self.node.create_subscription
        subscribe(Float64MultiArray, COMMANDS, self._output, RELIABLE)
        subscribe(JointState, states_topic, self._state, RELIABLE)
        subscribe(DiagnosticArray, "diagnostics", self._report, RELIABLE)

    def until(self, condition: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
        """Spin until the condition holds.

        Raises:
            FaultError: when it does not in time.
        """
        deadline = time.monotonic() + within_s
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                reports = "; ".join(f"{k}: {v}" for k, v in self.reports.items())
                raise FaultError(f"waited {within_s:g} s in vain for {what}; {reports}")
            self._executor.spin_once(_SPIN_S)

    def pause(self, seconds: float) -> None:
        """Spin for a time: how long a fault lasts."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0.0:
            self._executor.spin_once(min(left_s, _SPIN_S))

    def client(self, kind: type, name: str) -> Client:
        """Return a client whose service is there."""
        client = self.node.create_client(kind, name)
        self.until(client.service_is_ready, f"service {name}")
        return client

    def call(self, client: Client, request: R) -> tuple[bool, str]:
        """Call a service; return whether it succeeded, and its message."""
        future = client.call_async(request)
        self.until(future.done, f"an answer of {client.srv_name}")
        response = future.result()
        return response.success, response.message

    def run_first(self) -> None:
        """Give this process, but not those it starts, a real-time priority below the nodes' own.

        Without the right to, go on as is: on a busy machine it then sees things late.
        """
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        with contextlib.suppress(PermissionError):
            for thread in Path("/proc/self/task").iterdir():
                os.sched_setscheduler(int(thread.name), policy, os.sched_param(_PRIORITY))

    def close(self) -> None:
        """Leave the domain."""
        self._executor.shutdown(0)
        self.node.destroy_node()
        rclpy.try_shutdown()

    def _output(self, message: Float64MultiArray) -> None:
        now_s = time.monotonic()
        stamps = answered_stamp(message) or 0, command_stamp(message) or 0
        self.outputs.append(Output(now_s, tuple(message.data), *stamps))

    def _state(self, message: JointState) -> None:
        now_s = time.monotonic()
        stamp = stamp_ns(message.header.stamp)
        values = tuple(message.position), tuple(message.velocity)
        self.states.append(Measured(now_s, stamp, *values))
        self.on_state()

    def _report(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {v.key: v.value for v in status.values}
            self.reports[status.name] = {**values, "message": status.message}
            self.reported_s[status.name] = time.monotonic()
