"""A driver, the safety filter and a source of commands at 200 Hz, ready for a fault."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from benchmarks.faults.observer import FaultError, NotReadyError, Observer, Output
from benchmarks.faults.processes import (
    Process,
    Starter,
    end_all,
    parameter_arguments,
    start_module,
)
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.gate import Rejection
from sinew_ros.messages import CommandMessage
from sinew_ros.qos import RELIABLE

RATES = Rates(physics_rate_hz=1000, state_rate_hz=200, filter_rate_hz=200, control_rate_hz=25)
ROBOT = load_robot("panda")
# Turning about the base, forearm and hand axes keeps the arm off the floor and itself; at this
# speed every one of them is 10 s away from its limit.
VELOCITY_RAD_S = (0.2, 0.0, 0.0, 0.0, 0.2, 0.0, -0.2)
SPEED_RAD_S = 0.2
REST_RAD_S = 0.02
STEADY_OUTPUTS = 20
_domains = itertools.count()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watchdogs:
    """How patient filter and driver are."""

    command_timeout_s: float
    state_timeout_s: float
    missed_cycles: int
    driver_watchdog_s: float
    max_latency_periods: int = 0

    def filter_parameters(self) -> dict[str, object]:
        """Return the parameters of the filter."""
        # The driver looks at its watchdog once a state period.
        held = self.driver_watchdog_s * RATES.filter_rate_hz + 1.0
        return {
            "watchdog.command_timeout_s": self.command_timeout_s,
            "watchdog.state_timeout_s": self.state_timeout_s,
            "watchdog.missed_cycles": self.missed_cycles,
            "safety.max_latency_periods": self.max_latency_periods,
            "safety.dead_time_periods": min(held, 100.0),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setup:
    """What runs.

    Attributes:
        source: whether a process sends the commands; otherwise the observer does.
        relay: parameters of a relay between driver and filter; None for none.
        lockstep: pace of all.
    """

    source: bool = True
    relay: Mapping[str, object] | None = None
    lockstep: bool = False


class Rig:
    """The processes, and what the observer sees of them; a context manager that ends them."""

    def __init__(
        self,
        setup: Setup,
        watchdogs: Watchdogs,
        folder: Path,
        start_process: Starter = start_module,
    ) -> None:
        """Prepare; `folder` takes logs and the latch of the filter."""
        self._start_process = start_process
        self.watchdogs = watchdogs
        self.setup = setup
        self.driving = not setup.source
        self.processes: list[Process] = []
        self._folder = folder
        # Another domain for each: a killed process stays visible in its own for a while. Domains
        # above 101 collide with ephemeral ports.
        self._domain_id = 1 + (os.getpid() + 37 * next(_domains)) % 100
        self._since_answer = 0
        self._sent_ns = 0

    def __enter__(self) -> Rig:
        """Start everything, and wait until all of it talks."""
        try:
            self._start_all()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """End everything; a process that does not end well is an error."""
        problems = self._end()
        if problems and kind is None:
            raise FaultError("; ".join(problems))

    def _start_all(self) -> None:
        setup = self.setup
        self.driver = self.start("sinew_sim.sim_driver", *self._driver_arguments())
        self.start_filter()
        if setup.relay is not None:
            self.relay = self.start("benchmarks.faults.relay", *parameter_arguments(setup.relay))
        if setup.source:
            given = {"velocity_rad_s": list(VELOCITY_RAD_S), "lockstep": setup.lockstep}
            arguments = parameter_arguments({**dataclasses.asdict(RATES), **given})
            self.source = self.start("benchmarks.faults.source", *arguments)
        topic = "joint_states" if setup.relay is None else "driver/joint_states"
        self.observer = observer = Observer(self._domain_id, topic)
        observer.check = self._check
        observer.on_state = self._answer
        self.command = CommandMessage(
            ROBOT.joint_names, "joint_velocity", "observer", RATES.control_period_s
        )
        self.commands = observer.node.create_publisher(JointTrajectory, "policy/command", RELIABLE)
        self._arm = observer.client(SetBool, "safety_filter/arm")
        self._stop = observer.client(Trigger, "safety_filter/stop")
        observer.until(self.commands.get_subscription_count, "the filter's subscription")
        observer.until(lambda: observer.states and self.report, "states and diagnostics")

    def _driver_arguments(self) -> list[str]:
        remappings = {"joint_states": "driver/joint_states"} if self.setup.relay else {}
        parameters = {
            **dataclasses.asdict(RATES),
            "engine": "mujoco",
            "pace": self.pace,
            "driver_watchdog_s": self.watchdogs.driver_watchdog_s,
        }
        return parameter_arguments(parameters, remappings)

    @property
    def pace(self) -> str:
        """The pace of driver and filter."""
        return "lockstep" if self.setup.lockstep else "realtime"

    def start(self, module: str, *arguments: str) -> Process:
        """Start a process that ends with the rig."""
        start = self._start_process
        process = Process(module, arguments, self._folder, self._domain_id, start)
        self.processes.append(process)
        return process

    def start_filter(self) -> None:
        """Start the safety filter, for the first time or again."""
        parameters = {
            **dataclasses.asdict(RATES),
            **({} if self.setup.lockstep else self.watchdogs.filter_parameters()),
            "pace": self.pace,
        }
        self.filter = self.start("sinew_safety.safety_filter", *parameter_arguments(parameters))

    @property
    def report(self) -> Mapping[str, str]:
        """The filter's last diagnostics; empty before the first."""
        return self.observer.reports.get("safety_filter", {})

    @property
    def state(self) -> str:
        """The filter's state as it last reported it."""
        return self.report.get("state", "")

    def wait_for_state(self, *states: str) -> None:
        """Wait until the filter reports one of these."""
        self.observer.until(lambda: self.state in states, f"filter {' or '.join(states)}")

    def wait_for_report(self) -> None:
        """Wait for diagnostics of the filter that are newer than this call."""
        now_s = time.monotonic()
        reported_s = self.observer.reported_s
        self.observer.until(lambda: reported_s["safety_filter"] > now_s, "a report of the filter")

    def rejections(self) -> Counter[Rejection]:
        """Return how many commands the filter reports as rejected, by cause."""
        return Counter({r: int(self.report.get(f"rejected: {r.value}", 0)) for r in Rejection})

    def wait_for_rejections(self, expected: Counter[Rejection]) -> None:
        """Wait until the filter reports exactly these numbers for these causes."""
        self.observer.until(
            lambda: all(self.rejections()[cause] == n for cause, n in expected.items()),
            f"counters {dict(expected)}",
        )

    def arm(self, on: bool = True) -> tuple[bool, str]:
        """Call the service."""
        return self.observer.call(self._arm, SetBool.Request(data=on))

    def stop(self) -> float:
        """Call the emergency stop; return the steady clock right before."""
        now_s = time.monotonic()
        self.observer.call(self._stop, Trigger.Request())
        return now_s

    def move(self) -> None:
        """Arm, and wait until the arm moves steadily."""
        refusal = ""

        def armed() -> bool:
            nonlocal refusal
            done, refusal = self.arm()
            return done

        try:
            self.observer.until(armed, "arming")
        except FaultError as error:
            raise FaultError(f"arming was refused: {refusal}") from error
        self.observer.until(self._steady, "steady motion")

    def _steady(self) -> bool:
        last = self.observer.outputs[-STEADY_OUTPUTS:]
        if self.state in ("braking", "latched"):
            raise NotReadyError(f"{self.state} before the fault: {self.report['reason']}")
        measured = self.observer.states[-1].velocity_rad_s
        moving = math.isclose(measured[0], VELOCITY_RAD_S[0], rel_tol=0.03)
        return moving and all(o.velocity_rad_s == VELOCITY_RAD_S for o in last)

    def further_outputs(self) -> None:
        """Wait for some more outputs."""
        outputs = self.observer.outputs
        count = len(outputs) + STEADY_OUTPUTS
        self.observer.until(lambda: len(outputs) >= count, "further outputs")

    def outputs_after(self, since_s: float) -> list[Output]:
        """Return the outputs received later than this."""
        return [o for o in self.observer.outputs if o.received_s > since_s]

    def changed_outputs(self, since_s: float) -> int:
        """Return how many outputs since then are not the steady motion."""
        return sum(o.velocity_rad_s != VELOCITY_RAD_S for o in self.outputs_after(since_s))

    def braked_s(self, since_s: float) -> float:
        """Return the steady clock of the first output since then that is slower."""
        slower = [
            o.received_s
            for o in self.outputs_after(since_s)
            if max(map(abs, o.velocity_rad_s)) < SPEED_RAD_S
        ]
        if not slower:
            raise FaultError("no output was slower")
        return slower[0]

    def send_in_sequence(
        self,
        messages: Sequence[JointTrajectory],
        valid: Callable[[int], JointTrajectory] | None = None,
    ) -> None:
        """Send messages, then a valid command, and wait until that one is in force.

        Then the filter has taken them all: fewer than its queue holds come in the order sent.
        `valid` makes the command that answers the state of a stamp; by default the steady one.
        """
        assert len(messages) < RELIABLE.depth
        outputs = self.observer.outputs
        # Newer than the last one sent, which need not be in force yet.
        last = max(outputs[-1].command_stamp_ns, self._sent_ns)
        self.observer.until(lambda: outputs[-1].state_stamp_ns > last, "a newer state")
        for message in messages:
            self.commands.publish(message)
        stamp = self._sent_ns = outputs[-1].state_stamp_ns
        self.commands.publish((valid or self._steady_command)(stamp))
        self.observer.until(lambda: outputs[-1].command_stamp_ns == stamp, "the valid command")

    def at_rest(self) -> bool:
        """Say whether the last measured velocities are those of rest."""
        return max(map(abs, self.observer.states[-1].velocity_rad_s)) < REST_RAD_S

    def inside_limits(self) -> bool:
        """Say whether every position of the whole run was inside the robot's limits."""
        limits = ROBOT.limits
        lower, upper = limits.position_lower_rad.tolist(), limits.position_upper_rad.tolist()
        return all(
            low <= q <= high
            for state in self.observer.states
            for low, q, high in zip(lower, state.position_rad, upper, strict=True)
        )

    def _answer(self) -> None:
        """Send the steady command at the control rate, where no process does.

        States may come later than the outputs that answer them: no command may seem older than the
        last one.
        """
        self._since_answer += 1
        stamp = self.observer.states[-1].stamp_ns
        due = self._since_answer >= RATES.state_rate_hz // RATES.control_rate_hz
        if self.driving and due and stamp > self._sent_ns:
            self._since_answer, self._sent_ns = 0, stamp
            self.commands.publish(self._steady_command(stamp))

    def _steady_command(self, stamp_ns: int) -> JointTrajectory:
        return self.command.fill(stamp_ns, VELOCITY_RAD_S)

    def _check(self) -> None:
        for process in self.processes:
            if process.supervised and not process.running():
                raise FaultError(f"{process.module} ended:\n{process.output}")

    def _end(self) -> list[str]:
        try:
            if hasattr(self, "observer"):
                self.observer.close()
        finally:
            problems = end_all(self.processes)
        return problems
