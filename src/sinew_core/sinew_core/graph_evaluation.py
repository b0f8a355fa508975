"""Judge a deployed system by its joint states and its object, episode by episode, without ROS."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinew_core.episode_score import Tick, jerk_of, total_reward
from sinew_core.rates import is_tick
from sinew_core.robots.limits import JointLimits
from sinew_core.tasks.judge import HoldJudge
from sinew_core.tasks.task import Task

FloatArray = NDArray[np.float64]

# A simulated drive may pass a commanded limit by its solver's error; a violation is more than that.
POSITION_SLACK_RAD = 1e-6
VELOCITY_SLACK = 1e-3

OBJECT_LOST_NS = 200_000_000
"""Time off a joint state from which a pose says nothing of where the object is."""
NOWHERE = (math.inf, math.inf, math.inf)
"""Where an object is that was lost."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One finished episode; the arrays have a row for each joint state.

    time_s: (n_states,) since its first state.
    position_rad, velocity_rad_s: (n_states, n_joints).
    limit_violations: states outside a limit.
    total_reward: None where the task was not given, or where its reward depends on what is not
        known.
    jerk_rad_s3: RMS of the joints' jerk, see `smoothness`; None for fewer than three ticks.
    object_m: (n_states, 3) where the object was at the latest control tick; None without one.
    """

    success: bool
    control_steps: int
    target_m: FloatArray
    time_s: FloatArray
    position_rad: FloatArray
    velocity_rad_s: FloatArray
    limit_violations: int
    total_reward: float | None = None
    jerk_rad_s3: float | None = None
    object_m: FloatArray | None = None


class EpisodeTicks:
    """Tells which joint states of an episode are control ticks.

    In lockstep these are the multiples of the control period. Else the first state is one, and then
    the first within half a state's period of each control period since, or after it. A clock that
    is set back, by more than the control period by which a state may come late, goes on counting.
    """

    def __init__(self, control_period_ns: int, state_period_ns: int, *, lockstep: bool) -> None:
        """Take the periods in ns."""
        self._control_ns, self._half_ns = control_period_ns, state_period_ns // 2
        self._lockstep = lockstep
        self.begin()

    def begin(self) -> None:
        """Begin an episode."""
        self._first_ns: int | None = None
        self._last_ns = self._periods = 0

    def is_due(self, stamp_ns: int) -> bool:
        """Tell whether the state of this stamp is a tick; ask once for each state."""
        if self._lockstep:
            return is_tick(stamp_ns, self._control_ns)
        last_ns, self._last_ns = self._last_ns, stamp_ns
        if self._first_ns is None:
            self._first_ns = stamp_ns
            return True
        if stamp_ns < last_ns - self._control_ns:
            self._first_ns = stamp_ns - self._periods * self._control_ns
        periods = (stamp_ns - self._first_ns + self._half_ns) // self._control_ns
        if periods <= self._periods:
            return False
        self._periods = periods
        return True


class EpisodeJudge:
    """Follows the joint states of an episode and says when it has ended.

    It is told of every joint state while the graph waits, so it only keeps them, and computes the
    rest in plain floats at control ticks and in whole arrays at the end.
    """

    def __init__(
        self,
        *,
        judge: HoldJudge,
        limits: JointLimits,
        tool_xyz: Callable[[Sequence[float]], tuple[float, float, float]],
        max_control_steps: int,
        task: Task | None = None,
    ) -> None:
        """Prepare for one task and robot.

        Args:
            judge: of success.
            limits: of n_joints joints.
            tool_xyz: forward kinematics, (n_joints,) rad to (x, y, z) m in the base frame.
            max_control_steps: the episode is truncated after so many control periods.
            task: whose reward is summed up; None: episodes have no `total_reward`.
        """
        self._task = task
        self._judge = judge
        self._limits = limits
        self._tool_xyz = tool_xyz
        self._max_control_steps = max_control_steps
        self.begin((0.0, 0.0, 0.0))

    def begin(self, target_m: Sequence[float]) -> None:
        """Start an episode towards `target_m` (3,) in the base frame."""
        x, y, z = target_m
        self._target = (float(x), float(y), float(z))
        self._stamps_ns: list[int] = []
        self._positions: list[tuple[float, ...]] = []
        self._velocities: list[tuple[float, ...]] = []
        self._efforts: list[tuple[float, ...]] = []
        self._ticks: list[tuple[int, Sequence[float], Sequence[float]]] = []
        self._objects: list[tuple[float, ...]] = []
        self._object: tuple[float, ...] = ()
        self._control_steps = -1
        self._judge.reset()

    @property
    def control_steps(self) -> int:
        """Control periods that the present episode has had."""
        return max(0, self._control_steps)

    def observe(
        self,
        stamp_ns: int,
        position: Sequence[float],
        velocity: Sequence[float],
        *,
        control_tick: bool,
        object_m: Sequence[float] = (),
        effort: Sequence[float] = (),
        action: Sequence[float] = (),
    ) -> Episode | None:
        """Take one joint state (n_joints,); return the episode when this state ends it.

        The first control tick is the state that the first decision is made on. Success is judged
        at control ticks only, exactly as the environment does: by where the object is, (3,) m in
        the base frame, where there is one, else by where the tool is. Efforts (n_joints,) and, at
        control ticks, the action in force until then count for the return only; empty where they
        are not known.
        """
        if control_tick:
            self._object = tuple(object_m)
        if self._object:
            self._objects.append(self._object)
        self._stamps_ns.append(stamp_ns)
        self._positions.append(tuple(position))
        self._velocities.append(tuple(velocity))
        self._efforts.append(tuple(effort))
        if not control_tick:
            return None
        self._control_steps += 1
        achieved = self._object or self._tool_xyz(position)
        self._ticks.append((len(self._positions) - 1, achieved, tuple(action)))
        x, y, z = (a - b for a, b in zip(achieved, self._target, strict=True))
        distance = math.sqrt(x * x + y * y + z * z)
        if self._judge.update(distance, max(map(abs, velocity))):
            return self._finish(success=True)
        if self._control_steps >= self._max_control_steps:
            return self._finish(success=False)
        return None

    def abort(self) -> Episode:
        """Return the episode as a failure, because the system stopped it."""
        return self._finish(success=False)

    def _finish(self, *, success: bool) -> Episode:
        n = self._limits.velocity_rad_s.size
        stamps = np.array(self._stamps_ns, dtype=np.int64)
        position = np.array(self._positions).reshape(-1, n)
        velocity = np.array(self._velocities).reshape(-1, n)
        time_s, ticks = (stamps - stamps[:1]) / 1e9, self._known_ticks()
        at_ticks = time_s[[index for index, *_ in self._ticks]]
        return Episode(
            success=success,
            control_steps=self.control_steps,
            target_m=np.array(self._target),
            time_s=time_s,
            position_rad=position,
            velocity_rad_s=velocity,
            limit_violations=int(violations(self._limits, position, velocity).sum()),
            total_reward=self._total_reward(ticks),
            jerk_rad_s3=jerk_of(at_ticks, ticks),
            object_m=np.array(self._objects) if self._objects else None,
        )

    def _known_ticks(self) -> list[Tick]:
        return [
            Tick(
                position=self._positions[index],
                velocity=self._velocities[index],
                effort=self._efforts[index],
                action=action,
                achieved=achieved,
            )
            for index, achieved, action in self._ticks
        ]

    def _total_reward(self, ticks: Sequence[Tick]) -> float | None:
        if self._task is None:
            return None
        return total_reward(self._task, self._tool_xyz, self._target, ticks)


def violations(
    limits: JointLimits, position: FloatArray, velocity: FloatArray
) -> NDArray[np.bool_]:
    """Return for each state (n_states, n_joints) whether a position or speed limit is passed."""
    outside = (position < limits.position_lower_rad - POSITION_SLACK_RAD) | (
        position > limits.position_upper_rad + POSITION_SLACK_RAD
    )
    too_fast = np.abs(velocity) > limits.velocity_rad_s * (1.0 + VELOCITY_SLACK)
    violated: NDArray[np.bool_] = np.any(outside | too_fast, axis=1)
    return violated


_DRIFT = 0.1
"""Part of a state's lateness by which the next are expected later: clocks differ a little."""


class LinkMeter:
    """Counts lost joint states and measures how long the graph takes from state to output."""

    def __init__(self, state_period_ns: int) -> None:
        """Take the period of the joint states."""
        self.lost = 0
        self._runs = False
        self._period_ns = state_period_ns
        self._due_ns: float | None = None  # when the last state was due, by those before it
        self._late = 0  # of `lost`, those that may only be late
        self._received_s: dict[int, float] = {}
        self._latencies_ms: list[float] = []
        self._answered_ns = 0

    def pause(self) -> None:
        """Expect a jump of the stamps: a reset follows."""
        self._due_ns = None
        self._late = 0
        self._received_s.clear()

    def repeated(self) -> None:
        """Count a state that the driver sent again, because an answer to it was lost.

        Before the first answer nothing was: nodes that have just started are not all connected yet.
        """
        self.lost += self._runs

    def state(self, stamp_ns: int, received_s: float) -> None:
        """Take the arrival of a joint state.

        One that the driver published late leaves a gap before it, and none to the next that is in
        time: it was late, not lost.
        """
        self._follow(stamp_ns)
        self._runs = True
        self._received_s[stamp_ns] = received_s

    def _follow(self, stamp_ns: int) -> None:
        if self._due_ns is None:
            self._due_ns = float(stamp_ns)
            return
        periods = round((stamp_ns - self._due_ns) / self._period_ns)
        missing = max(periods - 1, -self._late)
        self.lost += missing
        self._late += missing
        self._due_ns += periods * self._period_ns
        self._due_ns += _DRIFT * (stamp_ns - self._due_ns)

    def output(self, command_stamp_ns: int, received_s: float) -> None:
        """Take a filter output that follows the policy's command of this stamp."""
        if command_stamp_ns == self._answered_ns:
            return
        self._answered_ns = command_stamp_ns
        began_s = self._received_s.get(command_stamp_ns)
        if began_s is not None:
            self._latencies_ms.append(1e3 * (received_s - began_s))
            # Older states can no longer be answered: the memory stays small.
            self._received_s = {k: v for k, v in self._received_s.items() if k > command_stamp_ns}

    def latency_ms(self) -> dict[str, float | None]:
        """Return the median and the 99th percentile in milliseconds, None before any output."""
        if not self._latencies_ms:
            return {"latency_ms_p50": None, "latency_ms_p99": None}
        p50, p99 = np.percentile(self._latencies_ms, [50, 99])
        return {"latency_ms_p50": float(p50), "latency_ms_p99": float(p99)}
