"""Back to a planned motion after the safety filter has let a joint lag behind it.

A position says where to be, not how fast, so the position filter takes each one for a place to
stop at. One that is a period ahead passes; where a cycle sees no new command, or skips one, the
next asks for more than the acceleration limit allows, and the filter approaches it as a place to
stop at: at up to sqrt(2 a e) for a way of e. A motion at v is followed so only v^2 / 2 a behind,
which is 0.3 rad for a Panda at half its speed, and that from one missed cycle on.

The filter reports where it has sent the arm instead; a filter that misses a cycle itself begins
anew from rest. From there a joint is sent what passes: the speed v of the motion, at a rate r of
its time that lets all joints keep up, and a correction that grows with the lag e,

    u = r v + sign(e) min(k |e|, sqrt(2 b a |e|)),    0 <= r <= 1,

within a share of a dt of the speed before, and the planned position itself as soon as that passes.
The plan uses less than the limits (`limit_share`), so that something is left to catch up with.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from sinew_core.robots.arrays import Array
from sinew_core.sysid.excitation.limits import MotionLimits

_RATE_PER_S = 20.0
_SHARE = 0.95
"""Of the limits, for what is sent: rounding, and what the filter keeps back for jitter."""
_CATCH_UP = 0.1
"""Share of the acceleration limit that braking at the planned motion takes."""
_REMEMBERED = 4
_STILL_RAD_S = 1e-6


class Rejoin:
    """Knows where the filter's reference is, and what to send so that it passes.

    Attributes:
        behind: whether some joint is not where it was planned to be.
        rate: by how many periods of the motion the last command went on, 0 to 1.
        times: how often the filter let the arm lag behind anew.
    """

    def __init__(self, limits: MotionLimits, period_s: float) -> None:
        """Take the whole of what the filter allows, and its period."""
        self._fastest = _SHARE * limits.velocity_rad_s
        self._hardest = limits.acceleration_rad_s2
        self._step = _SHARE * limits.acceleration_rad_s2 * period_s
        self._jerk_step = _SHARE * limits.jerk_rad_s3 * period_s**2
        self._period_s = period_s
        self._sent: deque[Array] = deque(maxlen=_REMEMBERED)
        self._at: Array | None = None
        self._speed = self._change = np.zeros(self._fastest.size)
        self.behind = False
        self.rate = 1.0
        self.times = 0

    def next(self, now: Array, planned: Array) -> Array:
        """Return what to send (n,) where the motion is at `now` (n,), a period on at `planned`."""
        at, self.rate = self._at, 1.0
        if at is None or not self.behind:
            self._remember(planned, now if at is None else at)
            return planned
        low, high = self._window()
        speed, asked = (planned - now) / self._period_s, (planned - at) / self._period_s
        if ((asked >= low) & (asked <= high)).all():
            self.behind = False
            self._remember(planned, at)
            return planned
        catch_up = self._catching_up(now - at)
        self.rate = _rate(speed, low - catch_up, high - catch_up)
        target: Array = at + self._period_s * np.clip(self.rate * speed + catch_up, low, high)
        self._remember(target, at)
        return target

    def _catching_up(self, lag: Array) -> Array:
        """Return the speed (n,) that makes up for a lag (n,) from which it can be braked again."""
        size = np.abs(lag)
        soft = np.sqrt(2.0 * _CATCH_UP * self._hardest * size)
        speed: Array = np.sign(lag) * np.minimum(_RATE_PER_S * size, soft)
        return speed

    def changed(self, sent: Array) -> None:
        """Take what the filter sent (n,) in place of what it was asked for."""
        speed = (sent - self._before(sent)) / self._period_s
        self._change, self._speed = speed - self._speed, speed
        self.times += not self.behind
        self._at, self.behind = sent, True
        self._sent.clear()
        self._sent.append(sent)

    def _before(self, sent: Array) -> Array:
        """Return the reference (n,) a cycle before: of what was sent, where the speed fits best.

        Which command the filter had then is not told; a cycle changes the speed by little.
        """
        if not self._sent:
            return sent
        speeds = [(sent - before) / self._period_s for before in self._sent]
        misfits = [float(np.abs(speed - self._speed).max()) for speed in speeds]
        return self._sent[int(np.argmin(misfits))]

    def _window(self) -> tuple[Array, Array]:
        """Return the least and the largest speed (n,) that surely pass."""
        softer = np.minimum(self._step, self._change + self._jerk_step)
        harder = np.maximum(-self._step, self._change - self._jerk_step)
        low = np.maximum(self._speed + np.minimum(harder, softer), -self._fastest)
        high = np.minimum(self._speed + softer, self._fastest)
        return np.minimum(low, high), high

    def _remember(self, target: Array, at: Array) -> None:
        """Take it that a target passes."""
        speed = (target - at) / self._period_s
        self._change, self._speed = speed - self._speed, speed
        self._at = target
        self._sent.append(target)


def _rate(speed: Array, low: Array, high: Array) -> float:
    """Return the largest rate up to 1 at which each speed (n,) is on the near side of its bound."""
    bound = np.where(speed > 0.0, high, low)
    moving = np.abs(speed) > _STILL_RAD_S
    return float(np.clip((bound[moving] / speed[moving]).min(initial=1.0), 0.0, 1.0))
