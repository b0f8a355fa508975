"""The state machine of the safety filter: arming, watchdogs, braking and the latch.

Free of ROS, and every clock is an argument: `now_ns` is a steady clock, stamps are those of
messages. In real time `cycle` runs once per filter period. In lockstep it is called after every
joint state and every command, and returns None until the state at hand can be answered.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Sequence

from sinew_core.rates import is_tick
from sinew_core.safety.filter import Cause, FilterFault
from sinew_core.safety.gate import CommandGate, Rejection
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.supervised_mode import SupervisedMode
from sinew_core.safety.watchdogs import FrozenPositions, Guard, SupervisorParameters
from sinew_core.safety.whereabouts import Sight

_NS = 1_000_000_000
_LOCKSTEP_FUTURE_NS = 10 * _NS
_NEVER = -(1 << 63)


class State(enum.Enum):
    """What the supervisor is doing."""

    DISARMED = "disarmed"
    ARMED = "armed"
    BRAKING = "braking"
    LATCHED = "latched"


class Supervisor:
    """Decide in every cycle what goes to the driver.

    Attributes:
        state: see `State`.
        reason: why the arm brakes or is latched, else why it last stopped.
        interventions: per joint, cycles by `Cause`.
        gate: checks and counts the commands.
        guard: who has to watch the arm.
        counters: missed cycles, states repeated, and so on.
        answered_stamp_ns: stamp of the joint state that the last output answers.
        command_stamp_ns: stamp of the command in force, 0 where none has come since arming.
        armings: how often it was armed since the start, whatever the stamps do meanwhile.
        left_armed_ns: stamp of the newest joint state when it last ceased to be armed; what is
            measured later may be the work of its brakes.
    """

    def __init__(
        self,
        joint_names: Sequence[str],
        mode: SupervisedMode,
        parameters: SupervisorParameters,
        *,
        safety: SafetyParameters,
        period_ns: int,
        control_period_ns: int,
        lockstep: bool,
        latched: str | None,
        set_latch: Callable[[str], None],
        shadow: bool = False,
    ) -> None:
        """Start disarmed, or latched where `latched` gives the reason of an earlier stop.

        `safety` is what the filter of `mode` assumes. `set_latch(reason)` is called when braking
        begins that ends latched; it must not block. In `shadow` the outputs reach no arm: one that
        does not follow them is no fault, and the filter starts anew where the arm is measured.
        """
        self.state = State.LATCHED if latched else State.DISARMED
        self.reason = latched or ""
        self.interventions: list[Counter[Cause]] = [Counter() for _ in joint_names]
        self.counters: Counter[str] = Counter(cycles_missed=0)
        self.gate = CommandGate(
            joint_names,
            # In lockstep a command may overtake its state, and waits for it.
            future_ns=_LOCKSTEP_FUTURE_NS if lockstep else round(parameters.future_s * _NS),
            old_ns=round(parameters.command_timeout_s * _NS),
            jump_ns=round(parameters.epoch_jump_s * _NS),
        )
        self.answered_stamp_ns = self.command_stamp_ns = self.stamp_ns = self.left_armed_ns = 0
        self.armings = self._requests = 0
        self.guard = Guard(0.0 if lockstep else parameters.guard_timeout_s)
        self._joint_names, self._mode, self._shadow = tuple(joint_names), mode, shadow
        self._period_ns, self._control_ns, self._lockstep = period_ns, control_period_ns, lockstep
        self._command_ns = round(parameters.command_timeout_s * _NS)
        self._state_ns = round(parameters.state_timeout_s * _NS)
        self._missed_cycles = parameters.missed_cycles
        self._rest_speed = parameters.rest_speed_rad_s
        self._frozen = FrozenPositions(parameters, safety, period_ns)
        self._position, self._velocity = list[float](), list[float]()
        self._received_ns = self._cycled_ns = self._commanded_ns = 0
        self._fresh = self._started = self._has_command = False
        self._desired: Sequence[float] | None = None
        self._set_latch, self._latch_after, self._disarmed_stamp = set_latch, False, _NEVER

    def observe(
        self, now_ns: int, stamp_ns: int, position: Sequence[float], velocity: Sequence[float]
    ) -> bool:
        """Take a joint state: (n,) rad, rad/s; return whether it repeats the one answered last."""
        if stamp_ns == self.stamp_ns and self._position:
            self.counters["states_repeated"] += 1
            return self._lockstep and stamp_ns == self.answered_stamp_ns
        elapsed_ns = stamp_ns - self.stamp_ns
        self.gate.observe_state(stamp_ns)
        self.stamp_ns, self._received_ns, self._fresh = stamp_ns, now_ns, True
        if list(position) != self._position:
            self._frozen.changed()
        self._position[:], self._velocity[:] = position, velocity
        if not self._lockstep or abs(elapsed_ns - self._period_ns) <= 1:
            return False
        self._disarmed_stamp = _NEVER
        if self.state in (State.ARMED, State.BRAKING) and self._started:
            self._fault(f"simulated time went on by {elapsed_ns} ns instead of one filter period")
            self.left_armed_ns = min(self.left_armed_ns, stamp_ns - elapsed_ns)
            self._mode.forget()
            self._mode.start(self._position, self._velocity)
        return False

    def command(
        self,
        now_ns: int,
        stamp_ns: int,
        source: str,
        names: Sequence[str],
        points: Sequence[Sequence[float]],
    ) -> Rejection | None:
        """Take a command; return why it was rejected, None if it is in force now."""
        again = self._lockstep and self._has_command and stamp_ns == self.command_stamp_ns
        if again and source == self.gate.source:
            return None  # the answer to a state that was published again
        checked = self.gate.check(now_ns, stamp_ns, source, names, points)
        if isinstance(checked, Rejection):
            if self.gate.foreign >= 2 and self.state is State.ARMED:
                self.counters["second_sources"] += 1
                self._brake("a second source sends commands", latch=False)
            return checked
        self._desired, self.command_stamp_ns, self._commanded_ns = checked, stamp_ns, now_ns
        self._has_command = True
        return None

    def request(self) -> int:
        """Return the number of a new request to arm; stops and later requests call it off."""
        self.call_off()
        return self._requests

    def call_off(self) -> None:
        """Let no request that was made before arm any more."""
        self._requests += 1

    def arm(self, now_ns: int, obstacles: Sequence[str] = (), request: int = 0) -> str:
        """Arm; return '' or why not. The observer starts from the first joint state after this.

        `request` is the number of one that was made before obstacles were looked for, else 0.
        """
        problems = list(obstacles)
        if self.state is not State.DISARMED:
            problems.append(f"the filter is {self.state.value} ({self.reason or 'already armed'})")
        problems.extend([*self._stale(now_ns), *self.guard.problems(now_ns)])
        sources = self.gate.active_sources(now_ns)
        if len(sources) > 1:
            problems.append(f"{len(sources)} sources send commands: {', '.join(sources)}")
        # A lockstep world may be armed in motion, which goes on; a shadow moves nothing.
        if not (self._lockstep or self._shadow):
            problems.extend([*self._moving(), *self._dead()])
        if problems:
            return "; ".join(problems)
        if request and request != self._requests:
            return "a stop, a loss or another call came while the controller was asked"
        self.state, self.reason = State.ARMED, ""
        self.armings += 1
        self.gate.forget_source()
        self._started = self._latch_after = False
        self._frozen.forget()
        if not self._lockstep:
            # A newer state, and a command given to an armed arm, must come first. In lockstep both
            # may have come already, and nothing else will before the state at hand is answered.
            self._fresh = self._has_command = False
            self._desired, self.command_stamp_ns = None, 0
        return ""

    def set_command_timeout(self, timeout_s: float) -> None:
        """Let commands live this long from now on; `check_watchdogs` has accepted it."""
        self._command_ns = self.gate.old_ns = round(timeout_s * _NS)

    def disarm(self) -> None:
        """Brake and disarm; in lockstep at once, because the simulated world stands still."""
        self.call_off()
        if self.state is not State.ARMED:
            return
        if self._lockstep:
            self.state, self.reason = State.DISARMED, "disarmed"
            self.left_armed_ns = self.stamp_ns
            if self._started:
                self._disarmed_stamp = self.stamp_ns
        else:
            self._brake("disarmed", latch=False)

    def stop(self, reason: str) -> None:
        """Brake and latch (the emergency stop)."""
        self.call_off()
        if self.state is State.LATCHED:
            return
        if self.state is State.DISARMED:
            self.state, self.reason = State.LATCHED, reason
            self._set_latch(reason)
        else:
            self._brake(reason, latch=True)

    def clear(self, now_ns: int) -> str:
        """Leave the latched state; return '' or why not."""
        if self.state is not State.LATCHED:
            return "" if self.state is State.DISARMED else f"the filter is {self.state.value}"
        problems = self._stale(now_ns)
        problems = problems or self._moving()
        if problems:
            return "; ".join(problems)
        self.state, self.reason = State.DISARMED, "cleared"
        return ""

    @property
    def armed_until_ns(self) -> int:
        """Stamp of the newest joint state that was seen while armed."""
        return self.stamp_ns if self.state is State.ARMED else self.left_armed_ns

    @property
    def astray(self) -> list[tuple[str, float]]:
        """The joints, by name, that are so many rad off what is held that nothing is published."""
        return [(self._joint_names[joint], far) for joint, far in self._mode.astray()]

    @property
    def rests(self) -> bool:
        """Whether the last output asks for no motion."""
        return self._mode.rests

    def cycle(self, now_ns: int) -> tuple[float, ...] | None:
        """Return what to publish (n,), in the unit of the mode.

        None in lockstep while the world is to stand still, and where no hold is known.
        """
        if self._lockstep:
            return self._answer()
        self._account_missed(now_ns)
        if self.state is State.ARMED:
            self._watch(now_ns)
        if self.state in (State.ARMED, State.BRAKING):
            output = self._move()
            self._fresh = False
            self._finish_braking(fresh=not self._stale(now_ns))
        else:
            output = self._hold(self._sight())
        self.answered_stamp_ns = self.stamp_ns
        self._cycled_ns = now_ns
        return output

    def _answer(self) -> tuple[float, ...] | None:
        if self.state not in (State.ARMED, State.BRAKING) or not self._fresh:
            return None
        commanded = self._has_command and self.command_stamp_ns == self.stamp_ns
        if self.state is State.ARMED and not commanded and is_tick(self.stamp_ns, self._control_ns):
            return None
        output = self._move()
        self._fresh = False
        self.answered_stamp_ns = self.stamp_ns
        self._finish_braking(fresh=True)
        return output

    def _move(self) -> tuple[float, ...] | None:
        """Run the filter for one period."""
        if not self._started:
            sight = self._sight()
            if not sight.sure:
                return self._hold(sight)
            self._start()
        measured = self._position if self._fresh else None
        if self.state is State.ARMED:
            result = self._mode.step(self._desired, measured, self._velocity)
        else:
            result = self._mode.brake(measured, self._velocity)
        if result.intervened:
            for counts, cause in zip(self.interventions, result.causes, strict=True):
                if cause is not Cause.NONE:
                    counts[cause] += 1
        if result.fault in (
            FilterFault.OBSERVER_EMPTY,
            FilterFault.NOT_FINITE,
            FilterFault.BOUNDS_CONFLICT,
        ):
            self._fault_of_following(f"filter fault {result.fault.name.lower()}")
        self._frozen.travel(self._travel_rad())
        return result.command

    def _travel_rad(self) -> float:
        """Return the largest travel of a joint in this period; what is measured at rest is none."""
        rest = self._rest_speed
        moving = [v if abs(v) > rest else 0.0 for v in self._velocity]
        return self._mode.travel_rad(moving, self._period_ns / _NS)

    def _hold(self, sight: Sight) -> tuple[float, ...] | None:
        self._fresh = False
        return self._mode.hold(self._position if sight.away else None, self._velocity)

    def _sight(self) -> Sight:
        """Return what a state that is new says of an arm that is held; call it once for each."""
        if self._fresh and not (self._lockstep or self._shadow):
            return self._mode.sight(self._received_ns, self._position)
        # A simulated world is placed at will, and a shadow holds no arm.
        return Sight(sure=self._fresh, away=self._fresh)

    def _start(self) -> None:
        """Start the filter from rest at the state at hand."""
        self._started = True
        if self._lockstep:
            if 0 <= self.stamp_ns - self._disarmed_stamp <= self._period_ns:
                return  # the world stood still since `disarm`: the motion goes on
            # More than one period passed: the simulated arm was reset.
            self._mode.forget()
            if self.command_stamp_ns != self.stamp_ns:
                self._desired = None
        self._mode.start(self._position, self._velocity)

    def _watch(self, now_ns: int) -> None:
        """Brake when a watchdog runs out."""
        problems = [*self._stale(now_ns), *self.guard.problems(now_ns)]
        if problems:
            self._fault(problems[0])
        elif self._fresh and self._frozen.found:
            self._fault_of_following("joint positions are frozen while motion is commanded")
        elif self._has_command and now_ns - self._commanded_ns > self._command_ns:
            age_s = (now_ns - self._commanded_ns) / _NS
            self._fault(f"command is stale: {age_s:.3f} s old")

    def _account_missed(self, now_ns: int) -> None:
        missed = (now_ns - self._cycled_ns + self._period_ns // 2) // self._period_ns - 1
        if missed <= 0 or not self._cycled_ns:
            return
        self.counters["cycles_missed"] += missed
        if self.state not in (State.ARMED, State.BRAKING):
            return
        if missed >= self._missed_cycles and self.state is State.ARMED:
            self._fault(f"{missed} cycles were missed")
        if self._started:
            self._mode.skip(missed)

    def _stale(self, now_ns: int) -> list[str]:
        if not self._position:
            return ["no complete joint state was received"]
        age_ns = now_ns - self._received_ns
        if self._lockstep or age_ns <= self._state_ns:
            return []
        return [f"joint states are stale: {age_ns / _NS:.3f} s old"]

    def _at_rest(self) -> bool:
        return all(abs(v) <= self._rest_speed for v in self._velocity)

    def _moving(self) -> list[str]:
        if self._at_rest():
            return []
        return [f"the arm moves at {max(map(abs, self._velocity)):.3f} rad/s"]

    def _dead(self) -> list[str]:
        """Return which joints are measured, all the time, where they are not held."""
        return [
            f"{self._joint_names[joint]} is measured {distance_rad:.3f} rad off what it was sent, "
            "and has not changed since: see whether joint_states are alive; if they are, start the "
            "filter again, which then holds the arm where it is"
            for joint, distance_rad in self._mode.unchanged()
        ]

    def _fault_of_following(self, reason: str) -> None:
        """Brake for an arm that is not where it was sent; in shadow it cannot be."""
        if not self._shadow:
            self._fault(reason)
            return
        self.counters["shadow_restarts"] += 1
        self._started = False
        self._frozen.forget()

    def _fault(self, reason: str) -> None:
        self.counters["faults"] += self.state is State.ARMED
        self._brake(reason, latch=True)

    def _brake(self, reason: str, *, latch: bool) -> None:
        self.call_off()
        if latch and not self._latch_after:
            self._latch_after = True
            self.reason = reason
            self._set_latch(reason)
        if self.state is State.ARMED:
            self.state, self.reason = State.BRAKING, reason
            self.left_armed_ns = self.stamp_ns

    def _finish_braking(self, *, fresh: bool) -> None:
        """End braking when the command rests and fresh measurements say that the arm does."""
        if self.state is State.BRAKING and fresh and self._mode.rests and self._at_rest():
            self.state = State.LATCHED if self._latch_after else State.DISARMED
            self._latch_after = False
