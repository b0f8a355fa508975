"""Parameters of the safety package's nodes."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.controllers import controller_name, sent_mode
from sinew_core.parameters import Parameters, parameter
from sinew_core.rates import Rates
from sinew_core.safety.make import FILTERED_MODES


@dataclass(frozen=True, kw_only=True)
class SafetyFilterParameters(Rates):
    """Parameters of the node; the watchdogs are in `watchdog.`, the filter's own in `safety.`."""

    robot: str = parameter("panda", "Robot of the catalogue, or a path to a robot file", path=True)
    urdf: str = parameter(
        "", "Path to a URDF that replaces the robot's own; empty: none", path=True
    )
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
    controller: str = parameter(
        "",
        "Name of the controller, relative or absolute; empty: trajectory_controller for "
        "trajectories, else the forward controller of what is sent",
    )
    trajectory_controller: str = parameter(
        "", "Usual name of the robot's trajectory controller; empty: joint_trajectory_controller"
    )
    adapter: str = parameter(
        "forward",
        "Sends <controller>/commands (arrays), or <controller>/joint_trajectory (positions)",
        choices=("forward", "trajectory"),
    )
    output: str = parameter(
        "commands",
        "Send what the commands are, or positions that velocities lead to; trajectory: positions",
        choices=("commands", "positions"),
    )
    trajectory_time_s: float = parameter(
        0.0,
        "Trajectories: time to each point, from the filter's period up; 0: two periods",
        unit="s",
        minimum=0.0,
        maximum=1.0,
    )
    controller_joints: str = parameter(
        "robot",
        "Order of what is sent: the robot's, or as read from the controller's parameter joints",
        choices=("robot", "read"),
    )
    joint_prefix: str = parameter(
        "", "In front of the robot's joint names in joint_states and at the controller"
    )
    shadow: bool = parameter(
        False, "Whether outputs go to ~/shadow, where no controller hears them"
    )
    sim_params: str = parameter(
        "",
        "YAML file of the arm as it was identified, which `safety.` has to allow for; empty: none",
        path=True,
    )
    speed_scale: float = parameter(
        1.0,
        "Part of the speed asked for that the arm moves at, on the same path; 0: rest",
        minimum=0.0,
        maximum=1.0,
        settable=True,
    )

    def check(self) -> list[str]:
        """Return violations of the rates, and outputs that cannot be."""
        problems = super().check()
        for name, positions in (("adapter", "trajectory"), ("output", "positions")):
            if getattr(self, name) == positions and self.mode == "joint_effort":
                problems.append(
                    f"{name} is {positions}, but mode joint_effort has none to send: use a forward "
                    "controller of efforts"
                )
        if 0.0 < self.trajectory_time_s < self.filter_period_s:
            problems.append(
                f"trajectory_time_s is {self.trajectory_time_s}: the arm would wait for the next "
                f"point, use {self.filter_period_s:g} s, a filter period, or more"
            )
        return problems

    @property
    def sent_mode(self) -> str:
        """The action mode whose unit the outputs have."""
        return sent_mode(self.mode, self.adapter, self.output)

    @property
    def controller_name(self) -> str:
        """The name of the controller that takes the outputs."""
        return controller_name(
            self.sent_mode, self.adapter, self.controller, self.trajectory_controller
        )

    @property
    def point_time_s(self) -> float:
        """Time from a trajectory's start to its point.

        The controller goes to a point in a straight line, and stands still there until the next
        comes. Two periods let it come one period late; then the arm lags by one period.
        """
        return self.trajectory_time_s or 2.0 * self.filter_period_s


@dataclass(frozen=True, kw_only=True)
class ReplayParameters(Parameters):
    """What to replay; topics are relative to `namespace`."""

    bag: str = parameter("", "Folder of the recorded bag; required", path=True)
    robot: str = parameter("", "Robot, or path to a robot file; empty: the recorded one", path=True)
    urdf: str = parameter(
        "", "URDF that replaces the robot's own; empty: the recorded one", path=True
    )
    config: str = parameter(
        "", "Parameter file of the safety filter; empty: the configuration in the bag", path=True
    )
    namespace: str = parameter("", "Namespace of the recorded arm")
    node: str = parameter("safety_filter", "Name of the recorded node")
    state_topic: str = parameter("joint_states", "Joint states")
    command_topic: str = parameter("policy/command", "Commands of the policy")
    output_topic: str = parameter(
        "", "Outputs of the filter; empty: the controller's topic as configured"
    )
    rows: int = parameter(1000, "Changes to print at most; the totals count all", minimum=0)

    def check(self) -> list[str]:
        """Return that a bag is missing."""
        return [] if self.bag else ["bag is empty: give the folder of a bag, bag:=DIR"]
