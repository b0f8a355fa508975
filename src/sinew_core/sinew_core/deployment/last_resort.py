"""Bringing an arm to rest whose safety filter has died.

A forward controller has no timeout: the last velocity stands for ever (ros2_controllers#95). Last
positions and trajectories are places to rest, and efforts cannot be braked from here.
"""

from __future__ import annotations

from collections.abc import Sequence

_REPEATED = 20
"""Zeros after the ramp, in case one is lost."""


class StopRamp:
    """Velocities from the last ones to zero, all joints in the same time."""

    def __init__(
        self, velocity: Sequence[float], *, deceleration_rad_s2: float, period_s: float
    ) -> None:
        """Begin at the last output (n,) rad/s.

        Args:
            velocity: in the order of the controller, whatever that is.
            deceleration_rad_s2: of the weakest joint.
            period_s: from one call of `next` to another.
        """
        self._velocity = tuple(velocity)
        step = deceleration_rad_s2 * period_s
        self._steps = max(1, -int(-max(map(abs, velocity), default=0.0) // step))
        self._done = 0

    @property
    def complete(self) -> bool:
        """Whether the arm was told often enough."""
        return self._done >= self._steps + _REPEATED

    def next(self) -> tuple[float, ...]:
        """Return what to send now."""
        self._done += 1
        part = max(0.0, 1.0 - self._done / self._steps)
        return tuple(part * v for v in self._velocity)
