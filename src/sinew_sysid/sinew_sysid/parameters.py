"""Parameters of the system identification package's nodes."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.bags.split import SUFFIXES
from sinew_core.parameters import Parameters, parameter
from sinew_core.safety.make import FILTERED_MODES


@dataclass(frozen=True, kw_only=True)
class RecordParameters(Parameters):
    """What to record, and where; topics are relative to `namespace`."""

    output: str = parameter("", "Folder of the bag, which must not exist; required", path=True)
    storage: str = parameter("mcap", "Format of the files", choices=tuple(SUFFIXES))
    split_s: float = parameter(
        5.0, "Span of one file, the most that a crash may cost", unit="s", minimum=0.5, maximum=3600
    )
    duration_s: float = parameter(
        0.0,
        "Length of the recording from the first joint state; 0: until Ctrl-C",
        unit="s",
        minimum=0.0,
    )
    namespace: str = parameter("", "Namespace of the arm")
    robot: str = parameter(
        "",
        "Robot, or path to a robot file, whose joints must be there; empty: any joints",
        path=True,
    )
    urdf: str = parameter("", "URDF that replaces the robot's own; empty: none", path=True)
    joint_prefix: str = parameter("", "In front of the robot's joint names in joint_states")
    mode: str = parameter(
        "",
        "What the controller's commands are; empty: whatever is sent",
        choices=("", *FILTERED_MODES),
    )
    controller: str = parameter(
        "",
        "Records <controller>/commands and <controller>/joint_trajectory; empty: the forward "
        "controller of the mode, without a mode all three",
    )
    filter: str = parameter("safety_filter", "Name of the safety filter, for its configuration")
    state_topic: str = parameter("joint_states", "Joint states")
    target_topic: str = parameter(
        "target_pose", "Targets of the policy, by which episodes are told; empty: none"
    )
    object_topic: str = parameter(
        "object_pose", "Poses of the object, where a task has one; empty: none"
    )
    topics: str = parameter("", "Further topics as name:type, with spaces between them")
    state_timeout_s: float = parameter(
        30.0, "Time within which joint states must come; 0: any", unit="s", minimum=0.0
    )
    queue_depth: int = parameter(
        2000, "Messages of a topic that may wait for this node", minimum=10, maximum=100_000
    )

    def check(self) -> list[str]:
        """Return that an output is missing, and which topics are no topics."""
        problems = [] if self.output else ["output is empty: give a new folder, output:=DIR"]
        for word in self.topics.split():
            name, _, kind = word.partition(":")
            if not name or kind.count("/") != 2 or not all(kind.split("/")):
                problems.append(
                    f"topics has '{word}': write name:type, as in ft:std_msgs/msg/String"
                )
        return problems

    @property
    def further_topics(self) -> list[tuple[str, str]]:
        """Name and type of each further topic."""
        words = (word.partition(":") for word in self.topics.split())
        return [(name, kind) for name, _, kind in words]
