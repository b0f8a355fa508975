"""In which order a controller takes the values of an array: nothing in the message tells.

A safety filter that has read the joints of its controller sends values in their order, and records
them in its configuration, `<node>/configuration`. Without one an array is in the robot's order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import yaml

from sinew_core.bags.bag import CONFIGURATION, OUTPUT, TYPES, Bag
from sinew_core.bags.commands import decode_text
from sinew_core.bags.defects import Findings
from sinew_core.bags.recording import Commands
from sinew_core.controllers import FORWARD, configured_controller, output_topic
from sinew_core.errors import BagError, ConfigError
from sinew_core.joint_order import joint_order


def in_joint_order(
    bag: Bag, commands: Commands, joint_names: Sequence[str], findings: Findings
) -> Commands:
    """Return commands with their values (m, n) in the order of joints, as messages name these.

    Raises:
        BagError: the controller's joints are others.
    """
    if bag.topics[commands.topic] != TYPES[OUTPUT]:  # trajectories name their joints
        return commands
    joints = _controller_joints(bag, commands.topic)
    if not joints or joints == tuple(joint_names):
        return commands
    try:
        order = joint_order(joints, joint_names, f"bag '{bag.name}': joints of {commands.topic}")
    except ConfigError as error:
        raise BagError(str(error)) from None
    text = f"values are in the order of the controller's joints, {', '.join(joints)}"
    findings.add("command_order", commands.topic, len(commands.values), 0, text)
    values = commands.values.copy()
    values[:, list(order)] = commands.values
    return dataclasses.replace(commands, values=values)


def _controller_joints(bag: Bag, topic: str) -> tuple[str, ...]:
    """Return the joints that the safety filter on a topic read last, () where none tells."""
    named = [t for t in bag.topics_of(TYPES[CONFIGURATION]) if t.endswith("/configuration")]
    found: tuple[str, ...] = ()
    for message in bag.messages(dict.fromkeys(named, CONFIGURATION)) if named else ():
        content = _content(bag.decode(message, decode_text))
        joints = _mapping(content.get("controller")).get("joints")
        if isinstance(joints, list) and _sends_to(content, topic):
            found = tuple(map(str, joints))
    return found


def _sends_to(content: Mapping[str, object], topic: str) -> bool:
    """Tell whether the outputs of a filter of this configuration are on a topic."""
    parameters = _mapping(_mapping(content.get("safety_filter")).get("ros__parameters"))
    controller = configured_controller(parameters).removeprefix("/")
    return topic.endswith(f"/{output_topic(FORWARD, controller)}")


def _content(text: str) -> Mapping[str, object]:
    # Whatever else a text may be, it is no configuration.
    try:
        return _mapping(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
