"""Read what an evaluation needs of a recorded deployment, and say what is not there."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import yaml

from sinew_core.bags.bag import (
    COMMAND,
    CONFIGURATION,
    DIAGNOSTICS,
    OUTPUT,
    POSE,
    TRAJECTORY,
    TYPES,
    Bag,
    absolute,
)
from sinew_core.bags.commands import decode_text
from sinew_core.bags.defects import Findings
from sinew_core.bags.messages import (
    Command,
    decode_causes,
    decode_command,
    decode_command_stamp,
    decode_diagnostics,
    decode_pose,
)
from sinew_core.bags.reader import read_joint_states
from sinew_core.bags.storage import Integers
from sinew_core.controllers import configured_controller
from sinew_core.deployment.bag_parameters import BagEvaluationParameters
from sinew_core.deployment.bag_segments import FilterReport, Place
from sinew_core.deployment.bag_states import RecordedStates, merge_states
from sinew_core.errors import BagError

M = TypeVar("M")

_INTERVENTIONS = "interventions: "
_NO_CHANGE = "none"


class Setting(NamedTuple):
    """What the safety filter recorded of itself; empty where it is not in the bag.

    Attributes:
        pace, mode, robot, joint_prefix: its parameters.
        outputs: topics on which its outputs may be, relative to its namespace.
    """

    pace: str = ""
    mode: str = ""
    robot: str = ""
    joint_prefix: str = ""
    outputs: tuple[str, ...] = ()


class Outputs(NamedTuple):
    """Outputs of the safety filter that follow a command, k of them.

    Attributes:
        log_ns: (k,) when each was recorded.
        command_ns: (k,) stamp of the joint state that the command answers.
    """

    log_ns: Integers
    command_ns: Integers


@dataclass(frozen=True, kw_only=True)
class DeploymentRecord:
    """A recorded deployment.

    Attributes:
        source: path of the bag, for messages.
        states: of the arm's joints.
        targets, objects: in the order of recording; those in other frames are left out.
        reports: of the safety filter.
        outputs: of the safety filter.
        commands: of the policy; empty unless they were asked for.
        interventions: joint commands that the filter changed, as its own topic tells; None where
            the bag has none.
        missing: for each topic that the bag lacks, what it has instead.
        notes: what is to be known of the bag, one sentence each.
    """

    source: str
    states: RecordedStates
    targets: Sequence[Place]
    objects: Sequence[Place]
    reports: Sequence[FilterReport]
    outputs: Outputs
    commands: Sequence[Command] = ()
    interventions: int | None = None
    missing: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_setting(bag: Bag, parameters: BagEvaluationParameters) -> Setting:
    """Return what the safety filter's configuration in a bag says; nothing where it has none."""
    topic = absolute(f"{parameters.safety_filter}/configuration", parameters.namespace)
    return parse_setting(_last_text(bag, topic), parameters.safety_filter)


def parse_setting(text: str, safety_filter: str) -> Setting:
    """Return what a configuration of the node of this name says; nothing of any other text."""
    try:
        values = yaml.safe_load(text)["safety_filter"]["ros__parameters"]
        texts = {str(name): str(value) for name, value in values.items()}
    # Whatever else the text may be, it is no configuration.
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Setting()
    controller = configured_controller(texts)
    return Setting(
        pace=texts.get("pace", ""),
        mode=texts.get("mode", ""),
        robot=texts.get("robot", ""),
        joint_prefix=texts.get("joint_prefix", ""),
        outputs=(
            f"{controller}/commands",
            f"{controller}/joint_trajectory",
            f"{safety_filter}/shadow",
        ),
    )


class DeploymentReader:
    """Reads the topics of one bag."""

    def __init__(self, bag: Bag, parameters: BagEvaluationParameters, setting: Setting) -> None:
        """Take an open bag; `setting` is what its safety filter recorded."""
        self._bag, self._p, self._setting = bag, parameters, setting
        self._missing: dict[str, str] = {}
        self._notes: list[str] = []

    def read(
        self, joint_names: Sequence[str], frames: Collection[str], *, with_commands: bool
    ) -> DeploymentRecord:
        """Return all that the bag holds of the evaluation's topics.

        Args:
            joint_names: the n joints, as the messages name them.
            frames: in which targets and object poses are accepted.
            with_commands: whether the policy's commands are of interest.

        Raises:
            BagError: without joint states of these joints, or for a damaged bag.
        """
        states = self._states(joint_names)
        reports = self._reports()
        return DeploymentRecord(
            source=self._bag.name,
            states=states,
            targets=self._places(self._p.target_topic, frames),
            objects=self._places(self._p.object_topic, frames),
            reports=reports,
            outputs=self._outputs(),
            commands=self._commands() if with_commands else (),
            interventions=self._interventions(),
            missing=self._missing,
            notes=(*self._notes, *_state_notes(states), *_recorder_notes(self._bag)),
        )

    def _topic(self, name: str) -> str:
        return absolute(name, self._p.namespace)

    def _states(self, joint_names: Sequence[str]) -> RecordedStates:
        topic, findings = self._topic(self._p.state_topic), Findings()
        kinds = read_joint_states(self._bag, topic, findings)
        self._notes += [defect.text for defect in findings.all()]
        named = {name for kind in kinds for name in kind.names}
        lacking = [name for name in joint_names if name not in named]
        if lacking:
            raise BagError(
                f"bag '{self._bag.name}', {topic} has no {', '.join(lacking)}, it has "
                f"{', '.join(sorted(named)[:20]) or 'no joint at all'}: give robot:=, "
                "joint_prefix:= or state_topic:= of the arm that was recorded"
            )
        states = merge_states(kinds, joint_names)
        if not states.count:
            raise BagError(
                f"bag '{self._bag.name}', {topic} never tells the positions of all "
                f"{len(joint_names)} joints: record the arm's own joint states"
            )
        return states

    def _messages(
        self, topic: str, kind: str, decode: Callable[[bytes], M]
    ) -> Iterator[tuple[int, M]]:
        """Return log time and content of each message of a topic; note a topic that is missing."""
        if self._bag.topics.get(topic) != TYPES[kind]:
            same = self._bag.topics_of(TYPES[kind])
            self._missing[topic] = f"of {TYPES[kind]} the bag has {', '.join(same) or 'none'}"
            return
        for message in self._bag.messages({topic: kind}):
            yield message.time_ns, self._bag.decode(message, decode)

    def _places(self, name: str, frames: Collection[str]) -> list[Place]:
        topic, places, refused = self._topic(name), [], set()
        for log_ns, pose in self._messages(topic, POSE, decode_pose):
            if pose.frame in frames and pose.finite:
                places.append(Place(log_ns, pose.stamp_ns, pose.position_m))
            else:
                refused.add(pose.frame)
        if refused:
            found, allowed = (", ".join(map(repr, sorted(f))) for f in (refused, set(frames)))
            self._notes.append(
                f"{topic}: poses in {found} are left out, as the policy leaves them, because they "
                f"are not finite or not in {allowed}: give target_frame:= if that is the base"
            )
        return places

    def _reports(self) -> list[FilterReport]:
        topic = self._topic(self._p.diagnostics_topic)
        name = self._topic(self._p.safety_filter).lstrip("/")
        reports = []
        for log_ns, nodes in self._messages(topic, DIAGNOSTICS, decode_diagnostics):
            for node in nodes:
                if node.name == name and "state" in node.values:
                    reports.append(_filter_report(log_ns, node.values))
        if not reports and topic not in self._missing:
            self._missing[topic] = f"no node in it is called {name}"
        return reports

    def _outputs(self) -> Outputs:
        """Return the outputs on the first topic that has any with a command's stamp."""
        for topic, kind in self._output_topics():
            decode = functools.partial(decode_command_stamp, kind=kind)
            found = [
                (message.time_ns, stamp_ns)
                for message in self._bag.messages({topic: kind})
                if (stamp_ns := self._bag.decode(message, decode)) is not None
            ]
            if found:
                columns = np.array(found, np.int64)
                return Outputs(columns[:, 0], columns[:, 1])
        return Outputs(np.empty(0, np.int64), np.empty(0, np.int64))

    def _output_topics(self) -> list[tuple[str, str]]:
        bag = self._bag
        kinds = {TYPES[OUTPUT]: OUTPUT, TYPES[COMMAND]: TRAJECTORY}
        endings = ("/commands", "/joint_trajectory", "/shadow")
        given = (self._p.output_topic,) if self._p.output_topic else self._setting.outputs
        names = [self._topic(name) for name in given]
        if not names:
            space = self._topic("")
            names = [t for t in bag.topics if t.startswith(space) and t.endswith(endings)]
        found = [(name, kinds.get(bag.topics.get(name, ""), "")) for name in names]
        return [(name, kind) for name, kind in found if kind]

    def _commands(self) -> list[Command]:
        mode = self._setting.mode
        if not mode:
            return []
        topic = self._topic(self._p.command_topic)
        found = self._messages(topic, COMMAND, lambda data: decode_command(data, mode))
        return sorted((c for _, c in found if c.values), key=lambda command: command.stamp_ns)

    def _interventions(self) -> int | None:
        topic = self._topic(f"{self._p.safety_filter}/interventions")
        causes = [c for _, c in self._messages(topic, COMMAND, decode_causes)]
        if topic in self._missing:
            return None
        return sum(cause != _NO_CHANGE for each in causes for cause in each)


def _filter_report(log_ns: int, values: dict[str, str]) -> FilterReport:
    counts = [v for k, v in values.items() if k.startswith(_INTERVENTIONS)]
    return FilterReport(
        log_ns=log_ns,
        state=values["state"],
        reason=values.get("reason", ""),
        interventions=sum(int(count) for count in counts if count.isdecimal()),
    )


def _state_notes(states: RecordedStates) -> list[str]:
    told = {
        "joint states carry no stamps, their log times stand for them": states.unstamped,
        f"{states.foreign} joint states tell nothing of this arm": states.foreign,
        f"{states.late} joint states came later than newer ones and are left out": states.late,
        f"the clock jumps {states.clock_jumps} times, or joint states are missing for more than "
        "1.5 s": states.clock_jumps,
        f"{states.differentiated} of {states.count} joint states have velocities that are "
        "differences of positions": states.differentiated,
    }
    return [sentence for sentence, applies in told.items() if applies]


def _recorder_notes(bag: Bag) -> list[str]:
    """Say what the recorder itself counted as lost, and whether it could end."""
    notes = []
    if bag.is_unfinished:
        notes.append("the recording was cut off or still runs: its last file is not read")
    for topic in bag.topics_of(TYPES[CONFIGURATION]):
        if topic.endswith("record/configuration"):
            try:
                measured = yaml.safe_load(_last_text(bag, topic))["measured"]
                dropped = int(measured["dropped"])
            except (yaml.YAMLError, TypeError, KeyError, ValueError):
                continue
            if dropped:
                notes.append(f"the recorder dropped {dropped} messages: its disk was too slow")
    return notes


def _last_text(bag: Bag, topic: str) -> str:
    if bag.topics.get(topic) != TYPES[CONFIGURATION]:
        return ""
    found = bag.messages({topic: CONFIGURATION})
    return next(reversed([bag.decode(message, decode_text) for message in found]), "")
