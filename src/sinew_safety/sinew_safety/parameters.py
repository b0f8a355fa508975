"""Parameters of the safety package's nodes."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import parameter
from sinew_core.rates import Rates
from sinew_core.safety.make import FILTERED_MODES


@dataclass(frozen=True, kw_only=True)
class SafetyFilterParameters(Rates):
    """Parameters of the node; the watchdogs are in `watchdog.`, the filter's own in `safety.`."""

    robot: str = parameter("panda", "Robot of the catalogue, or a path to a robot file")
    urdf: str = parameter("", "Path to a URDF that replaces the robot's own; empty: none")
    pace: str = parameter(
        "realtime",
        "Cycle by the clock, or answer each joint state once",
        choices=("realtime", "lockstep"),
    )
    speed: float = parameter(
        1.0, "Speed of the simulated driver in real time; 1 for an arm", minimum=0.01, maximum=100.0
    )
    mode: str = parameter("joint_velocity", "What the commands are", choices=FILTERED_MODES)
    gravity_compensation: bool = parameter(
        True, "Efforts: whether the driver adds the effort that gravity asks for"
    )
    controller: str = parameter("", "Sends <controller>/commands; empty: that of the mode")
