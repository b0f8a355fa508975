"""The deployment node: checks an arm, runs a policy beside it, or lets it move slowly at first.

It judges, and arms; the safety filter commands. Nothing moves before every check has passed, and
the first one that fails later puts the arm on hold, from which only a call of `~/start` leads.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Mapping
from enum import Enum

from rclpy.clock import Clock, ClockType
from std_srvs.srv import Trigger

from sinew_core.bundle.reader import load_bundle
from sinew_core.deployment.authority import AuthorityRamp
from sinew_core.deployment.checks import Check, failures, verdict
from sinew_core.deployment.partners import FilterSettings
from sinew_core.deployment.preflight import Expected, preflight
from sinew_core.deployment.summary import check_output
from sinew_core.deployment.targets import TargetRun
from sinew_core.deployment.watch import WatchLimits, first_problem
from sinew_core.errors import ConfigError
from sinew_core.frames import pose_frames
from sinew_core.parameters import Parameters
from sinew_core.robots.catalogue import load_robot
from sinew_policy.deployment_parameters import DeploymentParameters
from sinew_policy.filter_control import FilterControl
from sinew_policy.given_targets import GivenTargets
from sinew_policy.last_resort import LastResort
from sinew_policy.measurements import Measurements
from sinew_policy.observed_graph import ObservedGraph
from sinew_policy.recorded_arm import RecordedArm
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.parameters import Declarations
from sinew_ros.settable import Settable

_TURN_S = 0.05
_LATE_S = 0.2
"""A turn as late as that says more of this node than of the others."""
_PLAY_S = 0.002
_GUARD_S = 0.01
_ARMED_WITHIN_S = 10.0
_DISARMED_WITHIN_S = 3.0
_REPORTED_WITHIN_S = 2.0


class Phase(Enum):
    """What the deployment is doing."""

    WAITING = "waiting for its partners"
    MEASURING = "measuring"
    ARMING = "arming"
    RUNNING = "running"
    HELD = "on hold"
    ENDING = "ending"


class Deployment(SinewNode):
    """Checks, arms, watches, reports."""

    def __init__(self) -> None:
        """Read bundle and robot, and connect.

        Raises:
            SinewError: for bad parameters, bundle, robot, bag or folder of the report.
        """
        super().__init__("deployment")
        declarations = Declarations(self)
        self._p = p = declarations.declare(DeploymentParameters)
        declarations.finish()
        self._bundle = bundle = load_bundle(p.bundle)
        self._robot = robot = load_robot(p.robot or bundle.manifest.robot, urdf=p.urdf)
        check_output(p.output)
        self._expected = expected = self._expect()
        frames = pose_frames(robot.base_link, p.joint_prefix, p.target_frame)
        self._graph = ObservedGraph(self, expected, bundle, robot, frames, p.unusual_std)
        self._graph.on_state = self._on_state
        self._control = FilterControl(self, p.safety_filter)
        self._measured = Measurements(self._graph, robot)
        self._ramp = AuthorityRamp(p.ramp_s)
        self._targets: GivenTargets | None = None
        if p.targets:
            run = TargetRun(bundle, robot, count=p.targets, seed=p.seed, authority=p.authority)
            self._targets = GivenTargets(self, run, frames[-1])
        self._checks: tuple[Check, ...] = ()
        self._was_armed = self._seen_armed = False
        self._reason, self._status = "", 0
        self._phase, self._since_s = Phase.WAITING, time.monotonic()
        self._turned_s = self._since_s
        self.settable = Settable(
            declarations.declared, check=self._accept, apply=self._apply, reasons={}
        )
        self._open()

    def _expect(self) -> Expected:
        p = self._p
        period_s = self._bundle.specification.rates.control_period_s
        return Expected(
            joint_prefix=p.joint_prefix,
            authority=p.authority,
            latency_ms=p.latency_ms or 1000.0 * period_s,
            safety_filter=self.resolve_topic_name(p.safety_filter),
            policy=self.resolve_topic_name(p.policy),
            deployment=self.get_fully_qualified_name(),
            moves=p.mode != "shadow",
            recorded=bool(p.bag),
            gives_targets=p.targets > 0,
            live=p.mode == "live",
        )

    def _open(self) -> None:
        p, expected = self._p, self._expected
        self._arm: RecordedArm | None = None
        self._last_resort: LastResort | None = None
        self._silent_cycles = 0
        if p.bag:
            partners = (expected.safety_filter, expected.policy)
            self._arm = RecordedArm(
                self, p.bag, p.bag_state_topic, gives_targets=p.targets > 0, awaited=partners
            )
        if p.mode != "preflight":
            self.cycle_period_s = _PLAY_S if p.bag else _GUARD_S
        self.create_service(Trigger, "~/start", self._on_start)
        self.create_service(Trigger, "~/hold", self._on_hold)
        self._diagnostics = Diagnostics(self, self._report)
        self.create_timer(_TURN_S, self._turn, clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def _settings(self) -> FilterSettings:
        return self._graph.settings or FilterSettings()

    @property
    def _slows(self) -> bool:
        """Whether the arm's speed follows the authority: efforts have none to scale."""
        return self._p.mode == "live" and self._settings.mode != "joint_effort"

    @property
    def _played(self) -> bool:
        return self._arm is not None and self._arm.ended

    def cycle(self, missed: int) -> None:
        """Play the bag, or stand in for a filter that died."""
        if self._arm is not None:
            self._arm.play()
        if self._last_resort is not None:
            self._guard(self._last_resort, late=missed > 0)

    def _guard(self, last_resort: LastResort, *, late: bool) -> None:
        """Brake an arm whose filter sends nothing; silence after a late cycle may be our own."""
        silent = self._graph.output_silence_s > self._p.output_timeout_s
        if not silent:
            last_resort.rest()
        self._silent_cycles = self._silent_cycles + 1 if silent and not late else 0
        last = self._graph.last_output
        if last_resort.brakes or (self._silent_cycles >= 3 and last_resort.moves(last)):
            last_resort.brake(last)
            # Before it arms, it waits for a filter that may only just have been started again.
            if self._phase in (Phase.ARMING, Phase.RUNNING):
                self._hold("the safety filter has gone silent: the arm was braked without it")

    def _turn(self) -> None:
        """Go on, in whatever phase."""
        now_s = time.monotonic()
        late, self._turned_s = now_s - self._turned_s > _LATE_S, now_s
        self._control.poll()
        if self._targets is not None:
            self._targets.publish()
        if self._phase is Phase.WAITING:
            self._wait()
        elif self._phase is Phase.MEASURING:
            self._measure()
        elif self._phase is Phase.ARMING and self._spent_s() > _ARMED_WITHIN_S:
            self._hold(f"arming was not answered in {_ARMED_WITHIN_S:g} s")
        elif self._phase is Phase.RUNNING and not late:
            self._run()
        elif self._phase is Phase.HELD and 0.0 < self._p.hold_timeout_s < self._spent_s():
            self._begin_to_end(1)
        elif self._phase is Phase.ENDING:
            moving = self._graph.filter_state in ("armed", "braking")
            if not moving or self._spent_s() > _DISARMED_WITHIN_S:
                self.finish(self._status)

    def _enter(self, phase: Phase) -> None:
        self._phase, self._since_s = phase, time.monotonic()
        self._diagnostics.changed()

    def _spent_s(self) -> float:
        return time.monotonic() - self._since_s

    def _wait(self) -> None:
        if not self._graph.missing or self._spent_s() > self._p.patience_s:
            self._graph.restart()
            self._enter(Phase.MEASURING)

    def _measure(self) -> None:
        """Judge once everything was measured for long enough."""
        if (self._spent_s() < self._p.window_s and not self._played) or not self._graph.asked:
            return
        self._checks = preflight(self._graph.facts(self._spent_s()), self._expected)
        failed = failures(self._checks)
        _say(verdict(self._checks))
        mode, settings = self._p.mode, self._settings
        if mode == "live" and failed and self._was_armed:
            self._hold(failed[0].sentence())
        elif mode == "preflight" or (mode == "live" and failed):
            self._begin_to_end(int(bool(failed)))
        elif mode == "shadow" and not settings.shadow:
            _say("no shadow: the safety filter is not there, or its outputs reach the arm\n")
            self._begin_to_end(1)
        else:
            self._status = int(bool(failed))
            self._begin_to_arm(settings)

    def _begin_to_arm(self, settings: FilterSettings) -> None:
        live = self._p.mode == "live"
        if live and settings.adapter == "forward" and settings.sent_mode == "joint_velocity":
            self._last_resort = self._last_resort or LastResort(
                self,
                self._graph.controller_topic,
                deceleration_rad_s2=float(self._robot.limits.acceleration_rad_s2.min()),
                period_s=_GUARD_S,
            )
        self._enter(Phase.ARMING)
        self._control.arm(self._on_armed, slowed=self._slows)

    def _on_armed(self, problem: str) -> None:
        if self._phase is not Phase.ARMING:
            return  # on hold, or about to end
        if problem:
            self._hold(problem)
            return
        self._was_armed, self._seen_armed = True, False
        self._ramp.begin(time.monotonic(), self._p.authority, slowed=self._slows)
        self._graph.novelty.restart()
        self._measured.begin()
        self._enter(Phase.RUNNING)

    def _run(self) -> None:
        """Watch, and raise the authority; in shadow only count what goes wrong."""
        graph, live = self._graph, self._p.mode == "live"
        self._seen_armed |= graph.filter_state == "armed"
        unreported = not self._seen_armed and self._spent_s() < _REPORTED_WITHIN_S
        problem = first_problem(graph.vitals(armed=unreported), self._limits())
        self._measured.turn(problem)
        if problem is not None and (live or problem.what == "safety filter") and not self._played:
            self._hold(problem.sentence())
            return
        if self._slows:
            self._control.set_scale(self._ramp.value(time.monotonic()), self._hold)
        complete = self._targets is not None and self._targets.run.complete
        if self._played or complete or 0.0 < self._p.duration_s < self._spent_s():
            self._begin_to_end()

    def _on_state(self) -> None:
        if self._targets is not None and self._p.mode == "live" and self._phase is Phase.RUNNING:
            mapper = self._graph.mapper
            self._targets.run.observe(
                mapper.stamp_ns,
                mapper.position,
                mapper.velocity,
                slowed=not self._ramp.complete(time.monotonic()),
            )

    def _limits(self) -> WatchLimits:
        settings = self._settings
        return WatchLimits(
            state_timeout_s=settings.state_timeout_s,
            state_rate_hz=settings.rates.state_rate_hz,
            latency_ms=self._expected.latency_ms,
            unusual_s=self._p.unusual_s,
            command_timeout_s=settings.command_timeout_s,
            output_timeout_s=self._p.output_timeout_s,
        )

    def _hold(self, reason: str) -> None:
        """Disarm, and wait for the operator; a shadow has nobody to wait for."""
        if self._phase in (Phase.HELD, Phase.ENDING):
            return
        self._control.disarm()
        self._reason = reason
        self._measured.held(reason)
        if self._targets is not None:
            self._targets.run.abort()
        _say(f"on hold: {reason}\n")
        self._enter(Phase.HELD)
        if self._p.mode == "shadow":
            self._begin_to_end(1)
        else:
            _say(f"call {self.get_fully_qualified_name()}/start to check and go on\n")

    def _begin_to_end(self, status: int | None = None) -> None:
        self._control.disarm()
        self._status = self._status if status is None else status
        self._enter(Phase.ENDING)

    def on_stop(self) -> None:
        """Disarm, and write what there is: after Ctrl-C, too."""
        if self._phase in (Phase.ARMING, Phase.RUNNING):
            self._begin_to_end()
        deadline = time.monotonic() + _DISARMED_WITHIN_S
        while self._graph.filter_state in ("armed", "braking") and self.executor is not None:
            # The filter is asked to end, too, and then brakes by itself.
            gone = self._graph.output_silence_s > self._p.output_timeout_s
            if gone or time.monotonic() > deadline:
                break
            self.executor.spin_once(_TURN_S)
        _say(self._measured.report(self._p, str(self._bundle.folder), self._checks, self._targets))
        if self._measured.problem:
            self.get_logger().error(self._measured.problem)
            self.exit_code = 1
        if self._arm is not None:
            self._arm.close()

    def _on_start(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._phase is Phase.HELD
        if response.success:
            self._reason = ""
            self._graph.forget()
            self._enter(Phase.WAITING)
        response.message = self._phase.value
        return response

    def _on_hold(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        before = self._p.mode == "live" and self._phase in (Phase.WAITING, Phase.MEASURING)
        response.success = before or self._phase in (Phase.ARMING, Phase.RUNNING)
        if response.success:
            self._hold("~/hold was called")
        response.message = self._phase.value
        return response

    def _accept(self, changed: Mapping[str, Parameters]) -> None:
        """Refuse an authority that cannot take effect.

        Raises:
            ConfigError: for efforts.
        """
        parameters = changed[""]
        assert isinstance(parameters, DeploymentParameters)
        if self._p.mode == "live" and not self._slows and parameters.authority != 1.0:
            raise ConfigError(
                f"authority is {parameters.authority:g}: effort commands have no speed to scale: "
                "leave it at 1"
            )

    def _apply(self, changed: Mapping[str, Parameters]) -> None:
        """Go on to another authority."""
        parameters = changed[""]
        assert isinstance(parameters, DeploymentParameters)
        self._p = parameters
        self._expected = dataclasses.replace(self._expected, authority=parameters.authority)
        if self._targets is not None:
            self._targets.run.authority = parameters.authority
        if self._phase is Phase.RUNNING:
            self._ramp.aim(time.monotonic(), parameters.authority)

    def _report(self) -> Status:
        level = Level.ERROR if self._phase is Phase.HELD else Level.OK
        moves = self._phase is Phase.RUNNING and self._p.mode == "live"
        authority = self._ramp.value(time.monotonic()) if moves else 0.0
        message = f"{self._phase.value}: {self._reason}" if self._reason else self._phase.value
        values = {"robot": self._robot.name, "mode": self._p.mode, "authority": authority}
        return level, message, values


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run_node(Deployment, args)


if __name__ == "__main__":
    sys.exit(main())
