"""What distinguishes the driver of a real arm from the plain simulated one."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import Parameters, parameter

PRESENT, NANS, EMPTY = "present", "nans", "empty"
_CONTENTS = (PRESENT, NANS, EMPTY)


@dataclass(frozen=True, kw_only=True)
class ArmParameters(Parameters):
    """How an emulated arm behaves; joints are named without the prefix, all defaults are plain."""

    robot: str = parameter("", "Robot that this describes, another one is refused; empty: any")
    raw_topic: str = parameter(
        "", "Topic of every joint state where joint_states is merged from it; empty: not merged"
    )
    merged_rate_hz: float = parameter(
        30.0, "Rate of the merged joint_states", unit="Hz", minimum=1.0, maximum=1000.0
    )
    joint_order: tuple[str, ...] = parameter(
        (), "Order of the joints in joint states; empty: the robot's"
    )
    extra_joints: tuple[str, ...] = parameter(
        (), "Other joints in joint_states, such as a gripper's; they rest at 0"
    )
    extra_apart: bool = parameter(False, "Whether those come in messages of their own")
    parts: int = parameter(
        1, "Messages over which the joints of each state are spread", minimum=1, maximum=16
    )
    velocity: str = parameter(PRESENT, "Velocities in joint states", choices=_CONTENTS)
    effort: str = parameter(PRESENT, "Efforts in joint states", choices=_CONTENTS)
    endless_joints: tuple[str, ...] = parameter(
        (), "Joints without ends, whose positions are told within -pi to pi"
    )
    controller_node: bool = parameter(
        False,
        "Whether a node of the controller's name has its parameters joints and interface_name or "
        "command_interfaces, and a controller manager tells of it in diagnostics",
    )
    controller_joints: tuple[str, ...] = parameter(
        (), "Order of the joints at the controller; empty: the robot's"
    )
    on_wrong_length: str = parameter(
        "ignore",
        "What a command of wrong length does to the controller",
        choices=("ignore", "deactivate"),
    )
    follows: bool = parameter(
        True, "Whether the arm moves; old drivers take commands and stay where they are"
    )
    guard: str = parameter(
        "none",
        "What stops the arm: positions (connection closed at jumps, too many commands, range), or "
        "steps (reflex at a step that no acceleration within the limits makes)",
        choices=("none", "positions", "steps"),
    )
