"""Read a bag into a `Recording`: arrays in the robot's order, and all that is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sinew_core.bags.bag import CONFIGURATION, STATE, TYPES, Bag, absolute
from sinew_core.bags.checks import (
    Bounds,
    check_positions,
    drop_missing,
    drop_spikes,
    find_gaps,
    usable_velocity,
)
from sinew_core.bags.clock import compare_clocks
from sinew_core.bags.commands import CommandTopic, find_commands, last_text, read_commands
from sinew_core.bags.controller_order import in_joint_order
from sinew_core.bags.defects import Findings
from sinew_core.bags.efforts import usable_effort
from sinew_core.bags.joint_states import JointStates, UndecodableError, decode_joint_states
from sinew_core.bags.recording import Commands, Recording
from sinew_core.bags.samples import Samples, assemble
from sinew_core.bags.storage import seconds
from sinew_core.errors import BagError, RobotError, suggest
from sinew_core.robots.model import RobotModel
from sinew_core.robots.urdf import parse_urdf, without_prefix

_LEAST_SAMPLES = 2


def read_recording(
    path: Path,
    joint_names: Sequence[str],
    *,
    state_topic: str = "joint_states",
    command_topic: str = "",
    command_mode: str = "",
    namespace: str = "",
    joint_prefix: str = "",
    robot: RobotModel | None = None,
) -> Recording:
    """Read the motion and the commands of an arm.

    Args:
        path: folder of a bag, or one of its files.
        joint_names: the n joints, in the order of all arrays.
        state_topic: of the joint states.
        command_topic: empty: found by type and name.
        command_mode: `position`, `velocity` or `effort`; empty: found by name or content.
        namespace: before all topics that do not begin with a slash.
        joint_prefix: in front of the names in the bag's messages and description; the recording is
            without it.
        robot: of these joints: its limits and weight tell wrong units. Without one, the limits of
            a robot description in the bag do.

    Raises:
        BagError: says which bag and topic, what is wrong, and what to do.
    """
    if not joint_names or len(set(joint_names)) != len(joint_names):
        raise BagError(f"joint_names are {list(joint_names)}: give each joint once")
    bag = Bag(path)
    try:
        findings = Findings()
        topic = absolute(state_topic, namespace)
        kinds = read_joint_states(bag, topic, findings)
        place = f"bag '{bag.name}', {topic}"
        if bag.is_unfinished:
            last_ns = max(int(k.log_ns.max()) for k in kinds)
            findings.add("unfinished", topic, 1, last_ns, "the recording was cut off or still runs")
        told = tuple(joint_prefix + name for name in joint_names)
        samples = drop_spikes(assemble(kinds, told, place, findings), place, findings)
        description = without_prefix(_description(bag, namespace, findings), joint_prefix)
        bounds = _bounds(joint_names, robot, description)
        check_positions(samples.position, joint_names, bounds, place)
        topic = absolute(command_topic, namespace) if command_topic else ""
        prefix = f"{absolute('', namespace).rstrip('/')}/"
        source = find_commands(bag, topic, command_mode, prefix, told, findings)
        return _Assembly(bag, place, tuple(joint_names), told, findings).recording(
            samples, source, robot, bounds, description
        )
    finally:
        bag.close()


def read_joint_states(bag: Bag, topic: str, findings: Findings | None = None) -> list[JointStates]:
    """Return the joint states of a topic, by kinds of messages.

    Raises:
        BagError: if there are none, or the bag is damaged.
    """
    if not bag.topics:
        raise BagError(f"bag '{bag.name}' is empty: record again while the arm's driver runs")
    same = bag.topics_of(TYPES[STATE])
    remedy = suggest(topic, same) if same else "record the joint states of the arm"
    bag.require(STATE, topic, f"give state_topic:= or namespace:=, {remedy}")
    try:
        kinds = decode_joint_states(bag.blocks(topic))
    except UndecodableError as error:
        raise BagError(
            f"bag '{bag.name}': the joint state on {topic} recorded at {error.time_ns} ns cannot "
            f"be decoded ({error}): the bag is damaged, record it again"
        ) from None
    found, claimed = sum(k.index.size for k in kinds), bag.counts[topic]
    if findings and found < claimed:
        last = max((int(k.log_ns.max()) for k in kinds), default=0)
        text = f"{found} joint states where the bag claims {claimed}"
        findings.add("lost_messages", topic, claimed - found, last, text)
    return kinds


class _Assembly:
    """What the parts of a recording have in common while it is put together."""

    def __init__(
        self,
        bag: Bag,
        place: str,
        joint_names: tuple[str, ...],
        told: tuple[str, ...],
        findings: Findings,
    ) -> None:
        self._bag = bag
        self._place = place
        self._joint_names = joint_names
        self._told = told
        self._findings = findings

    def recording(
        self,
        samples: Samples,
        source: CommandTopic | None,
        robot: RobotModel | None,
        bounds: Bounds | None,
        description: str,
    ) -> Recording:
        """Check what is left to check, and return all."""
        place, findings = self._place, self._findings
        keep = np.ones(len(samples.position), bool)
        has_velocity = has_effort = False
        if len(samples.position):
            has_velocity = usable_velocity(samples, self._joint_names, place, findings)
            has_effort = usable_effort(samples, self._joint_names, robot, place, findings)
        if has_velocity:
            keep &= drop_missing(samples, samples.velocity, "velocity", place, findings)
        if has_effort:
            keep &= drop_missing(samples, samples.effort, "effort", place, findings)
        samples = samples.rows(keep)
        if len(samples.position) < _LEAST_SAMPLES:
            raise BagError(
                f"{place}: {len(samples.position)} joint states can be used"
                f"{self._why()}: record a motion of some seconds"
            )
        zero_ns = int(samples.stamp_ns[0])
        return Recording(
            source=self._bag.name,
            joint_names=self._joint_names,
            time_s=seconds(samples.stamp_ns - zero_ns),
            position_rad=samples.position,
            velocity_rad_s=samples.velocity if has_velocity else None,
            effort_nm=samples.effort if has_effort else None,
            zero_ns=zero_ns,
            gaps=find_gaps(samples, place, findings),
            commands=self._commands(samples, source, bounds, zero_ns),
            robot_description=description,
            defects=findings.all(),
        )

    def _commands(
        self, samples: Samples, source: CommandTopic | None, bounds: Bounds | None, zero_ns: int
    ) -> Commands | None:
        if source is None:
            return None
        clock = compare_clocks(samples.log_ns, samples.stamp_ns)
        commands = read_commands(self._bag, source, self._told, clock, zero_ns, self._findings)
        if commands is None:
            return None
        commands = in_joint_order(self._bag, commands, self._told, self._findings)
        if commands.mode == "position":
            place = f"bag '{self._bag.name}', {commands.topic}"
            check_positions(commands.values, self._joint_names, bounds, place)
        return commands

    def _why(self) -> str:
        kinds = ", ".join(defect.kind for defect in self._findings.all())
        return f" ({kinds})" if kinds else ""


def _description(bag: Bag, namespace: str, findings: Findings) -> str:
    """Return the robot description of the namespace, or else the only one."""
    topic = absolute("robot_description", namespace)
    named = [t for t in bag.topics_of(TYPES[CONFIGURATION]) if t.endswith("/robot_description")]
    if topic not in named and len(named) == 1:
        topic = named[0]
    return last_text(bag, topic, findings)


def _bounds(
    joint_names: Sequence[str], robot: RobotModel | None, description: str
) -> Bounds | None:
    """Return the limits of the joints, None where nothing gives them."""
    if robot is not None and robot.joint_names == tuple(joint_names):
        return robot.limits.position_lower_rad, robot.limits.position_upper_rad
    try:
        urdf = parse_urdf(description, "robot_description")
        joints = {joint.name: joint for joint in urdf.joint_by_child.values()}
        limits = [joints[name].limits for name in joint_names]
        lower, upper = (np.array([each[key] for each in limits]) for key in ("lower", "upper"))
    except (RobotError, KeyError):
        return None
    return (lower, upper) if (lower < upper).all() else None
