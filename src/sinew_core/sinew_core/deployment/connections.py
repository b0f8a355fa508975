"""Who publishes and subscribes what: second sources, missing partners, QoS that does not fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from sinew_core.controllers import TRAJECTORY
from sinew_core.deployment.checks import Check, unknown

ACTIVITY = "Controllers Activity"
"""Ends the name of the diagnostics by which ros2_control tells the state of each controller."""

_NAMELESS = "/_NODE_NAME_UNKNOWN_"
"""Ends the name of a node that the middleware has just found, or that was killed and is not yet
gone."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Connection:
    """One topic as the middleware knows it.

    Attributes:
        topic: its name.
        publishers, subscribers: full names of nodes, each once: one that was killed and started
            again stays visible beside itself for some 20 s.
        problems: one sentence for each pair whose QoS does not fit.
    """

    topic: str
    publishers: tuple[str, ...] = ()
    subscribers: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether the middleware knows the node of every publisher and subscriber."""
        return not any(name.endswith(_NAMELESS) for name in (*self.publishers, *self.subscribers))


def check_qos(connections: Sequence[Connection]) -> Check:
    """Check that every pair of publisher and subscriber can talk."""
    problems = [problem for connection in connections for problem in connection.problems]
    ends = sum(len(c.publishers) + len(c.subscribers) for c in connections)
    return Check(
        what="QoS of every connection",
        found="; ".join(problems) if problems else f"{ends} ends of {len(connections)} topics fit",
        expected="joint_states any, commands reliable and volatile, descriptions transient local",
        remedy="change the QoS of the node named (qos_overrides, or its own parameter)",
        passed=not problems,
    )


def check_source(
    connection: Connection, what: str, *, ours: str = "", others_allowed: bool = False
) -> Check:
    """Check that one node publishes a topic, and no second one.

    Args:
        connection: the topic.
        what: how the check is called.
        ours: full name of the node that has to; empty: any.
        others_allowed: whether more than one may.
    """
    found = connection.publishers
    others = [name for name in found if name != ours] if ours else list(found[1:])
    present = ours in found if ours else bool(found)
    return Check(
        what=what,
        found=f"{', '.join(found) or 'nobody'} on {connection.topic}",
        expected=f"{ours or 'one node'}" + ("" if others_allowed else ", and no other"),
        remedy=(
            "end the other publisher: two sources would take turns at the arm"
            if present and others
            else "start the node, or check namespace and remaps"
        ),
        passed=present and (others_allowed or not others),
    )


def check_controller(connection: Connection, controller: str) -> Check:
    """Check that the controller listens where the filter publishes."""
    name = controller.rpartition("/")[2]
    found = connection.subscribers
    by_name = [node for node in found if node.rpartition("/")[2] == name]
    return Check(
        what="controller",
        found=f"{', '.join(found) or 'nobody'} subscribes {connection.topic}",
        expected=f"'{controller}', or a driver in its place",
        remedy=(
            "load and activate the controller (ros2 control switch_controllers --activate "
            f"{name}), or check controller:= and namespace"
        ),
        passed=bool(found),
        known=bool(by_name) or not found,
    )


def check_active(controller: str, states: Mapping[str, str], source: str) -> Check:
    """Check that the controller is active.

    Args:
        controller: its name, with or without a namespace.
        states: lifecycle state by controller; empty where nobody tells.
        source: who told.
    """
    name = controller.rpartition("/")[2]
    what, expected = "controller active", f"'{name}' is active and has claimed its interfaces"
    remedy = (
        f"ros2 control switch_controllers --activate {name}, and see what else holds the joints"
    )
    if not states:
        return unknown(
            what,
            "no controller manager tells: neither its services nor its diagnostics are here",
            expected,
            "look with `ros2 control list_controllers`; a simulated driver has no manager",
        )
    state = states.get(name, "")
    others = [
        n for n, s in states.items() if s == "active" and n != name and "broadcaster" not in n
    ]
    also = f"; also active: {', '.join(others)}" if others else ""
    return Check(
        what=what,
        found=f"{state or 'not loaded'} ({source}){also}",
        expected=expected,
        remedy=remedy,
        passed=state == "active",
    )


def activity(name: str, values: Mapping[str, str]) -> dict[str, str]:
    """Return the controllers' states from diagnostics of a controller manager, else nothing.

    The keys are NAME in Jazzy's first releases and NAME.state later, beside statistics.
    """
    if not name.endswith(ACTIVITY):
        return {}
    known = ("unconfigured", "inactive", "active", "finalized")
    return {k.removesuffix(".state"): v for k, v in values.items() if v in known}


def check_joint_order(
    controller: str,
    joints: Sequence[str] | None,
    names: Sequence[str],
    *,
    reads: bool,
) -> Check:
    """Check the joints of the controller, in its own order.

    Args:
        controller: its name.
        joints: its parameter `joints`; None where it does not answer.
        names: of the arm, with prefix, in the order of the robot.
        reads: whether the filter reads the parameter and sends in that order.
    """
    what = "joint order of the controller"
    expected = "the arm's joints" + (", in any order" if reads else ", in the robot's order")
    remedy = (
        "set the controller's `joints` to the arm's"
        if reads
        else "let the filter read the order, controller_joints:=read"
    )
    if joints is None:
        found = f"'{controller}' does not answer for its parameter `joints`"
        if not reads:
            return unknown(what, found, expected, "compare by hand; a simulated driver has none")
        return Check(
            what=what,
            found=found,
            expected=expected,
            remedy="check controller:=, and that the controller is loaded",
            passed=False,
        )
    same = list(joints) == list(names) if not reads else sorted(joints) == sorted(names)
    return Check(
        what=what,
        found=", ".join(joints) or "no joints",
        expected=expected,
        remedy=remedy,
        passed=same,
    )


def check_unit(controller: str, interface: str, *, adapter: str, sent: str) -> Check:
    """Check that the controller takes what the filter sends: nothing in an array tells its unit.

    Args:
        controller: its name.
        interface: its parameter `interface_name`, empty where it does not answer.
        adapter: of the filter.
        sent: the interface whose unit the filter's outputs have, such as `velocity`.
    """
    what = "unit of the controller"
    if adapter == TRAJECTORY:
        # Such a controller tracks positions by whatever interfaces it commands.
        expected = "trajectories of positions, as the filter sends"
        return Check(what=what, found=expected, expected=expected, remedy="", passed=True)
    expected = f"{sent}, as the filter sends"
    if not interface:
        found = f"'{controller}' does not answer for its parameter `interface_name`"
        remedy = "compare its type in `ros2 control list_controllers`; a simulated driver has none"
        return unknown(what, found, expected, remedy)
    return Check(
        what=what,
        found=interface,
        expected=expected,
        remedy=f"activate a controller of {sent} and name it, controller:=, or change adapter:= "
        "or command_mode:=",
        passed=interface == sent,
    )
