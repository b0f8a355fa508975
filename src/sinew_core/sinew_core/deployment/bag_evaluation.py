"""Judge a recorded deployment by the metrics of the simulation, with the code that judges there.

`cut_segments` finds the episodes, `EpisodeJudge`, `LinkMeter` and `EvaluationRecord` judge them as
they do for the evaluator node. What a bag does not tell is left out and named with the reason.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sinew_core.bags.bag import Bag
from sinew_core.bags.messages import Command
from sinew_core.bundle.reader import Bundle, load_bundle
from sinew_core.deployment.bag_parameters import BagEvaluationParameters
from sinew_core.deployment.bag_segments import BEGAN_BEFORE, Place, Segment, Timeline, cut_segments
from sinew_core.deployment.bag_topics import (
    DeploymentReader,
    DeploymentRecord,
    Setting,
    read_setting,
)
from sinew_core.episode_score import rewards_action, rewards_effort
from sinew_core.errors import ConfigError, suggest
from sinew_core.frames import pose_frames
from sinew_core.graph_evaluation import (
    NOWHERE,
    OBJECT_LOST_NS,
    Episode,
    EpisodeJudge,
    EpisodeTicks,
    LinkMeter,
    violations,
)
from sinew_core.graph_record import EvaluationRecord
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.model import RobotModel
from sinew_core.specs import ActionSpec
from sinew_core.tasks import TASKS, Task, make_task, task_parameters

_NS_PER_S = 1_000_000_000
_INVERTIBLE = ("joint_velocity", "joint_position", "joint_effort")
"""Action modes whose actions follow from the policy's commands."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Assignment:
    """What was asked of the arm in a recording.

    Attributes:
        robot: the arm.
        task: with its reward and its judge.
        rates: of the nodes.
        joint_names: the n joints as the messages name them.
        frames: of targets and poses of an object.
        action: what the policy's actions mean; None where no bundle tells.
        lockstep: whether the nodes waited for each other.
        episode_s: time for each target.
    """

    robot: RobotModel
    task: Task
    rates: Rates
    joint_names: tuple[str, ...]
    frames: tuple[str, ...]
    action: ActionSpec | None
    lockstep: bool
    episode_s: float

    @classmethod
    def make(cls, p: BagEvaluationParameters, setting: Setting) -> Assignment:
        """Put together what the parameters say, then the bundle, then the recorded filter.

        Raises:
            SinewError: for a bundle, robot or task that cannot be used, or none at all.
        """
        bundle = load_bundle(p.bundle) if p.bundle else None
        name = p.robot or (bundle.manifest.robot if bundle else setting.robot)
        if not name:
            raise ConfigError(
                "neither bundle nor bag name the robot: give bundle:=FOLDER of the policy that "
                "ran, or robot:=NAME"
            )
        robot = load_robot(name, urdf=p.urdf)
        task, rates = _task(p, bundle, robot)
        prefix = p.joint_prefix or setting.joint_prefix
        joints = tuple(prefix + joint.removeprefix(prefix) for joint in robot.joint_names)
        frames = pose_frames(robot.base_link, prefix, p.target_frame)
        return cls(
            robot=robot,
            task=task,
            rates=rates,
            joint_names=joints,
            frames=frames,
            action=bundle.specification.action if bundle else None,
            lockstep=(p.pace or setting.pace) == "lockstep",
            episode_s=p.episode_s or task.episode_ticks * rates.control_period_s,
        )

    @property
    def max_control_steps(self) -> int:
        """Control periods for each target."""
        return max(1, round(self.episode_s * self.rates.control_rate_hz))


@dataclass(frozen=True, kw_only=True, eq=False)
class BagEvaluation:
    """What a recording came to.

    Attributes:
        assignment: what it was judged by.
        record: the episodes.
        figures: as the evaluator node writes them, and more, see `docs/bag-evaluation.md`.
    """

    assignment: Assignment
    record: EvaluationRecord
    figures: Mapping[str, object]


def evaluate_bag(parameters: BagEvaluationParameters) -> BagEvaluation:
    """Read and judge a bag.

    Raises:
        SinewError: in one line, for a bag that cannot be read or has no joint states of the arm.
    """
    bag = Bag(Path(parameters.bag))
    try:
        setting = read_setting(bag, parameters)
        assignment = Assignment.make(parameters, setting)
        reader = DeploymentReader(bag, parameters, setting)
        record = reader.read(
            assignment.joint_names,
            assignment.frames,
            with_commands=rewards_action(assignment.task),
        )
    finally:
        bag.close()
    given = bool(parameters.target_m) and not record.targets
    if given:
        x, y, z = parameters.target_m
        first = Place(int(record.states.log_ns[0]), 0, (x, y, z))
        record = dataclasses.replace(record, targets=[first])
    return Judgement(assignment, record, from_start=given).evaluation()


class Judgement:
    """Judges the episodes of one recording."""

    def __init__(
        self, assignment: Assignment, record: DeploymentRecord, *, from_start: bool = False
    ) -> None:
        """Cut the recording into episodes; `from_start`: its target is in force from the start."""
        self._assignment, self._bag = assignment, record
        states = record.states
        lockstep, rates = assignment.lockstep, assignment.rates
        self._segments = cut_segments(
            Timeline(log_ns=states.log_ns, stamp_ns=states.stamp_ns, epoch=states.epoch),
            record.targets,
            record.reports,
            lockstep=lockstep,
            from_start=from_start,
        )
        period_ns = states.period_ns or _NS_PER_S // rates.state_rate_hz
        self._ticks = EpisodeTicks(_NS_PER_S // rates.control_rate_hz, period_ns, lockstep=lockstep)
        self._link = LinkMeter(period_ns)
        self._judge = EpisodeJudge(
            judge=assignment.task.judge,
            limits=assignment.robot.limits,
            tool_xyz=assignment.robot.chain.tool_xyz,
            max_control_steps=assignment.max_control_steps,
            task=assignment.task,
        )
        self._record = EvaluationRecord()
        self._cut: Counter[str] = Counter()
        self._object_at = {place.stamp_ns: place for place in record.objects}
        self._object_log_ns = np.array([place.log_ns for place in record.objects], np.int64)
        self._actions, self._action_ns = self._read_actions(record.commands)

    def evaluation(self) -> BagEvaluation:
        """Judge all episodes."""
        if not self._lacks_object:
            for segment in self._segments:
                self._judge_segment(segment)
        for report in self._bag.reports:
            self._record.count_interventions(report.interventions)
        return BagEvaluation(
            assignment=self._assignment, record=self._record, figures=self._figures()
        )

    @property
    def _lacks_object(self) -> bool:
        return self._assignment.task.scene is not None and not self._bag.objects

    def _judge_segment(self, segment: Segment) -> None:
        """Feed the states of a segment to the judge until it has seen enough."""
        if segment.ending == BEGAN_BEFORE:
            self._cut[BEGAN_BEFORE] += 1
            return
        episode = self._follow(segment)
        if episode is None and segment.fault:
            self._record.faults[segment.ending] += 1
            episode = self._judge.abort()
        if episode is not None:
            self._record.episodes.append(episode)
        elif self._judge.control_steps > 0:
            self._cut[segment.ending] += 1

    def _follow(self, segment: Segment) -> Episode | None:
        states, judge, link = self._bag.states, self._judge, self._link
        judge.begin(segment.target_m)
        self._ticks.begin()
        link.pause()
        zero_ns = int(states.log_ns[segment.begin])
        outputs = iter(self._outputs_since(zero_ns))
        output = next(outputs, None)
        for i in range(segment.begin, segment.end + 1):
            log_ns, stamp_ns = int(states.log_ns[i]), int(states.stamp_ns[i])
            while output is not None and output[0] < log_ns:
                link.output(output[1], (output[0] - zero_ns) / _NS_PER_S)
                output = next(outputs, None)
            link.state(stamp_ns, (log_ns - zero_ns) / _NS_PER_S)
            tick = self._ticks.is_due(stamp_ns)
            episode = judge.observe(
                stamp_ns,
                states.position[i].tolist(),
                states.velocity[i].tolist(),
                control_tick=tick,
                object_m=self._object(i) if tick else (),
                effort=states.effort[i].tolist() if states.has_effort else (),
                action=self._action(stamp_ns) if tick else (),
            )
            if episode is not None:
                return episode
            for _ in range(int(states.repeats[i])):
                link.repeated()
        return None

    def _outputs_since(self, log_ns: int) -> list[tuple[int, int]]:
        """Return log time and command's stamp of later outputs, up to the longest episode."""
        outputs = self._bag.outputs
        if self._assignment.lockstep:
            return []
        first = int(np.searchsorted(outputs.log_ns, log_ns))
        longest_ns = round(2 * self._assignment.episode_s * _NS_PER_S)
        last = int(np.searchsorted(outputs.log_ns, log_ns + longest_ns))
        columns = (outputs.log_ns[first:last].tolist(), outputs.command_ns[first:last].tolist())
        return list(zip(*columns, strict=True))

    def _object(self, i: int) -> Sequence[float]:
        """Return where the object was at a control tick, nowhere if that is not known."""
        if self._assignment.task.scene is None:
            return ()
        states, places = self._bag.states, self._bag.objects
        stamp_ns = int(states.stamp_ns[i])
        place = self._object_at.get(stamp_ns)
        if place is None and not self._assignment.lockstep:
            before = int(np.searchsorted(self._object_log_ns, states.log_ns[i], side="right"))
            place = places[before - 1] if before else None
        if place is None or abs(stamp_ns - place.stamp_ns) > OBJECT_LOST_NS:
            return NOWHERE
        return place.position_m

    def _read_actions(self, commands: Sequence[Command]) -> tuple[list[list[float]], list[int]]:
        """Return the actions that commands stand for, and the stamps of the states they answer."""
        spec, names = self._assignment.action, self._assignment.joint_names
        if spec is None or spec.mode not in _INVERTIBLE:
            return [], []
        states, scale = self._bag.states, np.array(spec.scale)
        index_of = {int(stamp): i for i, stamp in enumerate(states.stamp_ns.tolist())}
        actions, stamps = [], []
        for command in commands:
            by_name = dict(zip(command.joint_names, command.values, strict=True))
            i = index_of.get(command.stamp_ns)
            if i is None or not set(names) <= set(by_name):
                continue
            values = np.array([by_name[name] for name in names])
            if spec.mode == "joint_position":
                values = values - states.position[i]
            actions.append((values / scale).tolist())
            stamps.append(command.stamp_ns)
        return actions, stamps

    def _action(self, stamp_ns: int) -> Sequence[float]:
        """Return the action in force until a control tick, empty where it is not known."""
        before = int(np.searchsorted(np.array(self._action_ns, np.int64), stamp_ns))
        return self._actions[before - 1] if before else ()

    def _figures(self) -> dict[str, object]:
        bag, states, assignment = self._bag, self._bag.states, self._assignment
        reported = bool(bag.reports)
        figures = self._record.figures()
        if not reported:
            figures["interventions"], figures["faults"] = bag.interventions, None
        latency = dict.fromkeys(("latency_ms_p50", "latency_ms_p99"), None)
        outside = violations(assignment.robot.limits, states.position, states.velocity)
        return {
            "bag": bag.source,
            "robot": assignment.robot.name,
            "task": assignment.task.name,
            "pace": "lockstep" if assignment.lockstep else "realtime",
            **figures,
            **(latency if assignment.lockstep else self._link.latency_ms()),
            "messages_lost": self._link.lost,
            "cut": self._cut.total(),
            "cut_reasons": dict(self._cut),
            "recorded_s": round(float(states.log_ns[-1] - states.log_ns[0]) / _NS_PER_S, 3),
            "recorded_states": states.count,
            "recorded_limit_violations": int(outside.sum()),
            "state_period_ms": states.period_ns / 1e6,
            "unavailable": self._unavailable(figures),
            "notes": list(bag.notes),
        }

    def _unavailable(self, figures: Mapping[str, object]) -> dict[str, str]:
        """Return for each metric that is missing why it is."""
        bag, task = self._bag, self._assignment.task
        missing = "; ".join(f"{topic} is not there ({has})" for topic, has in bag.missing.items())
        why: dict[str, str] = {}
        if not self._record.episodes:
            why["success"] = why["return"] = why["length"] = why["smoothness"] = self._no_episode()
        elif figures["return_mean"] is None:
            why["return"] = self._no_return(task)
        if self._assignment.lockstep:
            why["latency"] = "the nodes waited for each other, so that it says nothing"
        elif self._link.latency_ms()["latency_ms_p50"] is None:
            why["latency"] = (
                "no output of the safety filter follows a command on a joint state of an episode: "
                "record the filter's outputs, or give output_topic:="
            )
        if not bag.reports:
            why["faults"] = f"the safety filter does not report: {missing}"
            if bag.interventions is None:
                why["interventions"] = why["faults"]
        return why

    def _no_episode(self) -> str:
        bag = self._bag
        if self._lacks_object:
            return "the task is about an object, and the bag has no pose of it: record object_pose"
        if not bag.targets:
            return (
                "the bag has no target: record target_pose, or give target_topic:=, or target:= "
                "where there was only one"
            )
        if not self._segments:
            return "the filter was never armed with a target in force: record while it is"
        reasons = ", ".join(f"{reason} ({n})" for reason, n in self._cut.items())
        return (
            f"no episode was seen to its end of {self._assignment.episode_s:g} s: "
            f"{reasons or 'too few joint states'}"
        )

    def _no_return(self, task: Task) -> str:
        if rewards_effort(task) and not self._bag.states.has_effort:
            return "the task rewards little power, and the joint states have no efforts"
        if rewards_action(task) and not self._actions:
            return (
                "the task rewards steady actions, which are known from policy/command of a policy "
                f"in {', '.join(_INVERTIBLE)} with its bundle:= only"
            )
        return "an action or the object is not known at some control tick"


def _task(
    p: BagEvaluationParameters, bundle: Bundle | None, robot: RobotModel
) -> tuple[Task, Rates]:
    """Return the task and the rates: those of the bundle, or the defaults."""
    if bundle is not None:
        rates = bundle.specification.rates
        name, given = task_parameters(bundle.manifest.task, f"{p.bundle}: task")
        return make_task(name, robot, given, rates), rates
    name, rates = p.task or "reach", Rates()
    if name not in TASKS:
        raise ConfigError(f"task '{name}': {suggest(name, TASKS)}")
    return make_task(name, robot, TASKS[name].parameters_class(), rates), rates
