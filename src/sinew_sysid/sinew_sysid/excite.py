"""The excite node: plans a motion that shows an arm's parameters, and runs it through the filter.

Topics: subscribes `joint_states`, `diagnostics`, `<safety_filter>/configuration` and
`<safety_filter>/interventions`, publishes `policy/command` and `diagnostics`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from enum import Enum, auto

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from sinew_core.errors import RunError
from sinew_core.files import write_json
from sinew_core.robots.arrays import Array
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.sysid.excitation.agreement import differences
from sinew_core.sysid.excitation.feedforward import Follower
from sinew_core.sysid.excitation.homing import way_home
from sinew_core.sysid.excitation.parameters import ExcitationParameters
from sinew_core.sysid.excitation.planning import refusal
from sinew_core.sysid.excitation.reference import Reference
from sinew_core.sysid.excitation.rejoin import Rejoin
from sinew_core.sysid.excitation.tracking import Tracking
from sinew_ros.arming import Arming
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.messages import CommandMessage, JointStateMapper, point_values
from sinew_ros.parameters import Declarations
from sinew_ros.qos import LATCHED, RELIABLE, state_subscription
from sinew_ros.stamps import period_ns
from sinew_sysid.excite_parameters import ExciteParameters
from sinew_sysid.excite_plan import PlanThread
from sinew_sysid.send_clock import SendClock

_DISARM_WITHIN_S = 1.0


class Phase(Enum):
    """What the node is doing."""

    PLANNING = auto()
    CONNECTING = auto()
    ARMING = auto()
    HOMING = auto()
    EXCITING = auto()
    ENDING = auto()
    STOPPED = auto()


MOVING = (Phase.HOMING, Phase.EXCITING)


class Excite(SinewNode):
    """Plans, waits to be armed, goes home, runs the plan, and ends at home at rest."""

    def __init__(self) -> None:
        """Load the robot and begin to plan."""
        super().__init__("excite")
        declarations = Declarations(self)
        self._p = p = declarations.declare(ExciteParameters)
        excitation = declarations.declare(ExcitationParameters, prefix="excitation")
        safety = declarations.declare(SafetyParameters, prefix="safety")
        declarations.finish()
        self._lockstep = p.pace == "lockstep"
        # A missed position is a place to stop at, so these are sent between the filter's cycles.
        self._between = p.mode == "joint_position" and not self._lockstep
        self._rejoin: Rejoin | None = None
        self._robot = load_robot(p.robot, urdf=p.urdf)
        self._period_ns = period_ns(p.control_rate_hz)
        names = [p.joint_prefix + name for name in self._robot.joint_names]
        self._mapper = JointStateMapper(names)
        self._message = CommandMessage(
            names,
            p.mode,
            p.sender_id or self.get_fully_qualified_name(),
            p.control_period_s,
        )
        self._phase = Phase.PLANNING
        self._follower: Follower | None = None
        self._sample = 0.0
        self._due_ns = 0
        self._answer: tuple[int, JointTrajectory] | None = None
        self._tracking = Tracking(self._robot.joint_names)
        self._configuration = ""
        self._filter_state = self._filter_reason = ""
        self._seen_armed = False
        self._began_s = self._heard_s = time.monotonic()
        self._thread = PlanThread(self._robot, p, excitation, safety)
        self._open_topics()

    def _open_topics(self) -> None:
        p = self._p
        self._publisher = self.create_publisher(JointTrajectory, "policy/command", RELIABLE)
        self.create_subscription(
            JointState,
            "joint_states",
            self._on_state,
            state_subscription(lockstep=self._lockstep),
            raw=True,
        )
        self.create_subscription(DiagnosticArray, "diagnostics", self._on_diagnostics, RELIABLE)
        self.create_subscription(
            String, f"{p.safety_filter}/configuration", self._on_configuration, LATCHED
        )
        if self._between:
            self.create_subscription(
                JointTrajectory, f"{p.safety_filter}/interventions", self._on_changed, RELIABLE
            )
        self._send_clock = SendClock(self, p.control_period_s, self._tick)
        self._arming = Arming(self, safety_filter=p.safety_filter, clear_latch=p.arm)
        self._diagnostics = Diagnostics(self, self._report)
        self.create_timer(0.05, self._supervise, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _enter(self, phase: Phase) -> None:
        self._phase, self._began_s = phase, time.monotonic()
        self._diagnostics.changed()

    def _supervise(self) -> None:
        """Go on when what is waited for is there; end with the reason when it does not come."""
        self._arming.poll()
        waited_s = time.monotonic() - self._began_s
        silent_s = time.monotonic() - max(self._heard_s, self._arming.heard_s)
        if self._phase is Phase.PLANNING:
            if self._thread.poll():
                self._planned()
        elif self._phase is Phase.CONNECTING:
            missing = self._missing()
            if not missing:
                self._connected()
            elif waited_s > self._p.patience_s:
                raise RunError(f"no {missing[0]} after {waited_s:.0f} s: is its node running?")
        elif self._phase in MOVING and not self._lockstep:
            if silent_s > self._p.state_timeout_s:
                raise RunError(
                    f"no joint states for {silent_s:.2f} s: the safety filter brakes: check the "
                    "driver, then start again"
                )
        elif min(silent_s, waited_s) > self._p.patience_s and self._waits_for_answer:
            raise RunError(
                f"silence for {silent_s:.0f} s while waiting for {self._arming.step}: "
                "has the driver or the safety filter ended?"
            )

    @property
    def _waits_for_answer(self) -> bool:
        """Whether something other than a person is waited for."""
        return self._lockstep or self._p.arm or self._phase is Phase.ENDING

    def _planned(self) -> None:
        if self._p.plan_only:
            self.finish()
            return
        self._enter(Phase.CONNECTING)

    def _missing(self) -> list[str]:
        missing = self._arming.missing
        if self._publisher.get_subscription_count() == 0:
            missing.append("subscriber of policy/command")
        if not self._mapper.complete:
            missing.append(f"joint_states of {', '.join(self._mapper.missing)}")
        if not self._configuration:
            missing.append(f"{self._p.safety_filter}/configuration")
        if not self._filter_state:
            missing.append(f"diagnostics of {self._p.safety_filter}")
        return missing

    def _connected(self) -> None:
        """Refuse another filter than that of the plan; arm, or let an operator do it."""
        found = differences(self._configuration, self._thread.setting, self._robot)
        if found:
            raise RunError(
                f"{self._p.safety_filter} is not the filter that the plan was tried in: "
                f"{'; '.join(found)}: give both nodes the same parameters"
            )
        self._enter(Phase.ARMING)
        if self._p.arm:
            self._arming.begin(self._armed)
            return
        name = self._arm_service
        sys.stdout.write(
            "ready to move: arm the safety filter with\n"
            f"  ros2 service call {name} std_srvs/srv/SetBool '{{data: true}}'\n"
        )
        sys.stdout.flush()
        self._when_armed()

    @property
    def _arm_service(self) -> str:
        return str(self.resolve_service_name(f"{self._p.safety_filter}/arm"))

    def _when_armed(self) -> None:
        if self._phase is Phase.ARMING and not self._p.arm and self._filter_state == "armed":
            self._armed()

    def _armed(self) -> None:
        way = way_home(
            self._robot,
            self._mapper.position,
            speed_rad_s=self._p.home_speed_rad_s,
            rate_hz=self._p.control_rate_hz,
        )
        planner = self._thread.planner
        assert planner is not None
        trial = planner.trial(way)
        if not trial.passed:
            raise RunError(
                f"the straight way home is not free: {refusal(trial)}: bring the arm nearer to "
                "home by hand, then start again"
            )
        sys.stdout.write(f"going home in {way.duration_s:.1f} s\n")
        self._follow(way, planner.commands(way), Phase.HOMING)

    def _follow(self, reference: Reference, commands: Array, phase: Phase) -> None:
        """Begin a motion at the present state."""
        planner = self._thread.planner
        assert planner is not None
        if self._between and self._rejoin is None:
            self._rejoin = Rejoin(planner.whole_limits, self._p.control_period_s)
            self._send_clock.start()
        self._follower = Follower(
            self._p.mode,
            self._robot,
            reference,
            commands,
            model=planner.model,
            correction_per_s=self._p.correction_per_s,
            rejoin=self._rejoin,
        )
        self._sample = 0.0
        self._heard_s = time.monotonic()
        self._enter(phase)
        if self._lockstep:
            self._send(self._mapper.stamp_ns)  # the world stands still at this state

    def _on_state(self, data: bytes) -> None:
        mapper = self._mapper
        before_ns = mapper.stamp_ns
        if not mapper.update_raw(data) or not mapper.complete:
            return
        stamp = mapper.stamp_ns
        self._heard_s = time.monotonic()
        self._arming.state(stamp)
        if self._phase not in MOVING:
            return
        if stamp == before_ns:
            if self._lockstep and self._answer is not None and self._answer[0] == stamp:
                self._publisher.publish(self._answer[1])
        elif self._lockstep or (not self._between and stamp >= self._due_ns - self._period_ns // 2):
            self._send(stamp)

    def _tick(self) -> None:
        """Send a position in real time."""
        if self._phase in MOVING:
            last = self._answer[0] if self._answer is not None else 0
            self._send(max(self._mapper.stamp_ns, last + 1))

    def _on_changed(self, message: JointTrajectory) -> None:
        """Take what the filter has sent in place of a position."""
        if self._phase in MOVING and self._rejoin is not None:
            self._send_clock.reported()
            self._rejoin.changed(np.array(point_values(message, self._p.mode)[1]))

    def _send(self, stamp: int) -> None:
        """Send the command of the next sample; after the last go on to what comes next."""
        follower, mapper = self._follower, self._mapper
        assert follower is not None
        if self._sample >= follower.samples:
            self._arrived()
            return
        values = follower.command(self._sample, mapper.position, mapper.velocity)
        message = self._message.fill(stamp, values)
        self._publisher.publish(message)
        self._answer = (stamp, message)
        late = abs(stamp - self._due_ns) > self._period_ns
        self._due_ns = (stamp if late else self._due_ns) + self._period_ns
        self._require_following(follower)
        if self._phase is Phase.EXCITING:
            self._tracking.add(follower.error_rad)
        self._sample += follower.rate

    def _require_following(self, follower: Follower) -> None:
        """End a motion that the arm does not follow; without commands the filter brakes."""
        joint = int(abs(follower.error_rad).argmax())
        error = float(abs(follower.error_rad[joint]))
        if error > self._p.tracking_limit_rad:
            raise RunError(
                f"{self._robot.joint_names[joint]} is {error:.3f} rad off the motion, allowed is "
                f"tracking_limit_rad {self._p.tracking_limit_rad:g}: the safety filter brakes: "
                "lower excitation.limit_share, or tell friction and rotors by dynamics:=FILE.yaml"
            )

    def _arrived(self) -> None:
        plan = self._thread.plan
        assert plan is not None
        if self._phase is Phase.HOMING:
            self._follow(plan.reference, self._thread.commands, Phase.EXCITING)
            if not self._lockstep and not self._between:
                self._send(self._mapper.stamp_ns)
            return
        self._enter(Phase.ENDING)
        self._arming.disarm(self._when_reported)

    def _on_configuration(self, message: String) -> None:
        self._configuration = message.data

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(self._p.safety_filter):
                values = {v.key: v.value for v in status.values}
                self._on_filter(values.get("state", ""), values.get("reason", ""))
                self._tracking.report(values)
                self._when_reported()
                self._when_armed()

    def _on_filter(self, state: str, reason: str) -> None:
        """Take the filter's state; one that stops the motion ends the node."""
        self._filter_state, self._filter_reason = state, reason
        if self._phase not in MOVING:
            return
        if state == "armed":
            self._seen_armed = True  # a report from before that may come late
        elif self._seen_armed or state in ("braking", "latched"):
            remedy = "arm it and start again"
            if "stop" in reason:
                remedy = f"see why, call {self._p.safety_filter}/clear, and start again"
            elif state != "disarmed":
                remedy = (
                    f"see what the filter reports, call {self._p.safety_filter}/clear, and start "
                    "again, with a lower excitation.limit_share if the arm could not follow"
                )
            raise RunError(
                f"{self._p.safety_filter} is {state} after {int(self._sample)} samples of "
                f"{self._phase.name.lower()}: {reason or 'no reason given'}: {remedy}"
            )

    def _when_reported(self, _message: str = "") -> None:
        """Write and end once the filter is disarmed and has reported so."""
        if self._phase is not Phase.ENDING or self._filter_state == "armed":
            return
        plan, p = self._thread.plan, self._p
        assert plan is not None
        content = {
            "robot": self._robot.name,
            "mode": p.mode,
            "plan": p.plan or str(p.folder / "plan.yaml"),
            "duration_s": plan.reference.duration_s,
            **self._tracking.figures(),
        }
        write_json(p.folder / "excite.json", content)
        sys.stdout.write(self._tracking.sentence() + "\n")
        sys.stdout.flush()
        self.finish()

    def _report(self) -> Status:
        follower = self._follower
        total = follower.samples if follower is not None and self._phase in MOVING else 0
        values: dict[str, object] = {
            "robot": self._robot.name,
            "mode": self._p.mode,
            "phase": self._phase.name.lower(),
            "sample": f"{int(self._sample)} of {total}",
            "tracking_rms_rad": f"{float(self._tracking.rms_rad.max()):.6f}",
        }
        waits = self._phase is Phase.ARMING and not self._p.arm
        text = f"waiting to be armed by {self._arm_service}" if waits else str(values["phase"])
        return Level.WARN if waits else Level.OK, text, values

    def on_stop(self) -> None:
        """Let the filter brake: an interrupted motion is disarmed, not left to its watchdog."""
        self._thread.cancel()
        if self._phase not in MOVING:
            return
        self._phase = Phase.STOPPED  # that the filter brakes now is no surprise
        done: list[bool] = []
        then: Callable[[], None] = lambda: done.append(True)  # noqa: E731
        self._arming.disarm(then)
        deadline_s = time.monotonic() + _DISARM_WITHIN_S
        while not done and time.monotonic() < deadline_s:
            self.executor.spin_once(0.02)


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run_node(Excite, args)


if __name__ == "__main__":
    sys.exit(main())
