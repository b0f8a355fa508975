"""Parameters of the policy node."""

from __future__ import annotations

import dataclasses

from sinew_core.parameters import Parameters, parameter
from sinew_core.specs import COMMAND_MODES


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicyParameters(Parameters):
    """What the policy node runs, on which robot, and how."""

    bundle: str = parameter(
        "", "folder of the policy bundle; required to configure", settable=True, path=True
    )
    autostart: bool = parameter(
        True, "configure and activate at the start; false: wait for ~/change_state"
    )
    robot: str = parameter(
        "", "robot name or robot file; empty: the one the bundle names", path=True
    )
    urdf: str = parameter(
        "", "URDF that replaces the robot file's; empty: the robot file's", path=True
    )
    tool_link: str = parameter("", "tool link; empty: the robot file's")
    base_link: str = parameter("", "base link; empty: the robot file's")
    joint_prefix: str = parameter("", "in front of the joint names in messages and in the URDF")
    target_frame: str = parameter(
        "", "frame of target_pose and object_pose; empty: the base link, with joint_prefix or not"
    )
    control_rate_hz: int = parameter(
        0, "decisions; only the trained rate is accepted; 0: that one", unit="Hz", minimum=0
    )
    filter_rate_hz: int = parameter(
        0,
        "cycles of the safety filter, to compare with training; 0: as trained",
        unit="Hz",
        minimum=0,
    )
    mode: str = parameter(
        "",
        "what filter and driver take for commands, to compare with the bundle; empty: as trained",
        choices=("", *COMMAND_MODES),
    )
    pace: str = parameter(
        "realtime",
        "decide on the first state of each control period, or on each tick with its target_pose",
        choices=("realtime", "lockstep"),
    )
    state_timeout_s: float = parameter(
        0.1, "age from which a joint's state is too old to decide on", unit="s", minimum=1e-3
    )
    object_timeout_s: float = parameter(
        0.2,
        "time from object_pose to the joint state to decide on, above which nothing is commanded; "
        "for a policy that sees an object",
        unit="s",
        minimum=1e-3,
    )
    unusual_std: float = parameter(
        5.0,
        "distance from the training mean at which an observation is reported as unusual",
        unit="std",
        minimum=1.0,
    )
    sender_id: str = parameter("", "frame_id of the commands; empty: the node's full name")

    def check(self) -> list[str]:
        """Return the missing bundle as a violation."""
        if self.bundle or not self.autostart:
            return []
        return ["bundle is empty: give the folder of a policy bundle"]
