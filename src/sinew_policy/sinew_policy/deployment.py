"""The deployment node: checks an arm, runs a policy beside it, or lets it move slowly at first.

It judges, and arms; the safety filter commands. Nothing moves before every check has passed, and
the first one that fails later puts the arm on hold, from which only a call of `~/start` leads.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from enum import Enum

from geometry_msgs.msg import PoseStamped
from rclpy.clock import Clock, ClockType
from std_srvs.srv import Trigger

from sinew_core.bundle.reader import load_bundle
from sinew_core.deployment.authority import AuthorityRamp
from sinew_core.deployment.checks import Check, check_table, failures
from sinew_core.deployment.preflight import Expected, preflight
from sinew_core.deployment.summary import (
    check_output,
    measured_text,
    report_figures,
    write_report,
)
from sinew_core.deployment.targets import TargetRun
from sinew_core.deployment.watch import WatchLimits, first_problem
from sinew_core.parameters import Parameters
from sinew_core.robots.catalogue import load_robot
from sinew_policy.deployment_parameters import DeploymentParameters
from sinew_policy.filter_control import FilterControl
from sinew_policy.measurements import Measurements
from sinew_policy.observed_graph import ObservedGraph
from sinew_policy.recorded_arm import RecordedArm
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.parameters import Declarations
from sinew_ros.qos import RELIABLE
from sinew_ros.settable import Settable
from sinew_ros.stamps import set_stamp

_TURN_S = 0.05
_PLAY_S = 0.002
_DISARM_WITHIN_S = 3.0
_SEEN_ARMED_WITHIN_S = 2.0


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
        period_s = bundle.specification.rates.control_period_s
        self._expected = Expected(
            joint_prefix=p.joint_prefix,
            authority=p.authority,
            latency_ms=p.latency_ms or 500.0 * period_s,
            safety_filter=self.resolve_topic_name(p.safety_filter),
            policy=self.resolve_topic_name(p.policy),
            deployment=self.get_fully_qualified_name(),
            moves=p.mode != "shadow",
            recorded=bool(p.bag),
            gives_targets=p.targets > 0,
        )
        self._graph = ObservedGraph(self, self._expected, bundle, robot, p.unusual_std)
        self._graph.on_state = self._on_state
        self._control = FilterControl(self, p.safety_filter)
        self._measured = Measurements(self._graph, robot)
        self._ramp = AuthorityRamp(p.ramp_s)
        self._targets: TargetRun | None = None
        if p.targets:
            self._targets = TargetRun(
                bundle, robot, count=p.targets, seed=p.seed, authority=p.authority
            )
        self._checks: tuple[Check, ...] = ()
        self._passed_once = self._seen_armed = self._reported = False
        self._reason = ""
        self._status = 0
        self._phase, self._since_s = Phase.WAITING, time.monotonic()
        self._began_s = self._since_s
        self.settable = Settable(
            declarations.declared, check=_accept, apply=self._reset_authority, reasons={}
        )
        self._open()

    def _open(self) -> None:
        p = self._p
        self._arm: RecordedArm | None = None
        if p.bag:
            self._arm = RecordedArm(self, p.bag, p.bag_state_topic, gives_targets=p.targets > 0)
            self.cycle_period_s = _PLAY_S
        if self._targets is not None:
            self._pose = PoseStamped()
            self._pose.header.frame_id = self._robot.base_link
            self._pose.pose.orientation.w = 1.0
            self._poses = self.create_publisher(PoseStamped, "target_pose", RELIABLE)
        self.create_service(Trigger, "~/start", self._on_start)
        self.create_service(Trigger, "~/hold", self._on_hold)
        self._diagnostics = Diagnostics(self, self._report)
        self.create_timer(_TURN_S, self._turn, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def cycle(self, missed: int) -> None:
        """Play the bag."""
        if self._arm is not None and self._arm.ready:
            self._arm.play()

    def _turn(self) -> None:
        """Go on, in whatever phase."""
        self._control.poll()
        self._publish_target()
        turns = {
            Phase.WAITING: self._wait,
            Phase.MEASURING: self._measure,
            Phase.ARMING: lambda: None,
            Phase.RUNNING: self._run,
            Phase.HELD: self._wait_on_hold,
            Phase.ENDING: self._end,
        }
        turns[self._phase]()

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
        played = self._arm is not None and self._arm.ended
        if (self._spent_s() < self._p.window_s and not played) or not self._graph.asked:
            return
        self._checks = preflight(self._graph.facts(self._spent_s()), self._expected)
        failed = failures(self._checks)
        self._say(check_table(self._checks))
        if self._p.mode == "preflight":
            self._status = int(bool(failed))
            self._finish()
        elif self._p.mode == "shadow":
            self._begin_shadow(failed)
        elif not failed:
            self._enter(Phase.ARMING)
            self._begin_to_arm()
        elif self._passed_once:
            self._hold(failed[0].sentence())
        else:
            self._status = 1
            self._finish()

    def _begin_shadow(self, failed: tuple[Check, ...]) -> None:
        """Run on with failed checks, of which the report tells: nothing can move."""
        self._status = int(bool(failed))
        settings = self._graph.settings
        if settings is None or not settings.shadow:
            self._say("no shadow: the safety filter is not there, or is not in shadow\n")
            self._status = 1
            self._finish()
            return
        self._enter(Phase.ARMING)
        self._begin_to_arm()

    def _begin_to_arm(self) -> None:
        settings = self._graph.settings
        slowed = self._p.mode == "live" and settings is not None and settings.mode != "joint_effort"
        self._control.arm(self._on_armed, slowed=slowed)

    def _on_armed(self, problem: str) -> None:
        if self._phase is not Phase.ARMING:
            return  # on hold, or about to end
        if problem:
            self._hold(problem)
            return
        self._passed_once, self._seen_armed = True, False
        self._ramp.begin(time.monotonic(), self._p.authority)
        self._graph.novelty.restart()
        self._measured.begin()
        self._enter(Phase.RUNNING)

    def _run(self) -> None:
        """Watch, and raise the authority; in shadow only count what goes wrong."""
        now_s, graph = time.monotonic(), self._graph
        self._seen_armed |= graph.filter_state == "armed"
        expecting = not self._seen_armed and self._spent_s() < _SEEN_ARMED_WITHIN_S
        problem = first_problem(graph.vitals(armed=expecting), self._limits())
        self._measured.turn(problem)
        played = self._arm is not None and self._arm.ended
        grave = problem is not None and problem.what == "safety filter"
        if problem is not None and not played and (grave or self._p.mode == "live"):
            self._hold(problem.sentence())
            return
        if self._p.mode == "live":
            self._control.set_scale(self._ramp.value(now_s), self._hold)
        complete = self._targets is not None and self._targets.complete
        if played or complete or 0.0 < self._p.duration_s < self._spent_s():
            self._begin_to_end()

    def _on_state(self) -> None:
        if self._targets is not None and self._p.mode == "live" and self._phase is Phase.RUNNING:
            mapper = self._graph.mapper
            self._targets.observe(mapper.stamp_ns, mapper.position, mapper.velocity)

    def _limits(self) -> WatchLimits:
        settings = self._graph.settings
        assert settings is not None
        return WatchLimits(
            state_timeout_s=settings.state_timeout_s,
            state_rate_hz=settings.rates.state_rate_hz,
            latency_ms=self._expected.latency_ms,
            unusual_s=self._p.unusual_s,
            command_timeout_s=settings.command_timeout_s,
        )

    def _hold(self, reason: str) -> None:
        """Disarm, and wait for the operator."""
        self._control.disarm()
        if self._phase in (Phase.HELD, Phase.ENDING):
            return
        self._reason = reason
        self._measured.held(reason)
        if self._targets is not None:
            self._targets.abort()
        self._say(f"on hold: {reason}\ncall {self.get_fully_qualified_name()}/start to go on\n")
        self._enter(Phase.HELD)
        if self._p.mode == "shadow":
            self._status = 1
            self._begin_to_end()

    def _wait_on_hold(self) -> None:
        if 0.0 < self._p.hold_timeout_s < self._spent_s():
            self._status = 1
            self._begin_to_end()

    def _begin_to_end(self) -> None:
        self._control.disarm()
        self._enter(Phase.ENDING)

    def _end(self) -> None:
        moving = self._graph.filter_state in ("armed", "braking")
        if not moving or self._spent_s() > _DISARM_WITHIN_S:
            self._finish()

    def _finish(self) -> None:
        self._write_report()
        self.finish(self._status)

    def on_stop(self) -> None:
        """Disarm, and write what there is: after Ctrl-C, too."""
        if self._phase in (Phase.ARMING, Phase.RUNNING):
            self._begin_to_end()
            deadline = time.monotonic() + _DISARM_WITHIN_S
            while self._graph.filter_state in ("armed", "braking"):
                if time.monotonic() > deadline:
                    break
                self.executor.spin_once(_TURN_S)
        self._write_report()
        if self._arm is not None:
            self._arm.close()

    def _write_report(self) -> None:
        if self._reported:
            return
        self._reported = True
        p, bundle = self._p, self._bundle
        head = {
            "mode": p.mode,
            "robot": self._robot.name,
            "bundle": str(bundle.folder),
            "controller": self._graph.controller,
            "authority": p.authority,
            "bag": p.bag,
            "duration_s": round(time.monotonic() - self._began_s, 3),
        }
        measured = self._measured.figures()
        if self._targets is not None and p.mode == "live":
            measured["targets"] = self._targets.figures()
        figures = report_figures(head, self._checks, measured)
        self._say(measured_text(figures))
        write_report(p.output, figures, self._checks)

    def _publish_target(self) -> None:
        if self._targets is not None:
            set_stamp(self._pose.header.stamp, self.get_clock().now().nanoseconds)
            point = self._pose.pose.position
            point.x, point.y, point.z = self._targets.target
            self._poses.publish(self._pose)

    def _on_start(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._phase is Phase.HELD
        response.message = self._phase.value
        if response.success:
            self._reason = ""
            self._enter(Phase.WAITING)
            response.message = "checking"
        return response

    def _on_hold(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._hold("~/hold was called")
        response.success, response.message = True, self._phase.value
        return response

    def _reset_authority(self, changed: Mapping[str, Parameters]) -> None:
        parameters = changed[""]
        assert isinstance(parameters, DeploymentParameters)
        self._p = parameters
        if self._phase is Phase.RUNNING:
            self._ramp.aim(time.monotonic(), parameters.authority)

    def _report(self) -> Status:
        running = self._phase is Phase.RUNNING
        level = Level.ERROR if self._phase is Phase.HELD else Level.OK
        value = self._ramp.value(time.monotonic()) if running and self._p.mode == "live" else 0.0
        message = f"{self._phase.value}: {self._reason}" if self._reason else self._phase.value
        values = {"robot": self._robot.name, "mode": self._p.mode, "authority": value}
        return level, message, values

    @staticmethod
    def _say(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def _accept(_changed: Mapping[str, Parameters]) -> None:
    """Accept every authority in its range."""


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run_node(Deployment, args)


if __name__ == "__main__":
    sys.exit(main())
