"""Evaluator node: gives targets to the deployed policy and judges what it comes to.

It judges by joint states, and by `object_pose` where the task has an object.

It arms the safety filter and resets the simulated arm between episodes. In lockstep it takes part
in the chain: the policy waits for the target of each control tick, so that the world stands still
whenever the evaluator has something else to do, and a run repeats to the last bit.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from sinew_core.bundle.reader import load_bundle
from sinew_core.errors import RunError
from sinew_core.graph_evaluation import (
    NOWHERE,
    OBJECT_LOST_NS,
    Episode,
    EpisodeJudge,
    EpisodeTicks,
    LinkMeter,
)
from sinew_core.graph_record import EvaluationRecord
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.tasks import make_task, task_parameters
from sinew_ros.arming import Arming, refused_latch
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.messages import JointStateMapper, command_stamp, commands_topic
from sinew_ros.parameters import declare_from
from sinew_ros.poses import PoseInput
from sinew_ros.qos import RELIABLE, controller_command, state_subscription
from sinew_ros.stamps import period_ns, set_stamp
from sinew_trainer.evaluator_parameters import EvaluatorParameters

_REPORTED_WITHIN_S = 1.5
"""Nodes report once a second: by then a recorder knows that the filter was not armed before."""


class Phase(Enum):
    """What the evaluator is doing."""

    CONNECTING = auto()
    PREPARING = auto()
    RUNNING = auto()
    ENDING = auto()


class Evaluator(SinewNode):
    """Runs the episodes one after another."""

    def __init__(self) -> None:
        """Read the bundle for robot, task and rates, and connect."""
        super().__init__("evaluator")
        self._p = p = declare_from(self, EvaluatorParameters)
        bundle = load_bundle(p.bundle)
        manifest, self._mode = bundle.manifest, bundle.specification.action.command_mode
        robot = load_robot(p.robot or manifest.robot, urdf=p.urdf)
        rates = Rates.from_mapping(manifest.rates, source=f"{p.bundle}: rates")
        name, given = task_parameters(manifest.task, f"{p.bundle}: task")
        task = make_task(name, robot, given, rates)
        self._task, self._tool_xyz = task, robot.chain.tool_xyz
        self._lockstep = p.pace == "lockstep"
        self.urgent = not self._lockstep
        self._state_period_ns = state_ns = period_ns(rates.state_rate_hz)
        control_ns = period_ns(rates.control_rate_hz)
        self._ticks = EpisodeTicks(control_ns, state_ns, lockstep=self._lockstep)
        self._rng = np.random.default_rng(p.seed)
        self._judge = EpisodeJudge(
            judge=task.judge,
            limits=robot.limits,
            tool_xyz=self._tool_xyz,
            max_control_steps=task.episode_ticks,
            task=task,
        )
        self._link = LinkMeter(self._state_period_ns)
        self._mapper = JointStateMapper([p.joint_prefix + name for name in robot.joint_names])
        self._record = EvaluationRecord()
        self._seen_armed = self._disarmed = self._reported_all = False
        self._recorded_s: float | None = None
        self._phase = Phase.CONNECTING
        self._heard_s = self._object_heard_s = time.monotonic()
        self._began_s = self._ended_s = self._heard_s
        self._object = PoseInput("object_pose", ("", robot.base_link), oriented=True)
        self._has_object = task.scene is not None
        self._drawn, self._due_ns = False, -1
        self._target = PoseStamped()
        self._target.header.frame_id = robot.base_link
        self._target.pose.orientation.w = 1.0
        self._connect()

    def _connect(self) -> None:
        p, lockstep = self._p, self._lockstep
        self._target_publisher = self.create_publisher(PoseStamped, "target_pose", RELIABLE)
        self._states = self.create_subscription(
            JointState,
            "joint_states",
            self._on_state,
            state_subscription(lockstep=lockstep),
            raw=True,
        )
        if self._has_object:
            self.create_subscription(PoseStamped, "object_pose", self._on_object, RELIABLE)
        if not lockstep:  # there latency says nothing, and one more listener would slow it down
            self.create_subscription(
                Float64MultiArray,
                commands_topic(self._mode, p.controller),
                self._on_output,
                controller_command(lockstep=lockstep),
            )
        self.create_subscription(DiagnosticArray, "diagnostics", self._on_diagnostics, RELIABLE)
        self._arming = Arming(
            self,
            safety_filter=p.safety_filter,
            driver=p.driver if p.reset == "teleport" else "",
            clear_latch=p.clear_latch,
        )
        self._diagnostics = Diagnostics(self, self._report)
        self.create_timer(0.1, self._supervise, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _supervise(self) -> None:
        """Begin when every partner is there; end with the reason when one is silent for long."""
        self._arming.poll()
        silent_s = time.monotonic() - max(self._heard_s, self._arming.heard_s)
        if self._phase is Phase.CONNECTING:
            self._connect_partners()
        elif self._has_object and time.monotonic() - self._object_heard_s > self._p.patience_s:
            raise RunError("silence of object_pose: has what publishes it ended?")
        elif silent_s > self._p.patience_s:
            waiting = "a joint state" if self._phase is Phase.RUNNING else self._arming.step
            raise RunError(
                f"silence for {silent_s:.0f} s while waiting for {waiting}: "
                "has the driver, the filter or the policy ended?"
            )

    def _connect_partners(self) -> None:
        """Begin once all are there; joint states that come meanwhile make the wait no longer.

        Raises:
            RunError: names what is not there.
        """
        missing, now_s = self._missing(), time.monotonic()
        waited_s = now_s - self._began_s
        if not missing:
            self._began_s = self._heard_s = self._object_heard_s = now_s
            self._begin_episode()
        elif waited_s > self._p.patience_s:
            raise RunError(
                f"no {missing[0]} after {waited_s:.0f} s: is its node running, and in namespace "
                f"{self.get_namespace()}?"
            )

    def _missing(self) -> list[str]:
        missing = self._arming.missing
        target, states = self._target_publisher.topic_name, self._states.topic_name
        listening = self._target_publisher.get_subscription_count()
        if not listening:
            missing.append(f"subscriber of {target}")
        elif self._p.recorded and not (listening > 1 and self._recorder_is_ready()):
            missing.append(f"recorder of {target} and {states}")
        needed = [states, "policy/command", *["object_pose"] * self._has_object]
        missing += [f"publisher of {t}" for t in needed if not self.count_publishers(t)]
        return missing

    def _begin_episode(self) -> None:
        """Draw a target and prepare the arm; with `none` it goes on from where it is."""
        self._drawn, self._due_ns = False, -1
        self._link.pause()
        self._ticks.begin()
        if self._p.reset == "none" and self._phase is Phase.RUNNING:
            self._draw_target()
            self._observe()
            return
        if not self._has_object:
            self._draw_target()
        self._phase = Phase.PREPARING
        self._seen_armed = False
        self._arming.begin(self._on_armed, self._on_placed)

    def _draw_target(self) -> None:
        """Draw a target, away from the object where there is one."""
        if self._has_object:
            drawn = self._task.target_apart(self._rng, np.array(self._object.position))
        else:
            drawn = self._task.sample_target(self._rng)
        target = drawn.tolist()
        position = self._target.pose.position
        position.x, position.y, position.z = target
        self._judge.begin(target)
        self._drawn = True

    def _on_placed(self) -> bool:
        """Draw the target as soon as it is known where the reset has put the object."""
        if not self._drawn and self._object.stamp_ns == self._mapper.stamp_ns:
            self._draw_target()
            if not self._lockstep:
                self._publish_target(self._mapper.stamp_ns)
        return self._drawn

    def _on_armed(self) -> None:
        self._phase = Phase.RUNNING
        if self._lockstep:
            self._observe()  # the world stands at this state: nothing else will start the episode

    def _on_state(self, data: bytes) -> None:
        received_s = time.monotonic()
        mapper = self._mapper
        before_ns = mapper.stamp_ns
        if not mapper.update_raw(data) or not mapper.complete:
            return
        stamp = mapper.stamp_ns
        if stamp != before_ns:
            self._heard_s = received_s  # a world that stands still repeats its state
        if self._phase is Phase.RUNNING and stamp != before_ns:
            self._link.state(stamp, received_s)
            self._observe()
        elif self._phase is Phase.RUNNING:
            self._link.repeated()
            if self._lockstep and self._ticks.is_due(stamp) and self._due_ns != stamp:
                self._publish_target(stamp)
        elif self._phase is Phase.PREPARING:
            if stamp - before_ns != self._state_period_ns:
                # After a reset the positions jump, which is no velocity where none is told.
                mapper.forget()
                mapper.update_raw(data)
            if self._drawn and not self._lockstep:
                self._publish_target(stamp)  # the policy must not chase the old target once armed
        self._arming.state(stamp)

    def _on_object(self, message: PoseStamped) -> None:
        problem = self._object.take(message)
        if problem is not None:
            raise RunError(problem)
        self._object_heard_s = time.monotonic()
        if self._phase is Phase.PREPARING:
            self._arming.state(self._mapper.stamp_ns)
        elif self._phase is Phase.RUNNING and self._due_ns == self._object.stamp_ns:
            self._judge_state(self._due_ns, tick=True)

    def _observe(self) -> None:
        """Judge the present state; in lockstep, once the object's pose of a control tick is there.

        In real time the driver sends it before the state, and the latest one will do.
        """
        stamp = self._mapper.stamp_ns
        tick = self._ticks.is_due(stamp)
        if tick and self._lockstep and self._has_object and self._object.stamp_ns != stamp:
            self._due_ns = stamp
            return
        self._judge_state(stamp, tick=tick)

    def _judge_state(self, stamp: int, *, tick: bool) -> None:
        """Take the present state; at control ticks give the target on, or end the episode."""
        mapper = self._mapper
        self._due_ns = -1
        lost = self._has_object and self._object.age_ns(stamp) > OBJECT_LOST_NS
        episode = self._judge.observe(
            stamp,
            mapper.position,
            mapper.velocity,
            control_tick=tick,
            effort=mapper.effort,
            object_m=NOWHERE if lost else self._object.position,
        )
        if episode is not None:
            self._end_episode(episode)
        elif tick:
            self._publish_target(stamp)

    def _publish_target(self, stamp: int) -> None:
        set_stamp(self._target.header.stamp, stamp)
        self._target_publisher.publish(self._target)

    def _end_episode(self, episode: Episode) -> None:
        self._record.episodes.append(episode)
        if len(self._record.episodes) < self._p.episodes:
            self._begin_episode()
            return
        self._phase = Phase.ENDING
        self._ended_s = time.monotonic()
        self._arming.disarm(self._on_disarmed)

    def _on_disarmed(self) -> None:
        self._disarmed = True
        self._write_when_complete()

    def _on_output(self, message: Float64MultiArray) -> None:
        stamp = command_stamp(message)
        if self._phase is Phase.RUNNING and stamp is not None:
            self._link.output(stamp, time.monotonic())

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {v.key: v.value for v in status.values}
            if status.name.endswith(self._p.safety_filter):
                self._on_filter(values)
            elif status.name.endswith("record"):
                # That it has subscribed says less: what is published first may pass it by.
                target = self._target_publisher.topic_name
                hears_states = values.get("joint_states", "0") != "0"
                hears = hears_states and target in values.get("connected", "").split()
                if hears and self._recorded_s is None:
                    self._recorded_s = time.monotonic()

    def _recorder_is_ready(self) -> bool:
        """Tell whether it hears states and targets, and has had a report of every node."""
        heard_s = self._recorded_s
        return heard_s is not None and time.monotonic() - heard_s > _REPORTED_WITHIN_S

    def _on_filter(self, values: Mapping[str, str]) -> None:
        """Take what the filter reports: its interventions, and whether it ended the episode."""
        self._record.count_interventions(
            sum(int(v) for k, v in values.items() if k.startswith("interventions: "))
        )
        state = values.get("state")
        if self._phase is Phase.ENDING and state == "disarmed":
            self._reported_all = True
            self._write_when_complete()
        # Reports of an episode before may come late. This one began at most one state before here.
        began_ns = self._arming.asked_stamp_ns - self._state_period_ns
        if int(values.get("armed_until_ns", "-1")) < began_ns:
            return
        if state == "armed":
            self._seen_armed = True
        elif self._phase is Phase.RUNNING and self._seen_armed and state != "braking":
            self._on_fault(values.get("reason", ""), latched=state == "latched")

    def _on_fault(self, reason: str, *, latched: bool) -> None:
        """Count an episode that the filter ended; it answers no more states until armed again."""
        self._record.faults[reason] += 1
        number = len(self._record.episodes) + 1
        self.get_logger().warning(f"episode {number} ended by a fault: {reason}")
        if latched and not self._p.clear_latch:
            raise RunError(f"{refused_latch(self._p.safety_filter)} ({reason})")
        self._phase = Phase.PREPARING
        self._end_episode(self._judge.abort())

    def _figures(self) -> dict[str, object]:
        latency = self._link.latency_ms() if not self._lockstep else {}
        return {
            **self._record.figures(),
            **latency,
            "messages_lost": self._link.lost,
            "pace": self._p.pace,
            "seed": self._p.seed,
            "wall_s": round(self._ended_s - self._began_s, 3),
        }

    def _write_when_complete(self) -> None:
        """Write once the filter is disarmed and has reported so, which counts the whole run.

        Its report and its answer come in either order.
        """
        if not (self._disarmed and self._reported_all):
            return
        if self._p.output:
            self._record.write(
                Path(self._p.output),
                self._figures(),
                traced=self._p.traced_episodes,
                tool_xyz=self._tool_xyz,
            )
        sys.stdout.write(self._record.sentence() + "\n")
        sys.stdout.flush()
        self.finish(0)

    def _report(self) -> Status:
        done = len(self._record.episodes)
        values = {
            "phase": self._phase.name.lower(),
            "episodes": f"{done} of {self._p.episodes}",
            "successes": self._record.successes,
            "faults": self._record.faults.total(),
            "messages_lost": self._link.lost,
        }
        return Level.OK, f"episode {done + 1}", values


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run_node(Evaluator, args)


if __name__ == "__main__":
    sys.exit(main())
