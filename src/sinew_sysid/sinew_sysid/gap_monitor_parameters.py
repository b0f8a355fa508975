"""Parameters of the gap monitor."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import parameter
from sinew_core.sysid.parameters import MonitorParameters


@dataclass(frozen=True, kw_only=True)
class GapMonitorParameters(MonitorParameters):
    """What the monitor compares, and when it warns; topics are relative to its namespace."""

    robot: str = parameter("panda", "Robot of the catalogue, or a path to a robot file", path=True)
    urdf: str = parameter(
        "", "Path to a URDF that replaces the robot's own; empty: none", path=True
    )
    joint_prefix: str = parameter("", "In front of the robot's joint names in joint_states")
    sim_params: str = parameter("", "File of the identified arm; required", path=True)
    residual_band: str = parameter(
        "", "File of the identified band; empty: residual_band.yaml beside sim_params", path=True
    )
    mode: str = parameter(
        "",
        "What the commands are; empty: what the controller in sim_params takes",
        choices=("", "position", "velocity", "effort"),
    )
    controller: str = parameter("", "Takes <controller>/commands; empty: that of the mode")
    physics_rate_hz: int = parameter(
        1000, "Steps of the simulation", unit="Hz", minimum=100, maximum=20_000
    )
    judge_rate_hz: float = parameter(2.0, "Predictions", unit="Hz", minimum=0.1, maximum=50.0)
    command_rate_hz: float = parameter(
        1000.0, "Most commands a second that are kept", unit="Hz", minimum=1.0, maximum=10_000.0
    )

    def check(self) -> list[str]:
        """Return that the identified arm is missing."""
        if self.sim_params:
            return []
        return ["sim_params is empty: give the file of an identified arm, sim_params:=FILE"]
