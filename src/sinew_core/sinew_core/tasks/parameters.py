"""Parameters that every task has."""

from __future__ import annotations

import dataclasses

from sinew_core.parameters import Parameters, parameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskParameters(Parameters):
    """What counts as success, how long an episode is, and where it starts."""

    tolerance_m: float = parameter(
        0.02, "largest distance from tool to target", unit="m", minimum=1e-4, maximum=1
    )
    hold_s: float = parameter(
        0.5, "time inside the tolerance at rest; 0: first touch", unit="s", minimum=0, maximum=60
    )
    rest_speed_rad_s: float = parameter(
        0.05, "joint speed below which the arm is at rest", unit="rad/s", minimum=1e-4, maximum=1000
    )
    episode_s: float = parameter(4.0, "length of an episode", unit="s", minimum=0.01, maximum=3600)
    start_noise_rad: float = parameter(
        0.2, "half width of the uniform noise on the start", unit="rad", minimum=0, maximum=3.2
    )
    start_rad: tuple[float, ...] = parameter(
        (), "start position of each joint; empty: the home position of the robot", unit="rad"
    )

    def episode_ticks(self, control_rate_hz: float) -> int:
        """Return the control periods of an episode, at least one."""
        return max(1, round(self.episode_s * control_rate_hz))

    def check(self) -> list[str]:
        """Return the violation of an episode that is shorter than the hold."""
        if self.episode_s > self.hold_s:
            return []
        return [f"episode_s {self.episode_s} is not longer than hold_s {self.hold_s}: lengthen it"]
