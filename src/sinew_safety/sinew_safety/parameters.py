"""Parameters of the safety package's nodes."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import Parameters, parameter
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
    sim_params: str = parameter(
        "",
        "YAML file of the arm as it was identified, which `safety.` has to allow for; empty: none",
    )
    speed_scale: float = parameter(
        1.0,
        "Part of the speed asked for that the arm moves at, on the same path; 0: rest",
        minimum=0.0,
        maximum=1.0,
        settable=True,
    )


@dataclass(frozen=True, kw_only=True)
class ReplayParameters(Parameters):
    """What to replay; topics are relative to `namespace`."""

    bag: str = parameter("", "Folder of the recorded bag; required")
    robot: str = parameter("", "Robot, or path to a robot file; empty: the recorded one")
    urdf: str = parameter("", "URDF that replaces the robot's own; empty: the recorded one")
    config: str = parameter(
        "", "Parameter file of the safety filter; empty: the configuration in the bag"
    )
    namespace: str = parameter("", "Namespace of the recorded arm")
    node: str = parameter("safety_filter", "Name of the recorded node")
    state_topic: str = parameter("joint_states", "Joint states")
    command_topic: str = parameter("policy/command", "Commands of the policy")
    output_topic: str = parameter(
        "", "Outputs of the filter; empty: <controller>/commands as configured"
    )
    rows: int = parameter(1000, "Changes to print at most; the totals count all", minimum=0)

    def check(self) -> list[str]:
        """Return that a bag is missing."""
        return [] if self.bag else ["bag is empty: give the folder of a bag, bag:=DIR"]
