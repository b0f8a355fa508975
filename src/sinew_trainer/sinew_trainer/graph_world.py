"""The arm behind a graph, as the environment of its training sees it.

`begin`, `step` and `end` are called by the thread of the episodes; all else happens in the node's
executor. What the filter reports decides what of an episode counts: its reports come in order, and
each change of its state brings one, with the stamp of the newest joint state seen while armed.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from typing import TypeVar

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from sinew_core.bundle.controller import ControlTicks
from sinew_core.errors import RunError
from sinew_core.tasks.setup import TaskSetup
from sinew_core.training.graph.environment import ArmState, Closed, Float, Interrupted
from sinew_ros.arming import Arming
from sinew_ros.main import SinewNode
from sinew_ros.messages import CommandMessage, JointStateMapper
from sinew_ros.qos import RELIABLE, state_subscription
from sinew_ros.raw import read_stamp
from sinew_trainer.graph_parameters import GraphTrainParameters

T = TypeVar("T")
_LONGEST_GAP_PERIODS = 1.5
_KEPT_LATENCIES = 10_000


class Phase(Enum):
    """What the world is doing."""

    IDLE = auto()
    WANTED = auto()
    PREPARING = auto()
    RUNNING = auto()
    ENDING = auto()


class GraphWorld:
    """A `World` of joint states and commands through the safety filter.

    Attributes:
        paused: whether an operator has to arm before anything goes on.
        interruptions: episodes that ended early.
        missed_ticks: control ticks that came before the one before was answered, or too late.
        steps: control ticks answered.
        running_s: wall time of the episodes.
        wall_s: the same with what is between them, resets and waits for the learner included.
    """

    def __init__(
        self, node: SinewNode, p: GraphTrainParameters, setup: TaskSetup, joint_prefix: str
    ) -> None:
        """Open the topics; nothing moves before `begin`.

        `joint_prefix` is in front of the joint names in messages.
        """
        self._node, self._p, self._lockstep = node, p, p.pace == "lockstep"
        names, rates = [joint_prefix + n for n in setup.robot.joint_names], setup.rates
        self._mode = setup.action_spec.command_mode
        self._mapper = JointStateMapper(names)
        self._ticks = ControlTicks(rates.control_rate_hz, lockstep=self._lockstep)
        sender = node.get_fully_qualified_name()
        self._message = CommandMessage(names, self._mode, sender, rates.control_period_s)
        self._states: queue.SimpleQueue[ArmState | Exception] = queue.SimpleQueue()
        self._ends: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[Phase] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._phase = Phase.IDLE
        self.paused = False
        self._closed_s = float("inf")
        self.interruptions = self.missed_ticks = self.steps = 0
        self.running_s = self.wall_s = self._first_s = 0.0
        self._began_s = self._heard_s = self._taken_s = time.monotonic()
        self._latencies_s: deque[float] = deque(maxlen=_KEPT_LATENCIES)
        self._answer: tuple[int, JointTrajectory] | None = None
        self._stamp_ns, self._until_ns = -1, -1
        self._filter_state, self._seen_armed, self._seen_disarmed = "", False, False
        self._unreported = False  # that the filter was armed here, until it says so
        self._held: Float | None = None
        self._publisher = node.create_publisher(JointTrajectory, "policy/command", RELIABLE)
        profile = state_subscription(lockstep=self._lockstep)
        node.create_subscription(JointState, "joint_states", self._on_state, profile, raw=True)
        node.create_subscription(DiagnosticArray, "diagnostics", self._on_diagnostics, RELIABLE)
        driver = p.driver if p.reset == "teleport" else ""
        self._arming = Arming(node, safety_filter=p.safety_filter, driver=driver)

    def begin(self) -> ArmState:
        """Have the arm armed, placed where asked to; after a stop an operator has to arm first."""
        return self._ask(Phase.WANTED, self._states)

    def step(self, command: Float) -> ArmState:
        """Answer the present control tick, and wait for the next."""
        self._publish(self._stamp_ns, command)
        self._latencies_s.append(time.monotonic() - self._taken_s)
        return _received(self._states)

    def end(self) -> int:
        """Have the filter say until when it was armed; where it is the node's to arm, disarm it."""
        return self._ask(Phase.ENDING, self._ends)

    def close(self) -> None:
        """Let whoever waits go, and disarm the filter, which would else miss its commands."""
        self._closed.set()
        self._states.put(Closed())
        self._ends.put(Closed())
        self._phase, self.paused = Phase.IDLE, False
        self._arming.cancel()
        self._closed_s = time.monotonic()
        self._arming.disarm(lambda: None)

    @property
    def left(self) -> bool:
        """Whether the filter has answered the disarming of `close`, latched or not."""
        return self._arming.heard_s > self._closed_s

    def poll(self) -> None:
        """Go on with what was asked for; call it regularly.

        Raises:
            RunError: the graph is silent, or refuses to be armed.
        """
        while not self._requests.empty():
            self._take_request(self._requests.get())
        if self.paused:
            return
        self._arming.poll()
        if self._phase is Phase.WANTED:
            self._prepare()
        silent_s = time.monotonic() - max(self._heard_s, self._arming.heard_s)
        if self._phase is not Phase.IDLE and silent_s > self._p.patience_s:
            waiting = ", ".join(self._arming.missing) or "joint_states"
            raise RunError(f"no {waiting} for {silent_s:.0f} s: is the graph running?")

    def figures(self) -> dict[str, object]:
        """Return what is told of the world: counts, steps per second of an episode, latency."""
        latencies_ms = np.array(self._latencies_s) * 1e3
        quantiles = np.quantile(latencies_ms, [0.5, 0.99, 1.0]) if len(latencies_ms) else None
        names = ("latency_ms_p50", "latency_ms_p99", "latency_ms_max")
        rounded = [None] * 3 if quantiles is None else [round(float(q), 3) for q in quantiles]
        return {
            "pace": self._p.pace,
            "reset": self._p.reset,
            "steps": self.steps,
            "wall_s": round(self.wall_s, 3),
            "steps_per_s": _rate(self.steps, self.wall_s),
            "steps_per_s_of_episodes": _rate(self.steps, self.running_s),
            "interruptions": self.interruptions,
            "missed_ticks": self.missed_ticks,
            **dict(zip(names, rounded, strict=True)),
        }

    def _ask(self, phase: Phase, answers: queue.SimpleQueue[T | Exception]) -> T:
        """Ask the executor for something; what was told before is of an episode before."""
        while not answers.empty():
            answers.get()
        if self._closed.is_set():
            raise Closed
        self._requests.put(phase)
        return _received(answers)

    def _take_request(self, phase: Phase) -> None:
        self._phase = phase
        if phase is Phase.WANTED:
            self._until_ns, self._answer, self._stamp_ns = -1, None, -1
        elif self._until_ns >= 0:
            self._finish()
        elif self._p.arm and not self.paused:
            self._arming.cancel()
            self._arming.disarm(lambda: None)

    def _prepare(self) -> None:
        """Arm as soon as every partner is there; or see that an operator has."""
        if self._arming.missing or not self._mapper.complete:
            return
        if self._p.arm:
            self._phase = Phase.PREPARING
            self._seen_armed = False
            # What was said before a report of the last arming is not of the time after it.
            disarmed = self._filter_state not in ("", "armed")
            self._seen_disarmed = disarmed and not self._unreported
            self._arming.cancel()  # of the last episode: its arm may still be braking
            self._arming.begin(self._on_armed, lambda: self._seen_disarmed)
        elif self._filter_state == "armed":
            self._seen_armed = True
            self._on_armed()
        elif self._filter_state:
            self._pause(f"{self._p.safety_filter} is {self._filter_state}")

    def _on_armed(self) -> None:
        self._phase, self._held = Phase.RUNNING, None
        self._unreported = not self._seen_armed
        self._began_s = self._taken_s = time.monotonic()
        self._first_s = self._first_s or self._began_s
        if self._lockstep and self._ticks.is_due(self._mapper.stamp_ns):
            self._take(self._mapper.stamp_ns)  # the world stands at this state

    def _on_state(self, data: bytes) -> None:
        mapper, received_s = self._mapper, time.monotonic()
        if self._lockstep and self._phase is Phase.RUNNING:
            due_ns = read_stamp(data)
            if due_ns is not None and not self._ticks.is_due(due_ns):
                self._heard_s = received_s
                return  # three of four states are the filter's business alone
        if not mapper.update_raw(data) or not mapper.complete:
            return
        stamp, self._heard_s = mapper.stamp_ns, received_s
        if self._phase is Phase.PREPARING:
            self._arming.state(stamp)
        elif self._phase is Phase.RUNNING:
            if stamp == self._stamp_ns:
                self._repeat(stamp)
            elif self._ticks.is_due(stamp):
                self._taken_s = received_s
                self._tick(stamp)
        elif not self._lockstep and not self._p.arm and self._ticks.is_due(stamp):
            self._hold(stamp)

    def _repeat(self, stamp: int) -> None:
        """Send an answer again: a world in lockstep repeats the state that it waits at."""
        if self._lockstep and self._answer is not None and self._answer[0] == stamp:
            self._publisher.publish(self._answer[1])

    def _tick(self, stamp: int) -> None:
        """Hand over the state of a control tick; in real time, unless one was missed."""
        late = False
        if not self._lockstep and self._stamp_ns >= 0:
            answered = self._answer is not None and self._answer[0] == self._stamp_ns
            gap = stamp - self._stamp_ns > _LONGEST_GAP_PERIODS * self._ticks.period_ns
            late = gap or not answered
        if late:
            self.missed_ticks += 1
            self._until_ns = self._stamp_ns
            self._interrupt("a control tick was missed")
        else:
            self._take(stamp)

    def _take(self, stamp: int) -> None:
        mapper, self._stamp_ns = self._mapper, stamp
        self._ticks.answered(stamp)
        self.steps += 1
        self._states.put(
            ArmState(
                stamp_ns=stamp,
                position=np.array(mapper.position),
                velocity=np.array(mapper.velocity),
                effort=np.array(mapper.effort),
            )
        )

    def _hold(self, stamp: int) -> None:
        """Keep an arm that is armed, and has no episode, where it is."""
        self._ticks.answered(stamp)
        if self._held is None:
            self._held = np.array(self._mapper.position)
        if self._filter_state == "armed":
            moves = self._mode == "joint_velocity"
            self._publish(stamp, np.zeros_like(self._held) if moves else self._held)

    def _publish(self, stamp: int, command: Float) -> None:
        message = self._message.fill(stamp, command.tolist())
        self._answer = (stamp, message)
        self._publisher.publish(message)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(self._p.safety_filter):
                self._on_report({v.key: v.value for v in status.values})

    def _on_report(self, values: Mapping[str, str]) -> None:
        """Take what the filter reports."""
        state = self._filter_state = values.get("state", "")
        until_ns = int(values.get("armed_until_ns", "-1"))
        if state == "armed":
            self.paused = self._unreported = False
            if self._phase is Phase.PREPARING:
                self._seen_armed = self._seen_disarmed
            elif self._phase is Phase.ENDING:
                self._seen_armed = True
                if not self._p.arm and until_ns >= self._stamp_ns:
                    self._until_ns = until_ns
                    self._finish()
            elif self._phase is Phase.RUNNING:
                self._seen_armed = True
            return
        self._on_not_armed(state, until_ns, values.get("reason", ""))

    def _on_not_armed(self, state: str, until_ns: int, reason: str) -> None:
        phase = self._phase
        asked = self._p.arm and phase is not Phase.RUNNING and reason == "disarmed"
        if phase is Phase.PREPARING:
            self._seen_armed, self._seen_disarmed = False, not self._unreported
        if phase in (Phase.RUNNING, Phase.ENDING) and self._seen_armed and self._until_ns < 0:
            self._until_ns = until_ns
            if phase is Phase.RUNNING:
                self._interrupt(reason)
        if state == "latched" or (state == "braking" and not asked) or self._phase is not phase:
            self._pause(reason)
        if phase is Phase.PREPARING and not self.paused:
            self._arming.state(self._mapper.stamp_ns)  # which a world that stands still is not
        if phase is Phase.ENDING and self._until_ns >= 0:
            self._finish()

    def _interrupt(self, reason: str) -> None:
        self._phase = Phase.IDLE
        self._stop_clock()
        self.interruptions += 1
        self._states.put(Interrupted(reason))

    def _pause(self, reason: str) -> None:
        """Leave everything to the operator until the filter is armed again."""
        self._arming.cancel()
        if self._phase is Phase.PREPARING:
            self._phase = Phase.WANTED
        if not self.paused:
            self.paused = True
            service = self._node.resolve_service_name(f"{self._p.safety_filter}/arm")
            self._node.get_logger().warning(
                f"paused: {reason}; go on by calling {service}, after the clear service where the "
                "filter is latched"
            )

    def _finish(self) -> None:
        """Tell until when the episode was undisturbed."""
        self._phase = Phase.IDLE
        self._stop_clock()
        self._ends.put(self._until_ns)

    def _stop_clock(self) -> None:
        """Count the time of the episode, once; a pause of the operator is not part of any."""
        if self._began_s > 0.0:
            now_s = time.monotonic()
            self.running_s += now_s - self._began_s
            self.wall_s = now_s - self._first_s
            self._began_s = 0.0


def _rate(count: int, duration_s: float) -> float:
    return round(count / duration_s, 1) if duration_s > 0.0 else 0.0


def _received(answers: queue.SimpleQueue[T | Exception]) -> T:
    answer = answers.get()
    if isinstance(answer, Exception):
        raise answer
    return answer
