"""What joint states hold: which joints, velocities and efforts, and whether the arm rests."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sinew_core.deployment.checks import Check, unknown
from sinew_core.deployment.timing import Arrivals
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel

_PART_OF_RATE = 0.9
_SILENT_S = 0.5
"""Time without a joint state after which the source has stopped, and not just this node paused."""
_NS_PER_S = 1_000_000_000


class StateContents:
    """Follow the joint states of an arm, whatever they hold beside it.

    Attributes:
        extra: other joints seen.
        position: (n,) rad, NaN where never seen.
        speed: (n,) rad/s, the largest since `restart`, from velocities and from positions alike.
    """

    def __init__(self, joint_names: Sequence[str]) -> None:
        """Follow these joints, as messages name them."""
        n = len(joint_names)
        self.joint_names = tuple(joint_names)
        self.extra: set[str] = set()
        self.position: Array = np.full(n, math.nan)
        self._index = {name: i for i, name in enumerate(joint_names)}
        self._seen = {"velocity": [False] * n, "effort": [False] * n}
        self._not_finite = {"velocity": [False] * n, "effort": [False] * n}
        self.restart()

    def restart(self) -> None:
        """Forget the motion so far."""
        n = len(self.joint_names)
        self.speed: Array = np.zeros(n)
        self._lowest: Array = np.full(n, math.inf)
        self._highest: Array = np.full(n, -math.inf)
        self._first_ns = [0] * n
        self._last_ns = [0] * n
        self._updates = [0] * n

    def take(
        self,
        stamp_ns: int,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
        effort: Sequence[float],
    ) -> None:
        """Take one message; one without a position for each of its names is ignored."""
        if len(position) != len(names):
            return
        for k, name in enumerate(names):
            i = self._index.get(name)
            if i is None:
                self.extra.add(name)
            elif math.isfinite(position[k]):
                self._take_position(i, stamp_ns, position[k])
                self._note("velocity", i, k, velocity, len(names))
                self._note("effort", i, k, effort, len(names))

    @property
    def heard(self) -> bool:
        """Whether any joint was seen, of this arm or of another."""
        return bool(self.extra) or len(self.missing) < len(self.joint_names)

    @property
    def missing(self) -> list[str]:
        """Joints that were never seen."""
        return [n for n, q in zip(self.joint_names, self.position, strict=True) if q != q]

    def peak_speed_rad_s(self) -> tuple[float, str]:
        """Return the largest speed since `restart`, and of which joint.

        A driver without velocities shows its motion by how far apart its positions were, so that
        an arm that came back has moved, too.
        """
        speeds = self.speed.copy()
        for i in range(len(speeds)):
            elapsed_s = (self._last_ns[i] - self._first_ns[i]) / _NS_PER_S
            if elapsed_s > 0.0:
                way = float(self._highest[i] - self._lowest[i])
                speeds[i] = max(speeds[i], way / elapsed_s)
        worst = int(np.argmax(speeds))
        return float(speeds[worst]), self.joint_names[worst]

    def slowest(self, states: int) -> tuple[str, float]:
        """Return the joint told least often since `restart`, and in what part of so many states."""
        least = min(self._updates)
        joint = self.joint_names[self._updates.index(least)]
        return joint, min(1.0, least / states) if states else 0.0

    def presence(self, what: str) -> str:
        """Return whether `velocity` or `effort` is there: present, NaN, missing, or partly so."""
        seen, bad = self._seen[what], self._not_finite[what]
        if all(seen):
            return "present"
        if any(seen):
            lacking = [n for n, s in zip(self.joint_names, seen, strict=True) if not s]
            return f"partly, not of {', '.join(lacking)}"
        return "NaN" if any(bad) else "missing"

    def _take_position(self, i: int, stamp_ns: int, q: float) -> None:
        self.position[i] = q
        self._lowest[i], self._highest[i] = min(self._lowest[i], q), max(self._highest[i], q)
        self._first_ns[i] = self._first_ns[i] or stamp_ns
        self._updates[i] += stamp_ns != self._last_ns[i]
        self._last_ns[i] = stamp_ns

    def _note(self, what: str, i: int, k: int, values: Sequence[float], n_names: int) -> None:
        if len(values) != n_names:
            return
        if not math.isfinite(values[k]):
            self._not_finite[what][i] = True
            return
        self._seen[what][i] = True
        if what == "velocity":
            self.speed[i] = max(self.speed[i], abs(values[k]))


def check_contents(contents: StateContents, robot: RobotModel) -> list[Check]:
    """Check that every joint is reported, and tell what else is and is not."""
    missing = contents.missing
    extra = f", and {len(contents.extra)} others" if contents.extra else ""
    joints = Check(
        what="joints in joint_states",
        found=f"lack {', '.join(missing)}" if missing else f"all {robot.n_joints}{extra}",
        expected=", ".join(contents.joint_names),
        remedy="check joint_prefix:= and the topic; the driver or a joint state merger drops them",
        passed=not missing,
    )
    velocity, effort = contents.presence("velocity"), contents.presence("effort")
    return [
        joints,
        Check(
            what="velocities in joint_states",
            found=velocity,
            expected="present; else they are differences of positions",
            remedy="differences lag by half a period: raise safety.noise_rad if the arm brakes",
            passed=True,
            known=velocity == "present",
        ),
        Check(
            what="efforts in joint_states",
            found=effort,
            expected="anything: only effort commands need them",
            remedy="none is needed",
            passed=True,
        ),
    ]


def check_rest(contents: StateContents, rest_speed_rad_s: float, *, needed: bool) -> Check:
    """Check that the arm rested over the window; `needed` where it is to be armed."""
    what, expected = "arm at rest", f"below {rest_speed_rad_s:g} rad/s over the window"
    if contents.missing:
        return unknown(what, "no complete joint state", expected, "see joints in joint_states")
    speed, joint = contents.peak_speed_rad_s()
    rests = speed <= rest_speed_rad_s
    return Check(
        what=what,
        found=f"{joint} at {speed:.3g} rad/s",
        expected=expected,
        remedy="stop what moves the arm: another controller, a program, a hand; then try again",
        passed=rests or not needed,
        known=rests or needed,
    )


def check_position(contents: StateContents, robot: RobotModel, margin_rad: float) -> Check:
    """Check that every joint is inside its limits, the filter's margin included."""
    what = "arm inside its limits"
    expected = f"at least {margin_rad:g} rad from each position limit"
    if contents.missing:
        return unknown(what, "no complete joint state", expected, "see joints in joint_states")
    below = contents.position - robot.limits.position_lower_rad
    above = robot.limits.position_upper_rad - contents.position
    nearest = np.minimum(below, above)
    worst = int(np.argmin(nearest))
    side = "lower" if below[worst] <= above[worst] else "upper"
    outside = [
        f"{name} {distance:.3f}"
        for name, distance in zip(robot.joint_names, nearest, strict=True)
        if distance < margin_rad
    ]
    closest = f"{robot.joint_names[worst]} is {nearest[worst]:.3f} rad from its {side} limit"
    return Check(
        what=what,
        found=f"{', '.join(outside)} rad from a limit" if outside else f"nearest: {closest}",
        expected=expected,
        remedy="bring the arm inside by hand or with the robot's own program",
        passed=not outside,
    )


def distances_rad(contents: StateContents, robot: RobotModel) -> dict[str, dict[str, float]]:
    """Return for each joint how far it is from its lower and upper limit, for a report."""
    if contents.missing:
        return {}
    below = contents.position - robot.limits.position_lower_rad
    above = robot.limits.position_upper_rad - contents.position
    return {
        name: {
            "position_rad": round(float(q), 4),
            "to_lower_rad": round(float(b), 4),
            "to_upper_rad": round(float(a), 4),
        }
        for name, q, b, a in zip(robot.joint_names, contents.position, below, above, strict=True)
    }


def check_rates(
    states: Arrivals,
    *,
    state_rate_hz: int,
    state_timeout_s: float,
    control_rate_hz: int,
    trained_rate_hz: int,
    slowest: tuple[str, float] = ("", 1.0),
) -> list[Check]:
    """Check rate and jitter of joint states against what filter and bundle were set up for.

    Args:
        states: as they arrived.
        state_rate_hz: of the filter.
        state_timeout_s: of the filter.
        control_rate_hz: of the policy.
        trained_rate_hz: of joint states in training.
        slowest: the joint told least often, and in what part of the states; it may be silent.
    """
    least = _PART_OF_RATE * state_rate_hz
    joint, part = slowest
    rate_hz = states.rate_hz * part
    rate = Check(
        what="rate of joint_states",
        found=f"{rate_hz:.1f} Hz" + (f" of {joint}" if part < _PART_OF_RATE else ""),
        expected=f"at least {least:.0f} Hz, as state_rate_hz {state_rate_hz} says",
        remedy=(
            "raise the driver's publishing rate, subscribe its raw topic instead of a merged one, "
            "or give the filter the state_rate_hz that there is"
        ),
        passed=rate_hz >= max(least, control_rate_hz),
    )
    slower = rate_hz < _PART_OF_RATE * trained_rate_hz
    trained = Check(
        what="joint_states as in training",
        found=f"{rate_hz:.1f} Hz",
        expected=f"{trained_rate_hz} Hz; a slower source costs performance, not safety",
        remedy="train with state_rate_hz of this arm, or find a faster topic",
        passed=True,
        known=not slower,
    )
    return [rate, _check_gaps(states, state_timeout_s), trained]


def _check_gaps(states: Arrivals, state_timeout_s: float) -> Check:
    longest_ms = 1e3 * state_timeout_s
    stopped = states.silence_s > max(_SILENT_S, state_timeout_s)
    silence = f", silent for the last {states.silence_s:.1f} s" if stopped else ""
    return Check(
        what="jitter of joint_states",
        found=f"gaps: p99 {states.gap_p99_ms:.1f} ms, longest {states.gap_max_ms:.1f} ms{silence}",
        expected=f"every gap below the filter's watchdog, {longest_ms:g} ms",
        remedy="give the nodes a real-time priority, use a wired network, or raise the watchdog",
        passed=states.count >= 2 and states.gap_max_ms < longest_ms and not stopped,
    )


def check_stamps(states: Arrivals, *, future_s: float, old_s: float) -> list[Check]:
    """Check that the stamps are of the clock of this computer, and go upwards."""
    plausible = states.count >= 2 and (
        states.age_min_ms >= -1e3 * future_s and states.age_p50_ms <= 1e3 * old_s
    )
    return [
        Check(
            what="stamps of joint_states",
            found=(
                f"age {states.age_min_ms:.1f} to {states.age_max_ms:.1f} ms, "
                f"median {states.age_p50_ms:.1f} ms"
                if states.count >= 2
                else "none"
            ),
            expected=f"from {-1e3 * future_s:g} to {1e3 * old_s:g} ms by this computer's clock",
            remedy="synchronise the clocks (chrony, PTP), or set use_sim_time as the driver has it",
            passed=plausible,
        ),
        Check(
            what="order of the stamps",
            found=f"{states.repeated} of {states.count} repeat or go back",
            expected="each after the one before; one source of joint_states",
            remedy="end the second publisher of joint_states",
            passed=states.repeated == 0,
        ),
    ]
