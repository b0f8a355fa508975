"""Parameters of the simulated driver."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import parameter
from sinew_core.rates import Rates
from sinew_core.safety.make import FILTERED_MODES
from sinew_core.simulation import ENGINE_NAMES
from sinew_core.tasks import TASKS


@dataclass(frozen=True, kw_only=True)
class SimDriverParameters(Rates):
    """Parameters of the simulated driver."""

    robot: str = parameter("panda", "Robot of the catalogue, or a path to a robot file", path=True)
    urdf: str = parameter(
        "", "Path to a URDF that replaces the robot's own; empty: none", path=True
    )
    engine: str = parameter("pybullet", "Physics engine", choices=ENGINE_NAMES)
    sim_params: str = parameter(
        "",
        "mismatched, or a YAML file, of an arm and its joint controllers; empty: the nominal arm",
        path=True,
    )
    pace: str = parameter(
        "realtime",
        "Run by the clock, or one filter period for each command that answers a state",
        choices=("realtime", "lockstep"),
    )
    speed: float = parameter(
        1.0, "Simulated seconds per second in real time", minimum=0.01, maximum=100.0
    )
    mode: str = parameter("joint_velocity", "What the commands are", choices=FILTERED_MODES)
    controller: str = parameter("", "Takes <controller>/commands; empty: that of the mode")
    adapter: str = parameter(
        "forward",
        "Takes <controller>/commands, or <controller>/joint_trajectory, one point each (positions)",
        choices=("forward", "trajectory"),
    )
    output: str = parameter(
        "commands",
        "As the filter's: takes what the commands are, or positions that velocities lead to",
        choices=("commands", "positions"),
    )
    joint_prefix: str = parameter(
        "", "In front of the joint names in joint_states and in trajectories"
    )
    gravity_compensation: bool = parameter(
        True, "Efforts: whether the effort that gravity asks for is added"
    )
    driver_watchdog_s: float = parameter(
        0.1,
        "Simulated time without a command after which the arm is brought to rest; 0: never",
        unit="s",
        minimum=0.0,
        maximum=10.0,
    )
    task_name: str = parameter(
        "reach",
        "Task whose starts ~/reset places the arm and its object at",
        choices=tuple(TASKS),
    )
    seed: int = parameter(0, "Seed of the sequence of starts of ~/reset", minimum=0)

    def check(self) -> list[str]:
        """Return violations of the rates, and states between cycles in lockstep."""
        problems = super().check()
        if self.pace == "lockstep" and self.state_rate_hz != self.filter_rate_hz:
            problems.append(
                f"state_rate_hz {self.state_rate_hz} differs from filter_rate_hz "
                f"{self.filter_rate_hz}: lockstep has one state per cycle of the filter"
            )
        for name, positions in (("adapter", "trajectory"), ("output", "positions")):
            if getattr(self, name) == positions and self.mode == "joint_effort":
                problems.append(
                    f"{name} is {positions}, mode joint_effort: efforts lead to no positions, use "
                    "a forward controller of efforts"
                )
        return problems

    @property
    def taken_mode(self) -> str:
        """The action mode whose unit the commands taken have."""
        positions = self.adapter == "trajectory" or self.output == "positions"
        return "joint_position" if positions else self.mode
