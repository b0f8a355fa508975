"""Find and read what a controller was told.

Commands carry no stamp of their own, so the log time counts, brought to the clock of the joint
states' stamps. Commands of our own safety filter name the joint state that they answer; these
stamps count only where log time is of no use, because the simulation did not run in real time:
there the arm takes a command at the very state that it answers.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from rosbags.typesys.stores.ros2_jazzy import std_msgs__msg__Float64MultiArray as ArrayMessage
from rosbags.typesys.stores.ros2_jazzy import (
    trajectory_msgs__msg__JointTrajectory as TrajectoryMessage,
)

from sinew_core.bags.bag import COMMAND, OUTPUT, TYPES, Bag, Recorded
from sinew_core.bags.clock import SAME, SHIFTED, StampClock
from sinew_core.bags.defects import Findings
from sinew_core.bags.joint_states import typestore
from sinew_core.bags.recording import Commands
from sinew_core.bags.storage import LATEST_NS, Integers, seconds
from sinew_core.errors import BagError, suggest
from sinew_core.robots.arrays import Array

FIELDS = {"position": "positions", "velocity": "velocities", "effort": "effort"}
"""Mode to the field of a trajectory's point that carries it."""
_WORDS = {**{mode: mode for mode in FIELDS}, "torque": "effort"}
_FIRST = 20
"""Commands by which it is told for which joints a topic is."""
_ORIGIN = 4
_MAX_DIGITS = 20
_COUNT = struct.Struct("<I")
Values = Sequence[float]


@dataclass(frozen=True, kw_only=True)
class CommandTopic:
    """Where commands are, and how to take them; mode '' is found by what is in them."""

    topic: str
    mode: str


def find_commands(
    bag: Bag,
    topic: str,
    mode: str,
    prefix: str,
    joint_names: Sequence[str],
    findings: Findings,
) -> CommandTopic | None:
    """Return the topic of commands; None, and a defect, where there is none.

    Args:
        bag: open.
        topic: absolute; empty: found among those under `prefix`.
        mode: `position`, `velocity` or `effort`; empty: as the topic's name or content says.
        prefix: `/`, or a namespace between slashes.
        joint_names: of the arm; of several topics those with commands for it count.
        findings: takes the defect.

    Raises:
        BagError: the topic named is not there or of another type, several could be meant, or its
            name says another mode.
    """
    if mode and mode not in FIELDS:
        raise BagError(f"command_mode '{mode}' is not known: {suggest(mode, FIELDS)}")
    if topic:
        found = bag.topics.get(topic)
        if found not in (TYPES[OUTPUT], TYPES[COMMAND]):
            has = _command_topics(bag)
            raise BagError(
                f"bag '{bag.name}' has no commands on {topic}"
                f"{f', which is of {found}' if found else ''}: "
                f"{suggest(topic, has) if has else 'record the commands of the controller'}"
            )
    else:
        topic = _choose(bag, prefix, joint_names)
    if not topic:
        same = _command_topics(bag)
        text = f"no commands, among {', '.join(same)}" if same else "no commands in the bag"
        findings.add("no_commands", prefix, 1, 0, text)
        return None
    if bag.topics[topic] == TYPES[OUTPUT]:
        mode = _array_mode(bag, topic, mode, prefix)
    return CommandTopic(topic=topic, mode=mode)


def _command_topics(bag: Bag) -> list[str]:
    return bag.topics_of(TYPES[OUTPUT]) + bag.topics_of(TYPES[COMMAND])


def _array_mode(bag: Bag, topic: str, mode: str, prefix: str) -> str:
    """Return what an array commands: nothing in it tells, so its name and what is given agree.

    Raises:
        BagError: they do not, or neither says anything.
    """
    name = topic.removeprefix(prefix).lower()
    named = list({_WORDS[word] for word in _WORDS if word in name})
    if len(named) == 1 and mode and mode != named[0]:
        raise BagError(
            f"bag '{bag.name}': {topic} is of {named[0]} commands by its name, but the mode given "
            f"is {mode}: correct `mode` in the file of controller:=, or name the topic that the "
            "controller listens to with command_topic:="
        )
    if len(named) != 1 and not mode:
        raise BagError(
            f"bag '{bag.name}': {topic} does not say what it commands: "
            f"give a file with `mode` {', '.join(FIELDS)} by controller:="
        )
    return mode or named[0]


def _choose(bag: Bag, prefix: str, joint_names: Sequence[str]) -> str:
    """Return the topic nearest to the controller with commands for these joints; '' for none.

    Where no topic has any, the nearest counts, so that what is wrong with it is told.
    """
    endings = (
        (OUTPUT, "/commands"),
        (COMMAND, "/joint_trajectory"),
        (COMMAND, "/command"),
    )
    found = [
        [t for t in bag.topics_of(TYPES[kind]) if t.startswith(prefix) and t.endswith(ending)]
        for kind, ending in endings
    ]
    topics = [topic for same in found for topic in same]
    if len(topics) > 1:
        # A gripper's commands may be the nearer ones.
        topics = [t for t in topics if _is_for(bag, t, joint_names)] or topics
    for same in found:
        named = [topic for topic in same if topic in topics]
        if len(named) > 1:
            raise BagError(
                f"bag '{bag.name}' has commands on {' and '.join(named)}: "
                "name those of the arm with command_topic:="
            )
        if named:
            return named[0]
    return ""


def _is_for(bag: Bag, topic: str, joint_names: Sequence[str]) -> bool:
    """Tell whether one of the first commands is as long as the arm has joints, or names them."""
    is_array = bag.topics[topic] == TYPES[OUTPUT]
    for message in itertools.islice(bag.messages({topic: OUTPUT if is_array else COMMAND}), _FIRST):
        if is_array:
            _, values = bag.decode(message, decode_array)
            if len(values) == len(joint_names):
                return True
        elif set(joint_names) <= set(bag.decode(message, _decode_trajectory).joint_names):
            return True
    return False


def read_commands(
    bag: Bag,
    source: CommandTopic,
    joint_names: Sequence[str],
    clock: StampClock,
    zero_ns: int,
    findings: Findings,
) -> Commands | None:
    """Read the commands of n joints; None where not one can be used.

    Raises:
        BagError: a message is damaged, or the mode does not show.
    """
    is_array = bag.topics[source.topic] == TYPES[OUTPUT]
    mode, log_ns, values, answered = source.mode, [], [], []
    wrong: list[int] = []
    longer: list[int] = []
    for message in bag.messages({source.topic: OUTPUT if is_array else COMMAND}):
        if is_array:
            label, row = bag.decode(message, decode_array)
        else:
            trajectory = bag.decode(message, _decode_trajectory)
            mode = mode or _mode_of(trajectory)
            label, row = "", _point(trajectory, mode, joint_names)
            if len(trajectory.points) > 1:
                longer.append(message.time_ns)
        if len(row) != len(joint_names) or not np.isfinite(row).all():
            wrong.append(message.time_ns)
            continue
        log_ns.append(message.time_ns)
        values.append(row)
        answered.append(_stamp_of(label))
    _note(source.topic, wrong, longer, len(wrong) + len(values), findings)
    if not values:
        text = f"no message has a value for each joint, among {', '.join(_command_topics(bag))}"
        findings.add("no_commands", source.topic, 1, 0, text)
        return None
    times = np.array(log_ns, np.int64)
    time_s = _times(times, np.array(answered, np.int64), clock, zero_ns, source.topic, findings)
    return Commands(
        mode=mode, time_s=time_s, values=np.array(values, np.float64), topic=source.topic
    )


def _stamp_of(label: str) -> int:
    """Return the stamp in a label, -1 where it is none."""
    stamp_ns = int(label) if label.isdecimal() and len(label) < _MAX_DIGITS else -1
    return stamp_ns if stamp_ns <= LATEST_NS else -1


def _note(topic: str, wrong: list[int], longer: list[int], total: int, findings: Findings) -> None:
    if wrong:
        text = f"{len(wrong)} of {total} commands do not have one finite value per joint"
        findings.add("command_malformed", topic, len(wrong), wrong[0], text)
    if longer:
        text = f"{len(longer)} of {total} trajectories have several points"
        findings.add("command_points", topic, len(longer), longer[0], text)


def _times(
    log_ns: Integers,
    answered_ns: Integers,
    clock: StampClock,
    zero_ns: int,
    topic: str,
    findings: Findings,
) -> Array:
    """Return when commands (m,) came, in s of the stamps' clock, and say how it is known."""
    measured = (
        f"{log_ns.size} commands at their log times; joint states are logged "
        f"{clock.offset_s * 1e3:.4g} ms after their stamps, jitter {clock.jitter_s * 1e3:.3g} ms"
    )
    time_s = clock.to_stamps(log_ns, zero_ns)
    kind = {SAME: "command_log_time", SHIFTED: "command_clock"}.get(clock.relation, "")
    if not kind and (answered_ns >= 0).all():
        kind, time_s = "command_answered", seconds(answered_ns - zero_ns)
    findings.add(kind or "command_warped", topic, log_ns.size, int(log_ns[0]), measured)
    return np.maximum.accumulate(time_s)


def decode_array(data: bytes) -> tuple[str, Values]:
    """Return the label of the first dimension, '' without one, and the values of a message.

    Raises:
        struct.error, ValueError: if it is no `Float64MultiArray`.
    """
    if not data.startswith(b"\x00\x01"):
        decoded = cast(ArrayMessage, typestore().deserialize_cdr(data, TYPES[OUTPUT]))
        dimensions = decoded.layout.dim
        return dimensions[0].label if dimensions else "", decoded.data.tolist()
    at, label = _ORIGIN + 4, ""
    for index in range(_COUNT.unpack_from(data, _ORIGIN)[0]):
        at += -(at - _ORIGIN) % 4
        (size,) = _COUNT.unpack_from(data, at)
        if not index:
            label = data[at + 4 : at + 4 + size].rstrip(b"\0").decode()
        at += 4 + size
        at += -(at - _ORIGIN) % 4 + 8
    (count,) = _COUNT.unpack_from(data, at + 4)
    at += 8
    if not count:
        return label, ()
    at += -(at - _ORIGIN) % 8
    if 8 * count > len(data) - at:
        raise ValueError(f"{count} values do not fit {len(data)} bytes")
    return label, struct.unpack_from(f"<{count}d", data, at)


def _decode_trajectory(data: bytes) -> TrajectoryMessage:
    return cast(TrajectoryMessage, typestore().deserialize_cdr(data, TYPES[COMMAND]))


def _mode_of(trajectory: TrajectoryMessage) -> str:
    """Return what a trajectory commands; positions come first, as controllers follow them."""
    if not trajectory.points:
        return ""
    return next((m for m, f in FIELDS.items() if len(getattr(trajectory.points[0], f))), "")


def _point(trajectory: TrajectoryMessage, mode: str, joint_names: Sequence[str]) -> Values:
    """Return the values of the first point in the order of the joints, () without them."""
    if not trajectory.points or not mode:
        return ()
    values = getattr(trajectory.points[0], FIELDS[mode])
    if len(values) != len(trajectory.joint_names):
        return ()
    by_name: Mapping[str, float] = dict(zip(trajectory.joint_names, values.tolist(), strict=True))
    return [by_name[name] for name in joint_names if name in by_name]


def last_text(bag: Bag, topic: str, findings: Findings) -> str:
    """Return the last text of a topic of strings, '' where there is none.

    Raises:
        BagError: a message is damaged.
    """
    if bag.topics.get(topic) != TYPES["configuration"]:
        return ""
    texts = {}
    for message in bag.messages({topic: "configuration"}):
        texts[bag.decode(message, decode_text)] = message
    if len(texts) > 1:
        first: Recorded = next(iter(texts.values()))
        text = f"{len(texts)} different texts"
        findings.add("description_repeated", topic, len(texts), first.time_ns, text)
    return next(reversed(texts), "")


def decode_text(data: bytes) -> str:
    """Return the text of a `std_msgs/msg/String`.

    Raises:
        ValueError: if it is none.
    """
    if len(data) < 8 or data[0] or data[1] > 1:
        raise ValueError(f"{len(data)} bytes are no text")
    size = int.from_bytes(data[4:8], "little" if data[1] else "big")
    if size > len(data) - 8:
        raise ValueError(f"a text of {size} bytes in {len(data)}")
    return data[8 : 8 + size].rstrip(b"\0").decode()
