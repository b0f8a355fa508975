"""Speed scaling: the path that a policy asks for, slower, before the filter sees it.

| mode | what is scaled |
|---|---|
| joint_velocity | the desired velocity |
| joint_position | the speed at which the goal is approached, on a straight line in joint space |
| joint_effort | nothing: an effort has no speed |

The filter's own limits follow, so a change of the scale takes effect no faster than the arm may
accelerate. Scaling only asks for less; what the filter guarantees does not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sinew_core.errors import ConfigError
from sinew_core.safety import equations as eq
from sinew_core.safety.constants import position_constants
from sinew_core.safety.parameters import SafetyParameters

if TYPE_CHECKING:
    from sinew_core.robots.limits import JointLimits

# Positions within this share of the way are the goal itself: two units in the last place.
_WHOLE = 1.0 - 4.5e-16


class SpeedScaling:
    """Scale what is asked of one arm.

    Attributes:
        value: 0 (rest) to 1 (as asked for, bit for bit).
    """

    def __init__(
        self, mode: str, limits: JointLimits, parameters: SafetyParameters, period_s: float
    ) -> None:
        """Start at 1; `mode` is an action mode."""
        self.value = 1.0
        self._mode = mode
        self._period_s = period_s
        self._speed, self._deceleration, self._full = list[float](), list[float](), list[float]()
        if mode == "joint_position":
            joints, _ = position_constants(limits, parameters, period_s)
            self._speed, self._deceleration = joints[eq.SPEED], joints[eq.DECELERATION]
            self._full = joints[eq.FULL]

    def check(self, value: float) -> None:
        """Refuse a value that cannot take effect.

        Raises:
            ConfigError: for efforts.
        """
        if self._mode == "joint_effort" and value != 1.0:
            raise ConfigError(
                f"speed_scale is {value}: effort commands have no speed to scale: leave it at 1"
            )

    def apply(self, desired: Sequence[float], output: Sequence[float] | None) -> Sequence[float]:
        """Return what to ask for instead of `desired` (n,), after what was published last (n,).

        Positions need an output, which an armed arm has.
        """
        if self.value == 1.0 or self._mode == "joint_effort":
            return desired
        if self._mode == "joint_velocity":
            return [self.value * v for v in desired]
        assert output is not None
        return self._approach(desired, output)

    def _approach(self, goal: Sequence[float], position: Sequence[float]) -> Sequence[float]:
        """Return the point one period ahead on the way to the goal (n,) rad.

        Each joint could stop at the goal, and none moves faster than the scaled limit.
        """
        share = 1.0
        for j in range(len(position)):
            distance = abs(goal[j] - position[j])
            if distance - distance != 0.0:  # not finite: for the filter to judge
                return goal
            if distance:
                speed = self.value * self._speed[j]
                if distance < self._full[j]:  # else it could stop from any allowed speed
                    deceleration = self._deceleration[j]
                    stops = eq.largest_speed(distance, deceleration, self._period_s, 0.0)
                    speed = min(speed, stops)
                share = min(share, speed * self._period_s / distance)
        if share >= _WHOLE:
            return goal
        return [p + share * (g - p) for g, p in zip(goal, position, strict=True)]
