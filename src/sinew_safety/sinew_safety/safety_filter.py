"""The safety filter node: the last software layer before the driver."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_msgs.msg import Empty
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from sinew_core.joint_mapper import JointReceipts
from sinew_core.robots.model import RobotModel
from sinew_core.safety.latch import LatchFile, latch_place
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.senders import Senders
from sinew_core.safety.supervisor import State, Supervisor
from sinew_core.safety.watchdogs import SupervisorParameters, check_watchdogs
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.messages import JointStateMapper, point_values
from sinew_ros.parameters import Declarations
from sinew_ros.qos import RELIABLE, incompatible_publishers, state_subscription
from sinew_ros.stamps import period_ns, stamp_ns
from sinew_safety.configuration import FilterConfiguration
from sinew_safety.outputs import Outputs
from sinew_safety.parameters import SafetyFilterParameters
from sinew_safety.settings import settings

# Longer than any arm of the catalogue needs from full speed to rest.
_LEAVE_WITHIN_S = 2.0


class SafetyFilter(SinewNode):
    """Message to supervisor to message."""

    def __init__(self) -> None:
        """Load limits, read the latch, open the topics."""
        super().__init__("safety_filter")
        declarations = Declarations(self)
        self._p = p = declarations.declare(SafetyFilterParameters)
        watchdog = declarations.declare(SupervisorParameters, prefix="watchdog")
        safety = declarations.declare(SafetyParameters, prefix="safety")
        declarations.finish()
        check_watchdogs(watchdog, p)
        configuration = FilterConfiguration(node=p, watchdog=watchdog, safety=safety)
        robot = configuration.load_robot()
        configuration.check_sim_params(robot)
        self._lockstep = configuration.lockstep
        # What one call waits for, the controller's answer or the disk, no other must wait for.
        self._alone = ReentrantCallbackGroup()
        self._latch = self._open_latch()
        self._outputs = Outputs(self, configuration, robot)
        self._supervisor = self._supervise(configuration, robot, watchdog)
        self._outputs.lost = self._lost
        self._scaling = self._outputs.mode.scaling
        self.settable = settings(declarations.declared, self._supervisor, self._scaling)
        self._mapper = JointStateMapper(configuration.prefixed(robot))
        self._receipts = JointReceipts(robot.n_joints)
        self._joint_names = robot.joint_names
        self._senders = Senders()
        self._reported = self._present()
        self._unanswered: list[Future] = []
        self._cycle_ns: list[int] = []
        self._sent_s = -math.inf
        self._stopped_ns = 0
        self._stop_reaction_ms: float | None = None
        self._open_topics()
        if not self._lockstep:
            self.cycle_period_s = p.filter_period_s / p.speed
            self.urgent = True

    def _open_latch(self) -> LatchFile:
        settled = self.create_guard_condition(self._report_change, callback_group=self._alone)
        return LatchFile(latch_place(self._p.robot, self.get_namespace()), settled.trigger)

    def _supervise(
        self, configuration: FilterConfiguration, robot: RobotModel, watchdog: SupervisorParameters
    ) -> Supervisor:
        return Supervisor(
            configuration.prefixed(robot),
            self._outputs.mode,
            watchdog,
            safety=configuration.assumed,
            period_ns=period_ns(self._p.filter_rate_hz),
            control_period_ns=period_ns(self._p.control_rate_hz),
            lockstep=self._lockstep,
            latched=self._latch.reason,
            set_latch=self._latch.set,
            shadow=self._p.shadow,
        )

    def _open_topics(self) -> None:
        self.create_subscription(
            JointState,
            "joint_states",
            self._state,
            state_subscription(lockstep=self._lockstep),
            raw=True,
        )
        self.create_subscription(JointTrajectory, "policy/command", self._command, RELIABLE)
        self.create_subscription(Empty, "~/guard", self._guard, RELIABLE)
        alone = self._alone
        self.create_service(SetBool, "~/arm", self._arm, callback_group=alone)
        self.prompt = (self.create_service(Trigger, "~/stop", self._stop, callback_group=alone),)
        self.create_service(Trigger, "~/clear", self._clear, callback_group=alone)
        self._diagnostics = Diagnostics(self, self._report)

    def cycle(self, missed: int) -> None:
        """Send one output (real time); the supervisor counts missed cycles by its own clock."""
        start_ns = time.monotonic_ns()
        self._send()
        self._cycle_ns.append(time.monotonic_ns() - start_ns)
        self._report_change()

    def _now_ns(self) -> int:
        """Return the steady clock in the driver's pace."""
        return round(time.monotonic_ns() * self._p.speed)

    def _state(self, data: bytes) -> None:
        mapper = self._mapper
        if not mapper.update_raw(data):
            return
        # A joint that is no longer reported, or repeats its stamp, holds the receipt back.
        heard_ns = self._receipts.take(self._now_ns(), mapper.updated_ns)
        if not mapper.complete:
            return
        again = self._supervisor.observe(
            heard_ns, min(mapper.updated_ns), mapper.position, mapper.velocity
        )
        if again:
            self._outputs.repeat()
        elif self._lockstep:
            self._answer()

    def _command(self, message: JointTrajectory, info: Mapping[str, int | None]) -> None:
        number = info.get("publication_sequence_number")
        self._supervisor.command(
            self._now_ns(),
            stamp_ns(message.header.stamp),
            self._senders.identify(message.header.frame_id, number),
            message.joint_names,
            point_values(message, self._p.mode),
        )
        if self._lockstep:
            self._answer()

    def _guard(self, _message: Empty) -> None:
        self._supervisor.guard.heard(self._now_ns())

    def _answer(self) -> None:
        self._send()
        self._report_change()

    def _send(self) -> None:
        supervisor = self._supervisor
        self._sent_s = time.monotonic()
        output = supervisor.cycle(self._now_ns())
        if output is not None:
            self._outputs.send(output, supervisor.answered_stamp_ns, supervisor.command_stamp_ns)
            if self._stopped_ns:
                self._stop_reaction_ms = (time.monotonic_ns() - self._stopped_ns) / 1e6
                self._stopped_ns = 0

    def _present(self) -> tuple[State, str, str]:
        """Return the state, its reason, and what is wrong with the latch."""
        return self._supervisor.state, self._supervisor.reason, self._latch.problem

    def _report_change(self) -> None:
        """Report a change, and answer who waits for it, once the latch is on disk."""
        if not self._latch.busy and (self._unanswered or self._present() != self._reported):
            self._diagnostics.changed()

    async def _arm(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data:
            number = self._supervisor.request()
            obstacles = [
                *await self._outputs.obstacles(),
                *incompatible_publishers(self, "policy/command", RELIABLE),
                *incompatible_publishers(
                    self, "joint_states", state_subscription(lockstep=self._lockstep)
                ),
            ]
            if not self._mapper.complete:
                missing = ", ".join(self._mapper.missing)
                obstacles.append(f"joint_states lack {missing}: check robot and prefix")
            if self._latch.problem:
                obstacles.append(self._latch.problem)
            refusal = self._supervisor.arm(self._now_ns(), obstacles, number)
            response.success, response.message = not refusal, refusal or "armed"
        else:
            self._supervisor.disarm()
            response.success = self._supervisor.state is not State.LATCHED
            response.message = self._supervisor.state.value
        self._take_effect()
        await self._disk()
        return response

    def _lost(self, reason: str) -> None:
        """Stop an arm that moves, or is about to be armed: its controller is not what it was."""
        if self._supervisor.state is State.ARMED:
            self._supervisor.stop(reason)
        else:
            self._supervisor.call_off()

    async def _stop(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        """Brake from the next cycle on, which comes within one period.

        One more output now would come before the last one's period is over, and so brake harder
        than the limits allow.
        """
        # A world that stands still, or an arm that does, has nothing to react with.
        if self._supervisor.state is State.ARMED and not self._lockstep:
            self._stopped_ns = time.monotonic_ns()
        self._supervisor.stop("~/stop was called")
        response.success, response.message = True, self._supervisor.state.value
        self._take_effect()
        return await self._once_on_disk(response)

    async def _clear(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        refusal = self._supervisor.clear(self._now_ns())
        if not refusal:
            self._latch.clear()
        response.success, response.message = not refusal, refusal or "cleared"
        self._take_effect()
        return await self._once_on_disk(response)

    def _take_effect(self) -> None:
        """Let what a service changed take effect at once in lockstep, and report it."""
        if self._lockstep:
            self._send()
        self._report_change()

    async def _disk(self) -> None:
        """Wait until what was changed would survive a restart, or cannot be made to."""
        if self._latch.busy:
            future = Future()
            self._unanswered.append(future)
            await future

    async def _once_on_disk(self, response: Trigger.Response) -> Trigger.Response:
        """Return the answer when the disk is done; where it fails, that is part of the answer."""
        await self._disk()
        if self._latch.problem:
            response.success = False
            response.message = f"{response.message}, but the {self._latch.problem}"
        return response

    def _report(self) -> Status:
        if not self._latch.busy:
            self._reported = self._present()
            for future in self._unanswered:
                future.set_result(None)
            self._unanswered.clear()
        state, reason, problem = self._reported
        text = f"{state.value}: {reason}" if reason else state.value
        values: dict[str, object] = {"state": state.value, "reason": reason}
        level = Level.ERROR if state in (State.BRAKING, State.LATCHED) else Level.OK
        if problem:
            level, text = Level.ERROR, f"{text}; {problem}"
            values["latch_problem"] = problem
        return level, text, values | self._figures()

    def _figures(self) -> dict[str, object]:
        supervisor, gate = self._supervisor, self._supervisor.gate
        values: dict[str, object] = {
            "armed_until_ns": supervisor.armed_until_ns,
            "armings": supervisor.armings,
            "robot": self._p.robot,
            "mode": self._p.mode,
            "speed_scale": self._scaling.value,
            "epochs": gate.epochs,
            **{f"rejected: {cause.value}": n for cause, n in gate.rejected.items()},
            **({"states_damaged": self._mapper.damaged} if self._mapper.damaged else {}),
            **supervisor.counters,
        }
        for joint, causes in zip(self._joint_names, supervisor.interventions, strict=True):
            for cause, cycles in causes.items():
                values[f"interventions: {joint} {cause.name.lower()}"] = cycles
        if astray := supervisor.astray:
            off = ", ".join(f"{name} {far_rad:.3f} rad" for name, far_rad in astray)
            values["no_hold"] = f"measured off what was sent: {off}"
        if self._outputs.refusal:
            values["outputs_refused"] = self._outputs.refusal
        if self._cycle_ns:
            values["cycle_mean_us"] = round(sum(self._cycle_ns) / len(self._cycle_ns) / 1e3, 1)
            values["cycle_max_us"] = round(max(self._cycle_ns) / 1e3, 1)
            self._cycle_ns.clear()
        if self._stop_reaction_ms is not None:
            values["stop_reaction_ms"] = round(self._stop_reaction_ms, 3)
        return values

    def on_stop(self) -> None:
        """Brake to rest before leaving (real time; a lockstep world stands still by itself).

        Each output, the first one too, has to be in force for one period, see `_stop`.
        """
        supervisor = self._supervisor
        supervisor.disarm()
        deadline = time.monotonic() + _LEAVE_WITHIN_S
        while supervisor.state is State.BRAKING and not self._lockstep:
            next_s = self._sent_s + (self.cycle_period_s or 0.0)
            while (left_s := next_s - time.monotonic()) > 0.0:
                self._listen(left_s)
            self._send()
            if supervisor.rests or time.monotonic() > deadline:
                break
        self._latch.close()
        if self._latch.problem:
            self.get_logger().error(self._latch.problem)

    def _listen(self, timeout_s: float) -> None:
        """Hear states, as some modes brake by them; whatever they do, the braking goes on."""
        try:
            self.executor.spin_once(timeout_s)
        except Exception as error:
            self.get_logger().error(f"while braking: {error!r}")
            time.sleep(timeout_s)


def main(args: Sequence[str] | None = None) -> int:
    """Run the safety filter."""
    return run_node(SafetyFilter, args)


if __name__ == "__main__":
    sys.exit(main())
