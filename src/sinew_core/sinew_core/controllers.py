"""Which ros2_control controller the safety filter's outputs go to, and what it takes.

A forward controller takes arrays in one unit, that of its command interface, and cannot tell others
from them. A trajectory controller takes positions, whatever it commands the drives.
"""

from __future__ import annotations

from collections.abc import Mapping

FORWARD, TRAJECTORY = "forward", "trajectory"
_PARAMETERS = ("mode", "adapter", "output", "controller", "trajectory_controller")
_TRAJECTORY_CONTROLLER = "joint_trajectory_controller"


def sent_mode(mode: str, adapter: str, output: str) -> str:
    """Return the action mode whose unit the outputs have, for commands of `mode`."""
    return "joint_position" if adapter == TRAJECTORY or output == "positions" else mode


def interface_name(mode: str) -> str:
    """Return the command interface that has the unit of an action mode, such as `velocity`."""
    return mode.removeprefix("joint_")


def controller_name(
    sent: str, adapter: str, controller: str = "", trajectory_controller: str = ""
) -> str:
    """Return the name of the controller that takes the outputs.

    Args:
        sent: the action mode whose unit they have.
        adapter: `forward` or `trajectory`.
        controller: the name that was given; empty: the usual one.
        trajectory_controller: what the robot's trajectory controller is usually called; it says
            nothing of forward controllers, whose usual names follow the unit.
    """
    if controller:
        return controller
    if adapter == TRAJECTORY:
        return trajectory_controller or _TRAJECTORY_CONTROLLER
    return f"forward_{interface_name(sent)}_controller"


def configured_controller(parameters: Mapping[str, object]) -> str:
    """Return the name of the controller that a safety filter of these parameters sends to."""
    mode, adapter, output, *names = (str(parameters.get(name, "")) for name in _PARAMETERS)
    return controller_name(sent_mode(mode, adapter, output), adapter, *names)


def output_topic(adapter: str, controller: str) -> str:
    """Return where a controller of this name listens."""
    return f"{controller}/{'joint_trajectory' if adapter == TRAJECTORY else 'commands'}"
