"""Parameters of the evaluation of a recorded deployment."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sinew_core.parameters import Parameters, parameter

_XYZ = 3


@dataclass(frozen=True, kw_only=True)
class BagEvaluationParameters(Parameters):
    """Which bag to judge, by what task, and where the figures go; topics are under `namespace`."""

    bag: str = parameter("", "Folder of the recorded bag, or one of its files; required", path=True)
    bundle: str = parameter(
        "",
        "Policy bundle that ran; names robot, task and rates, and the figures of its simulation; "
        "empty: the task at its defaults",
        path=True,
    )
    robot: str = parameter(
        "",
        "Robot name or robot file; empty: the bundle's, or the one that the filter recorded",
        path=True,
    )
    urdf: str = parameter("", "URDF that replaces the robot's own; empty: none", path=True)
    task: str = parameter("", "Task to judge by at its defaults; empty: the bundle's, or reach")
    pace: str = parameter(
        "",
        "Whether the nodes waited for each other; empty: as the filter recorded it, or real time",
        choices=("", "realtime", "lockstep"),
    )
    episode_s: float = parameter(
        0.0,
        "Time for each target, more for an arm that was slowed down; 0: the task's",
        unit="s",
        minimum=0.0,
        maximum=3600.0,
    )
    target: str = parameter(
        "", "Target of a bag that holds none, as 'x y z' in m, base frame; empty: as recorded"
    )
    namespace: str = parameter("", "Namespace of the recorded arm")
    joint_prefix: str = parameter(
        "", "In front of the robot's joint names; empty: as the filter recorded it"
    )
    state_topic: str = parameter("joint_states", "Joint states")
    target_topic: str = parameter("target_pose", "Targets")
    target_frame: str = parameter(
        "",
        "Frame of targets and object poses; empty: the robot's base link, with joint_prefix or not",
    )
    object_topic: str = parameter("object_pose", "Poses of the object, where the task has one")
    command_topic: str = parameter("policy/command", "Commands of the policy")
    output_topic: str = parameter(
        "", "Outputs of the safety filter; empty: as it recorded them, or found by their labels"
    )
    diagnostics_topic: str = parameter("diagnostics", "Diagnostics of the safety filter")
    safety_filter: str = parameter("safety_filter", "Name of the recorded safety filter")
    output: str = parameter("", "JSON file for the figures; empty: only printed", path=True)
    page: str = parameter(
        "", "HTML file for table and pictures, needs the train requirements; empty: none", path=True
    )
    traced_episodes: int = parameter(
        20, "First episodes whose motion is kept beside the figures", minimum=0, maximum=1000
    )

    def check(self) -> list[str]:
        """Require the bag, and a target that is a place."""
        problems = [] if self.bag else ["bag is empty: give bag:=FOLDER of a recorded deployment"]
        if self.target and len(self.target_m) != _XYZ:
            problems.append(f"target is '{self.target}': give three numbers, as '0.4 0.0 0.5'")
        if self.bundle and self.task:
            problems.append(f"task '{self.task}' beside a bundle, which names its own: give one")
        return problems

    @property
    def target_m(self) -> tuple[float, ...]:
        """The target (3,) m, empty where none was given or what was given is no place."""
        try:
            values = tuple(map(float, self.target.split()))
        except ValueError:
            return ()
        return values if all(map(math.isfinite, values)) else ()
