"""Parameters of the deployment node."""

from __future__ import annotations

import dataclasses

from sinew_core.parameters import Parameters, parameter

MODES = ("preflight", "shadow", "live")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeploymentParameters(Parameters):
    """What is deployed on which arm, how far, and where the report goes."""

    mode: str = parameter(
        "preflight",
        "check only; run beside the arm without moving it; or move it",
        choices=MODES,
    )
    bundle: str = parameter("", "folder of the policy bundle; required", path=True)
    robot: str = parameter(
        "", "robot name or robot file; empty: the one the bundle names", path=True
    )
    urdf: str = parameter(
        "", "URDF that replaces the robot file's; empty: the robot file's", path=True
    )
    joint_prefix: str = parameter(
        "", "in front of the joint names in messages and in robot_description"
    )
    target_frame: str = parameter(
        "",
        "frame of target_pose, taken or given, as the policy has it; empty: the base link, with "
        "joint_prefix or not, given with it",
    )
    authority: float = parameter(
        0.2,
        "part of the speed asked for that a live arm comes to move at",
        minimum=0.0,
        maximum=1.0,
        settable=True,
    )
    ramp_s: float = parameter(
        5.0, "time in which the authority rises", unit="s", minimum=0.0, maximum=600.0
    )
    targets: int = parameter(
        0, "targets to give one after another; 0: others publish target_pose", minimum=0
    )
    seed: int = parameter(0, "seed of the targets", minimum=0)
    bag: str = parameter(
        "", "bag whose joint states stand in for the arm; shadow only; empty: none", path=True
    )
    bag_state_topic: str = parameter("", "joint states in the bag; empty: the topic of this graph")
    duration_s: float = parameter(
        0.0, "time after which shadow or live ends; 0: never", unit="s", minimum=0.0
    )
    window_s: float = parameter(
        3.0, "time over which preflight measures", unit="s", minimum=0.5, maximum=60.0
    )
    patience_s: float = parameter(
        20.0, "longest wait for what preflight needs, before it judges all the same", unit="s"
    )
    hold_timeout_s: float = parameter(
        0.0,
        "time on hold without a call of ~/start that ends the deployment; 0: wait for ever",
        unit="s",
        minimum=0.0,
    )
    latency_ms: float = parameter(
        0.0,
        "99th percentile from joint state to output that is allowed; 0: the control period",
        unit="ms",
        minimum=0.0,
    )
    unusual_std: float = parameter(
        5.0,
        "distance from the training mean at which an observation is unlike training",
        unit="std",
        minimum=1.0,
    )
    unusual_s: float = parameter(
        0.5, "time unlike training that ends the motion", unit="s", minimum=0.0
    )
    output_timeout_s: float = parameter(
        0.1,
        "silence of the filter after which a live arm is put on hold, and braked if that was sent "
        "velocities, which a forward controller would go on with",
        unit="s",
        minimum=0.01,
    )
    safety_filter: str = parameter("safety_filter", "node that arms")
    policy: str = parameter("policy", "node that decides")
    output: str = parameter("", "folder of the report; empty: printed only", path=True)

    def check(self) -> list[str]:
        """Return a missing bundle, and a bag where an arm is needed."""
        problems = [] if self.bundle else ["bundle is empty: give the folder of a policy bundle"]
        if self.bag and self.mode != "shadow":
            problems.append(
                f"bag is '{self.bag}', mode {self.mode}: a recording has no arm to check or move, "
                "give mode:=shadow"
            )
        return problems
