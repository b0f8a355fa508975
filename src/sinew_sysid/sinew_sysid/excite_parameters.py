"""Parameters of the excite node; the plan's are in `excitation.`, the filter's in `safety.`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sinew_core.parameters import parameter
from sinew_core.rates import Rates
from sinew_core.safety.make import FILTERED_MODES


@dataclass(frozen=True, kw_only=True)
class ExciteParameters(Rates):
    """What moves, and how."""

    control_rate_hz: int = parameter(
        100,
        "commands, one for each cycle of the safety filter",
        unit="Hz",
        minimum=1,
        maximum=10_000,
    )
    robot: str = parameter("panda", "Robot of the catalogue, or a path to a robot file", path=True)
    urdf: str = parameter(
        "", "Path to a URDF that replaces the robot's own; empty: none", path=True
    )
    joint_prefix: str = parameter("", "In front of the robot's joint names in messages")
    pace: str = parameter("realtime", "As the safety filter's", choices=("realtime", "lockstep"))
    mode: str = parameter("joint_velocity", "What the commands are", choices=FILTERED_MODES)
    gravity_compensation: bool = parameter(
        True, "Efforts: whether the driver adds the effort that gravity asks for"
    )
    dynamics: str = parameter(
        "",
        "YAML file of what is known of the arm's dynamics, for the plan and for efforts; empty: "
        "the description alone",
        path=True,
    )
    plan: str = parameter(
        "", "Plan to replay, a .yaml file of an earlier run; empty: plan anew", path=True
    )
    plan_only: bool = parameter(False, "Plan, print and draw, and move nothing")
    arm: bool = parameter(
        False, "Arm the safety filter, clearing its latch; for a simulated arm only"
    )
    output: str = parameter(
        "runs/excite",
        "Folder for plan.yaml, plan.npz, plan.png and excite.json, replaced if there",
        path=True,
    )
    safety_filter: str = parameter("safety_filter", "Node of the safety filter")
    home_speed_rad_s: float = parameter(
        0.2, "Fastest joint on the way to the plan's start", unit="rad/s", minimum=0.01, maximum=2.0
    )
    correction_per_s: float = parameter(
        1.5,
        "How fast errors of the position are made up for: velocities; efforts ten times as fast",
        unit="1/s",
        minimum=0.0,
        maximum=20.0,
    )
    tracking_limit_rad: float = parameter(
        0.3,
        "Error of a joint's position that ends the motion",
        unit="rad",
        minimum=0.01,
        maximum=3.0,
    )
    state_timeout_s: float = parameter(
        0.5, "Silence of the joint states that ends a motion", unit="s", minimum=0.01, maximum=60.0
    )
    patience_s: float = parameter(
        20.0, "Longest wait for a node, an answer or a joint state", unit="s", minimum=1.0
    )
    sender_id: str = parameter("", "frame_id of the commands; empty: the node's full name")

    @property
    def folder(self) -> Path:
        """Where all files go."""
        return Path(self.output)

    def check(self) -> list[str]:
        """Require a command for each cycle of the filter."""
        problems = super().check()
        if self.control_rate_hz != self.filter_rate_hz:
            problems.append(
                f"control_rate_hz {self.control_rate_hz} differs from filter_rate_hz "
                f"{self.filter_rate_hz}: a filter that has to wait for the next command slows the "
                "motion down; set both alike, here and in the filter"
            )
        return problems
