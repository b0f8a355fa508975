"""Evaluator node: gives targets to the deployed policy and judges it from joint states alone.

It arms the safety filter and resets the simulated arm between episodes. In lockstep it takes part
in the chain: the policy waits for the target of each control tick, so that the world stands still
whenever the evaluator has something else to do, and a run repeats to the last bit.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger

from sinew_core.bundle.reader import load_bundle
from sinew_core.errors import RunError
from sinew_core.files import write_json
from sinew_core.graph_evaluation import Episode, EpisodeJudge, LinkMeter, summarise, write_traces
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.tasks.reach import ReachParameters, ReachTask
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.messages import JointStateMapper, command_stamp
from sinew_ros.parameters import declare_from
from sinew_ros.qos import RELIABLE, controller_command, state_subscription
from sinew_ros.stamps import NS_PER_S, is_control_tick, period_ns, to_stamp
from sinew_trainer.evaluator_parameters import EvaluatorParameters


class Phase(Enum):
    """What the evaluator waits for."""

    CONNECTING = auto()
    RESETTING = auto()
    FRESH_STATE = auto()
    ARMING = auto()
    RUNNING = auto()
    DONE = auto()


class Evaluator(SinewNode):
    """Runs the episodes one after another."""

    def __init__(self) -> None:
        """Read the bundle for robot, task and rates, and connect."""
        super().__init__("evaluator")
        self._p = p = declare_from(self, EvaluatorParameters)
        manifest = load_bundle(p.bundle).manifest
        robot = load_robot(p.robot or manifest.robot, urdf=p.urdf)
        rates = Rates.from_mapping(manifest.rates, source=f"{p.bundle}: rates")
        given = {k: v for k, v in manifest.task.items() if k != "name"}
        task = ReachTask(robot, ReachParameters.from_mapping(given, f"{p.bundle}: task"), rates)
        self._task, self._base_link = task, robot.base_link
        self._lockstep = p.pace == "lockstep"
        self._control_period_ns = period_ns(rates.control_rate_hz)
        self._state_period_ns = period_ns(rates.state_rate_hz)
        self._rng = np.random.default_rng(p.seed)
        self._judge = EpisodeJudge(
            judge=task.judge,
            limits=robot.limits,
            tool_position=robot.chain.tool_position,
            max_control_steps=task.episode_ticks,
        )
        self._link = LinkMeter(self._state_period_ns)
        self._mapper = JointStateMapper(robot.joint_names)
        self._episodes: list[Episode] = []
        self._interventions: int | None = None
        self._faults = 0
        self._phase = Phase.CONNECTING
        self._heard_s = time.monotonic()
        self._refusal = ""
        self._retry_disarm = False
        self._reset_after_ns = -1
        self._next_tick_ns = 0
        self._target = PoseStamped()
        self._connect()

    def _connect(self) -> None:
        p, lockstep = self._p, self._lockstep
        self._target.header.frame_id = self._base_link
        self._target.pose.orientation.w = 1.0
        self._target_publisher = self.create_publisher(PoseStamped, "target_pose", RELIABLE)
        self.create_subscription(
            JointState, "joint_states", self._on_state, state_subscription(lockstep=lockstep)
        )
        self.create_subscription(
            Float64MultiArray,
            f"{p.controller}/commands",
            self._on_output,
            controller_command(lockstep=lockstep),
        )
        self.create_subscription(DiagnosticArray, "diagnostics", self._on_diagnostics, RELIABLE)
        self._arm = self.create_client(SetBool, f"{p.safety_filter}/arm")
        self._clear = self.create_client(Trigger, f"{p.safety_filter}/clear")
        self._reset = self.create_client(Trigger, f"{p.driver}/reset")
        self._diagnostics = Diagnostics(self, self._report)
        self.create_timer(0.1, self._supervise, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _supervise(self) -> None:
        """Begin when every partner is there; end with the reason when one is silent for long."""
        if self._refusal:
            raise RunError(self._refusal)
        if self._retry_disarm:
            self._retry_disarm = False
            self._disarm()
        silent_s = time.monotonic() - self._heard_s
        if self._phase is Phase.CONNECTING:
            missing = self._missing()
            if not missing:
                self._begin_episode()
            elif silent_s > self._p.patience_s:
                raise RunError(f"no {missing[0]} after {silent_s:.0f} s: is its node running?")
        elif self._phase is not Phase.DONE and silent_s > self._p.patience_s:
            raise RunError(
                f"silence for {silent_s:.0f} s while {self._phase.name.lower().replace('_', ' ')}: "
                "has the driver, the filter or the policy ended?"
            )

    def _missing(self) -> list[str]:
        clients = [self._arm, self._reset] if self._p.reset == "teleport" else [self._arm]
        missing = [f"service {c.srv_name}" for c in clients if not c.service_is_ready()]
        if self._target_publisher.get_subscription_count() == 0:
            missing.append("subscriber of target_pose")
        missing += [t for t in ("joint_states", "policy/command") if not self.count_publishers(t)]
        return missing

    def _begin_episode(self) -> None:
        """Disarm, reset, wait for the new start, arm; `none` only arms, once."""
        target = self._task.sample_target(self._rng)
        position = self._target.pose.position
        position.x, position.y, position.z = (float(v) for v in target)
        self._judge.begin(target)
        self._link.pause()
        self._next_tick_ns = 0
        if self._p.reset == "teleport":
            self._phase = Phase.RESETTING
            self._disarm()
        elif self._phase is Phase.CONNECTING:
            self._phase = Phase.FRESH_STATE
        else:
            self._phase = Phase.RUNNING

    def _disarm(self) -> None:
        self._call(self._arm, SetBool.Request(data=False), self._on_disarmed)

    def _on_disarmed(self, state: str) -> None:
        if state == "braking":
            self._retry_disarm = True  # teleporting an arm that still moves would be a fault
            return
        if state == "latched" and self._p.clear_latch:
            self._call(self._clear, Trigger.Request(), lambda _: self._disarm())
            return
        self._reset_after_ns = self._mapper.stamp_ns
        self._call(self._reset, Trigger.Request(), self._on_reset)

    def _on_reset(self, _message: str) -> None:
        self._phase = Phase.FRESH_STATE
        if self._mapper.stamp_ns > self._reset_after_ns:
            self._on_fresh_state()

    def _on_fresh_state(self) -> None:
        self._phase = Phase.ARMING
        self._call(self._arm, SetBool.Request(data=True), self._on_armed)

    def _on_armed(self, _message: str) -> None:
        self._phase = Phase.RUNNING
        if self._lockstep:
            self._observe()  # the world stands at this state: nothing else will start the episode

    def _call(self, client: Client, request: object, then: Callable[[str], None]) -> None:
        def answered(future: Future) -> None:
            response = future.result()
            self._heard_s = time.monotonic()
            if response.success or response.message == "latched":
                then(response.message)
            else:
                # rclpy swallows what a done-callback raises, so the timer raises it.
                self._refusal = f"{client.srv_name} refused: {response.message}"

        client.call_async(request).add_done_callback(answered)

    def _on_state(self, message: JointState) -> None:
        received_s = time.monotonic()
        repeated = self._mapper.stamp_ns
        if not self._mapper.update(message) or not self._mapper.complete:
            return
        self._heard_s = received_s
        stamp = self._mapper.stamp_ns
        if stamp == repeated:
            if self._phase is Phase.RUNNING:
                self._link.repeated()
                if self._lockstep and self._is_tick(stamp):
                    self._publish_target(stamp)
            return
        if self._phase is Phase.RUNNING:
            self._link.state(stamp, received_s)
            self._observe()
            return
        if not self._lockstep:
            self._publish_target(stamp)  # the policy must not chase the old target once armed
        if self._phase is Phase.FRESH_STATE and stamp > self._reset_after_ns:
            self._on_fresh_state()

    def _observe(self) -> None:
        """Judge the present state; at control ticks give the target on, or end the episode."""
        m = self._mapper
        tick = self._is_tick(m.stamp_ns)
        episode = self._judge.observe(
            m.stamp_ns / NS_PER_S, np.array(m.position), np.array(m.velocity), control_tick=tick
        )
        if episode is not None:
            self._end_episode(episode)
        elif tick:
            self._publish_target(m.stamp_ns)

    def _is_tick(self, stamp: int) -> bool:
        if self._lockstep:
            return is_control_tick(stamp, self._control_period_ns)
        if stamp < self._next_tick_ns - self._state_period_ns // 2:
            return False
        self._next_tick_ns = max(self._next_tick_ns, stamp) + self._control_period_ns
        return True

    def _publish_target(self, stamp: int) -> None:
        self._target.header.stamp = to_stamp(stamp)
        self._target_publisher.publish(self._target)

    def _on_fault(self) -> None:
        """Count an episode that the filter ended; it answers no more states until cleared."""
        self._faults += 1
        if not self._p.clear_latch:
            raise RunError(
                f"{self._p.safety_filter} is latched: call its clear service, "
                "or set clear_latch where the arm is simulated"
            )
        self._end_episode(self._judge.abort())

    def _end_episode(self, episode: Episode) -> None:
        self._episodes.append(episode)
        if len(self._episodes) < self._p.episodes:
            self._begin_episode()
            if self._phase is Phase.RUNNING:
                self._observe()
            return
        self._phase = Phase.DONE
        self._call(self._arm, SetBool.Request(data=False), self._write)

    def _on_output(self, message: Float64MultiArray) -> None:
        stamp = command_stamp(message)
        if self._phase is Phase.RUNNING and stamp is not None:
            self._link.output(stamp, time.monotonic())

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(self._p.safety_filter):
                values = {v.key: v.value for v in status.values}
                self._interventions = sum(
                    int(v) for k, v in values.items() if k.startswith("interventions: ")
                )
                if self._phase is Phase.RUNNING and values.get("state") == "latched":
                    self._on_fault()

    def _figures(self) -> dict[str, object]:
        latency = self._link.latency_ms() if not self._lockstep else {}
        return {
            **summarise(self._episodes),
            "interventions": self._interventions,
            "faults": self._faults,
            **latency,
            "messages_lost": self._link.lost,
            "pace": self._p.pace,
            "seed": self._p.seed,
        }

    def _write(self, _message: str) -> None:
        figures = self._figures()
        if self._p.output:
            path = Path(self._p.output)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_traces(path.with_suffix(".npz"), self._episodes[: self._p.traced_episodes])
            write_json(path, figures)
        sys.stdout.write(
            f"{figures['successes']} of {figures['episodes']} episodes succeeded, "
            f"{figures['limit_violations']} limit violations\n"
        )
        sys.stdout.flush()
        self.finish(0)

    def _report(self) -> Status:
        done = len(self._episodes)
        values = {
            "phase": self._phase.name.lower(),
            "episodes": f"{done} of {self._p.episodes}",
            "successes": sum(e.success for e in self._episodes),
            "messages_lost": self._link.lost,
        }
        return Level.OK, f"episode {done + 1}", values


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run_node(Evaluator, args)


if __name__ == "__main__":
    sys.exit(main())
