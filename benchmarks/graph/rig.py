"""Driver, safety filter and policy at 500 Hz, each a process, and what another process sees."""

from __future__ import annotations

import contextlib
import os
import re
import time
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from benchmarks.faults.observer import COMMANDS, FaultError
from benchmarks.faults.processes import Process, end_all, parameter_arguments
from benchmarks.graph.echo import TOPIC
from sinew_core.rates import Rates
from sinew_core.robots.model import RobotModel
from sinew_ros.executor import WaitSetExecutor
from sinew_ros.qos import RELIABLE
from sinew_ros.raw import read_stamp

RATES = Rates(physics_rate_hz=500, state_rate_hz=500, filter_rate_hz=500, control_rate_hz=500)
WITHIN_S = 60.0
_PRIORITY = 10
# Deep enough that the observer, which may be late, misses nothing that was sent.
_DEEP = QoSProfile(depth=2000, reliability=RELIABLE.reliability, durability=RELIABLE.durability)
_STAMP_LABELS = re.compile(rb"(\d{10,20})\x00")
_LABELS_WITHIN = 160
"""Bytes of an output that hold its labels but no values."""
_TARGETS_M = ((0.5, 0.2, 0.4), (0.5, -0.2, 0.6))
# A pause of the host must not end the measurement, which is to show it; see `./sinew bench faults`
# for what the watchdogs do about one.
_PATIENT = {
    "watchdog.command_timeout_s": 1.0,
    "watchdog.state_timeout_s": 1.0,
    "watchdog.missed_cycles": 500,
}
_DRIVER_WATCHDOG_S = 1.0


class Seen:
    """Stamps and times of receipt of one topic, in ns of the wall clock."""

    def __init__(self) -> None:
        """Begin without messages."""
        self.stamps_ns, self.received_ns = array("q"), array("q")

    def add(self, stamp_ns: int | None) -> None:
        """Note a message that has just come; all here carry a stamp."""
        assert stamp_ns is not None
        self.stamps_ns.append(stamp_ns)
        self.received_ns.append(time.time_ns())

    def clear(self) -> None:
        """Forget all."""
        del self.stamps_ns[:], self.received_ns[:]


class GraphRig:
    """The processes and the observer; a context manager that ends them.

    Attributes:
        states, commands, echoes: what was sent, by the stamp of the joint state.
        outputs: the filter's, by the stamp of the command in force.
        reports: per node, the values of its last diagnostics; its message under "message".
        processes: by name.
    """

    def __init__(self, folder: Path, robot: RobotModel) -> None:
        """Prepare; `folder` takes logs and the latch."""
        self._folder, self._robot = folder, robot
        self._domain_id = 1 + os.getpid() % 100
        self.states, self.commands, self.outputs, self.echoes = Seen(), Seen(), Seen(), Seen()
        self.reports: dict[str, dict[str, str]] = {}
        self.processes: dict[str, Process] = {}

    def __enter__(self) -> GraphRig:
        """Start the driver, and listen."""
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        rclpy.init(domain_id=self._domain_id, signal_handler_options=SignalHandlerOptions.NO)
        self.node = node = Node("observer")
        self._executor = WaitSetExecutor()
        self._executor.add_node(node)
        for kind, topic, callback in (
            (JointState, "joint_states", lambda data: self.states.add(read_stamp(data))),
            (JointTrajectory, "policy/command", lambda d: self.commands.add(read_stamp(d))),
            (JointState, TOPIC, lambda data: self.echoes.add(read_stamp(data))),
            (Float64MultiArray, COMMANDS, lambda data: self.outputs.add(command_in_force(data))),
        ):
            node.create_subscription(kind, topic, callback, _DEEP, raw=True)
        node.create_subscription(DiagnosticArray, "diagnostics", self._report, RELIABLE)
        self._targets = node.create_publisher(PoseStamped, "target_pose", RELIABLE)
        self._target = 0
        driver = {"robot": self._robot.name, "engine": "mujoco"}
        self.start("driver", "sinew_sim.sim_driver", driver_watchdog_s=_DRIVER_WATCHDOG_S, **driver)
        self.until(lambda: len(self.states.stamps_ns), "joint states")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """End everything; a process that does not end well is an error."""
        self._executor.shutdown(0)
        self.node.destroy_node()
        rclpy.try_shutdown()
        problems = end_all(list(self.processes.values()))
        if problems and kind is None:
            raise FaultError("; ".join(problems))

    def run_first(self) -> None:
        """Give this process, but not those it starts, the real-time priority of the nodes.

        What it receives is then in hand as soon as it would be in a node's.
        """
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        with contextlib.suppress(PermissionError):
            for thread in Path("/proc/self/task").iterdir():
                os.sched_setscheduler(int(thread.name), policy, os.sched_param(_PRIORITY))

    def forget(self) -> None:
        """Drop all that was seen so far."""
        for seen in (self.states, self.commands, self.outputs, self.echoes):
            seen.clear()

    def start(self, name: str, module: str, **parameters: object) -> None:
        """Start a process that ends with the rig."""
        arguments = parameter_arguments({**RATES.to_mapping(), **parameters}) if parameters else []
        self.processes[name] = Process(module, arguments, self._folder, self._domain_id)

    def stop(self, name: str) -> None:
        """End a process."""
        problems = end_all([self.processes.pop(name)])
        if problems:
            raise FaultError("; ".join(problems))

    def start_graph(self, bundle: Path) -> None:
        """Start filter and policy, arm, and wait until the arm moves."""
        robot = self._robot.name
        self.start("filter", "sinew_safety.safety_filter", **{"robot": robot, **_PATIENT})
        policy = parameter_arguments({"bundle": str(bundle), "robot": robot})
        self.processes["policy"] = Process(
            "sinew_policy.policy", policy, self._folder, self._domain_id
        )
        self.aim()
        arm = self.node.create_client(SetBool, "safety_filter/arm")
        self.until(arm.service_is_ready, "the service to arm")
        self.until(self._commanded, "commands")
        refusal = ""

        def armed() -> bool:
            nonlocal refusal
            future = arm.call_async(SetBool.Request(data=True))
            self.until(future.done, "an answer of the filter")
            refusal = future.result().message
            return bool(future.result().success)

        try:
            self.until(armed, "arming")
        except FaultError as error:
            raise FaultError(f"arming was refused: {refusal}") from error
        self.until(lambda: self.report("safety_filter").get("state") == "armed", "an armed filter")

    def aim(self) -> None:
        """Give the policy the next of its targets."""
        message = PoseStamped()
        message.header.frame_id = self._robot.base_link
        point = message.pose.position
        point.x, point.y, point.z = _TARGETS_M[self._target % len(_TARGETS_M)]
        message.pose.orientation.w = 1.0
        self._targets.publish(message)
        self._target += 1

    def _commanded(self) -> bool:
        if not self.commands.stamps_ns:
            self.aim()
        return len(self.commands.stamps_ns) > 0

    def report(self, node: str) -> Mapping[str, str]:
        """Return the last diagnostics of a node; empty before the first."""
        return self.reports.get(node, {})

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Serve messages until the condition holds.

        Raises:
            FaultError: when it does not in time, or a process has ended.
        """
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise FaultError(f"waited {WITHIN_S:g} s in vain for {what}; {self.reports}")
            self._executor.spin_once(0.02)

    def serve(self, end_s: float) -> None:
        """Serve messages until this time of the steady clock."""
        while (left_s := end_s - time.monotonic()) > 0.0:
            self._executor.spin_once(min(left_s, 0.05))
        self.check()

    def check(self) -> None:
        """Raise a `FaultError` where a process has ended."""
        for name, process in self.processes.items():
            if not process.running():
                raise FaultError(f"{name} ended:\n{process.output}")

    def _report(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {v.key: v.value for v in status.values}
            self.reports[status.name] = {**values, "message": status.message}


def command_in_force(data: bytes) -> int:
    """Return what the command in force answers by the second label of an output, in ns; 0: none."""
    labels = _STAMP_LABELS.findall(data[:_LABELS_WITHIN])
    return int(labels[1]) if len(labels) > 1 else 0
