"""Graph trainer node: training whose episodes run over the graph, through the safety filter.

The learner is a process of its own, which sends jobs through a pipe; a thread of this node runs
them, and the executor hands it the states of control ticks. In lockstep the world waits until the
next command comes. When the filter leaves `armed` without being asked to, the episode under way is
dropped as a whole and repeated once the operator has armed again.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from multiprocessing.connection import Connection, Pipe

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from sinew_core.bundle.controller import ControlTicks
from sinew_core.errors import RunError
from sinew_core.training.environment import make_setup
from sinew_core.training.graph.environment import ArmState, Float, GraphEnv, Interrupted
from sinew_core.training.jobs import GOLDEN_PAIRS, CollectJob, Job, ObserveJob, PictureJob
from sinew_core.training.workers import serve
from sinew_ros.arming import Arming
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.messages import CommandMessage, JointStateMapper
from sinew_ros.parameters import declare_from
from sinew_ros.qos import RELIABLE, state_subscription
from sinew_trainer.graph_parameters import GraphTrainParameters
from sinew_trainer.graph_run import prepare_run
from sinew_trainer.progress import describe
from sinew_trainer.training_process import TrainingProcess

_POLL_S = 0.01
_CLOSED = "closed"


class GraphTrainer(SinewNode):
    """The world of a `GraphEnv`: `begin` and `step` are called by the thread of the episodes."""

    def __init__(self) -> None:
        """Prepare the run folder, connect to the graph, and start the learner."""
        super().__init__("graph_trainer")
        self._p = p = declare_from(self, GraphTrainParameters)
        self._folder, configuration = prepare_run(p)
        setup = make_setup(configuration)
        self._env = GraphEnv(setup, self, p.reset)
        self._lockstep = p.pace == "lockstep"
        names, rates = setup.robot.joint_names, setup.rates
        self._mapper = JointStateMapper(names)
        self._ticks = ControlTicks(rates.control_rate_hz, lockstep=self._lockstep)
        sender = self.get_fully_qualified_name()
        mode = setup.action_spec.command_mode
        self._message = CommandMessage(names, mode, sender, rates.control_period_s)
        self._states: queue.SimpleQueue[ArmState | str] = queue.SimpleQueue()
        self._answer: tuple[int, JointTrajectory] | None = None
        self._running = self._wanted = self._seen_armed = self._paused = self._closed = False
        self._stamp_ns, self._filter_state, self._interruptions = -1, "", 0
        self._heard_s = time.monotonic()
        self._publisher = self.create_publisher(JointTrajectory, "policy/command", RELIABLE)
        self.create_subscription(
            JointState,
            "joint_states",
            self._on_state,
            state_subscription(lockstep=self._lockstep),
            raw=True,
        )
        self.create_subscription(DiagnosticArray, "diagnostics", self._on_diagnostics, RELIABLE)
        self._arming = Arming(
            self,
            safety_filter=p.safety_filter,
            driver=p.driver if p.reset == "teleport" else "",
        )
        self._diagnostics = Diagnostics(self, self._report)
        ours, theirs = Pipe()
        with theirs:
            self._process = TrainingProcess(self._folder, graph=theirs.fileno())
        threading.Thread(target=self._serve, args=(ours,), name="episodes", daemon=True).start()
        self.create_timer(_POLL_S, self._supervise, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info(f"training over the graph into {self._folder}")

    def begin(self) -> ArmState:
        """Have the arm disarmed, placed and armed; wait for the operator after a stop."""
        self._wanted = True
        return self._next()

    def step(self, command: Float) -> ArmState:
        """Answer the present control tick, and wait for the next."""
        message = self._message.fill(self._stamp_ns, command.tolist())
        self._answer = (self._stamp_ns, message)
        self._publisher.publish(message)
        return self._next()

    def _next(self) -> ArmState:
        state = self._states.get()
        if isinstance(state, str):
            raise Interrupted(state)
        return state

    def _serve(self, pipe: Connection) -> None:
        with pipe:
            serve(pipe, self._run)

    def _run(self, job: Job[object]) -> object:
        """Run a job; one that was interrupted begins again, with nothing kept of it.

        Golden pairs are of what was seen last, which moves no arm once more.
        """
        if isinstance(job, PictureJob):
            return None
        if isinstance(job, ObserveJob):
            return self._env.seen(GOLDEN_PAIRS)
        while True:
            try:
                made = job.run(self._env)  # type: ignore[arg-type]  # jobs reset and step only
            except Interrupted as reason:
                if str(reason) == _CLOSED:
                    if isinstance(job, CollectJob):
                        return []  # which the learner needs to come to a checkpoint
                    threading.Event().wait()  # judged half is not judged: it stops without
                continue
            self._running = False
            return made

    def _on_state(self, data: bytes) -> None:
        mapper = self._mapper
        if not mapper.update_raw(data) or not mapper.complete:
            return
        stamp, self._heard_s = mapper.stamp_ns, time.monotonic()
        if not self._running:
            self._arming.state(stamp)
        elif self._answer is not None and self._answer[0] == stamp:
            if self._lockstep:
                self._publisher.publish(self._answer[1])  # the world repeats what it waits for
        elif stamp != self._stamp_ns and self._ticks.is_due(stamp):
            self._take(stamp)

    def _take(self, stamp: int) -> None:
        mapper, self._stamp_ns = self._mapper, stamp
        self._ticks.answered(stamp)
        position, velocity = np.array(mapper.position), np.array(mapper.velocity)
        effort = np.nan_to_num(np.array(mapper.effort))
        self._states.put(ArmState(position=position, velocity=velocity, effort=effort))

    def _on_armed(self) -> None:
        self._running, self._seen_armed, self._answer = True, False, None
        stamp = self._mapper.stamp_ns
        self._stamp_ns = -1
        if self._ticks.is_due(stamp):
            self._take(stamp)  # the world stands at this state

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(self._p.safety_filter):
                values = {v.key: v.value for v in status.values}
                self._filter_state = values.get("state", "")
                self._on_filter(values.get("reason", ""))

    def _on_filter(self, reason: str) -> None:
        state = self._filter_state
        if state == "armed":
            self._seen_armed, self._paused = True, False
        elif state == "latched" or (self._running and self._seen_armed):
            self._interrupt(reason)

    def _interrupt(self, reason: str) -> None:
        """Drop the episode under way; wait until the operator has armed again."""
        if not self._paused:
            self._paused = True
            self.get_logger().warning(
                f"paused, the episode under way is dropped: {reason}; go on by arming "
                f"{self._p.safety_filter}, after its clear service where it is latched"
            )
        if self._running:
            self._running = False
            self._interruptions += 1
            self._states.put(reason or "disarmed")

    def _supervise(self) -> None:
        """Begin an episode that is wanted; end with the learner, or when the graph is silent."""
        status = self._process.status()
        if status is not None:
            self.get_logger().info(f"the learner has ended; results are in {self._folder}")
            self.finish(0 if status == 0 else 1)
            return
        if self._paused:
            return
        self._arming.poll()
        if self._wanted and not self._arming.missing and self._mapper.complete:
            self._wanted = False
            self._arming.begin(self._on_armed)
        silent_s = time.monotonic() - max(self._heard_s, self._arming.heard_s)
        waiting = self._wanted or (self._running and not self._lockstep)
        if waiting and silent_s > self._p.patience_s:
            raise RunError(f"no joint_states or services for {silent_s:.0f} s: is the graph there?")

    def on_stop(self) -> None:
        """End the learner, which keeps a checkpoint and its best bundle."""
        self._states.put(_CLOSED)
        if not self._process.end():
            self.get_logger().error(f"the learner was killed; go on with resume:={self._folder}")

    def _report(self) -> Status:
        progress = self._process.progress()
        values = {
            "run": str(self._folder),
            "paused": self._paused,
            "interruptions": self._interruptions,
        }
        if progress is None:
            return Level.OK, "starting", values
        level = Level.WARN if self._paused else Level.OK
        return level, "waiting to be armed" if self._paused else describe(progress), values


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run_node(GraphTrainer, args)


if __name__ == "__main__":
    sys.exit(main())
