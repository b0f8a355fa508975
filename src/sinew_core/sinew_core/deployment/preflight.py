"""Every check before the first motion, on facts that a node has gathered."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from sinew_core.bundle.reader import Bundle
from sinew_core.controllers import interface_name
from sinew_core.deployment import connections as graph
from sinew_core.deployment.checks import Check, unknown
from sinew_core.deployment.description import (
    check_bundle,
    check_description,
    check_filter_limits,
)
from sinew_core.deployment.partners import (
    FilterSettings,
    check_authority,
    check_filter,
    check_guard,
    check_latency,
    check_policy,
    check_running_bundle,
    check_senders,
)
from sinew_core.deployment.states import (
    StateContents,
    check_contents,
    check_position,
    check_rates,
    check_rest,
    check_stamps,
)
from sinew_core.deployment.timing import Arrivals, Latency
from sinew_core.robots.model import RobotModel

_OLD_S = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Graph:
    """The connections that matter, as the middleware knows them.

    Attributes:
        states: `joint_states`.
        command: `policy/command`.
        output: the controller's topic.
        target: `target_pose`.
        description: `robot_description`.
    """

    states: graph.Connection
    command: graph.Connection
    output: graph.Connection
    target: graph.Connection
    description: graph.Connection

    @property
    def all(self) -> tuple[graph.Connection, ...]:
        """Every one of them."""
        return (self.states, self.command, self.output, self.target, self.description)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Controller:
    """What is known of the controller.

    Attributes:
        name: with or without a namespace.
        joints: its parameter, None where it does not answer.
        interface: what a forward controller takes, empty where it does not say.
        states: lifecycle state by controller, empty where nobody tells.
        source: who told.
    """

    name: str
    joints: tuple[str, ...] | None = None
    interface: str = ""
    states: Mapping[str, str] = dataclasses.field(default_factory=dict)
    source: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expected:
    """What a deployment asks for.

    Attributes:
        joint_prefix: in front of the joints' names in messages.
        authority: that is to be reached.
        latency_ms: 99th percentile of the loop.
        safety_filter, policy, deployment: full names of the nodes.
        moves: whether the arm is to move, now or after these checks.
        recorded: whether joint states come from a bag, without an arm.
        gives_targets: whether the deployment publishes targets itself.
        live: whether the arm is to move as soon as these checks have passed.
    """

    joint_prefix: str
    authority: float
    latency_ms: float
    safety_filter: str
    policy: str
    deployment: str
    moves: bool
    recorded: bool
    gives_targets: bool
    live: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """What was gathered over a window.

    Attributes:
        robot: as loaded, its joints without the prefix.
        bundle: the policy's.
        description: text of `robot_description`, None without one.
        settings: of the filter.
        filter_report: values of its diagnostics.
        senders: of commands.
        has_target: whether a target was received.
        target_problem: why the last one was rejected, empty where it was not.
        policy_report: level, message and values of the policy's.
        contents, arrivals: of joint states.
        commands, outputs: latencies.
        novelty: the check of the observation.
        graph, controller: see there.
    """

    robot: RobotModel
    bundle: Bundle
    description: str | None
    settings: FilterSettings
    filter_report: Mapping[str, str]
    senders: tuple[str, ...]
    has_target: bool
    target_problem: str
    policy_report: tuple[str, str, Mapping[str, str]]
    contents: StateContents
    arrivals: Arrivals
    commands: Latency
    outputs: Latency
    novelty: Check
    graph: Graph
    controller: Controller


def preflight(facts: Facts, expected: Expected) -> tuple[Check, ...]:
    """Return every check in the order of the report."""
    live = not expected.recorded
    return (
        *(check_description(facts.description, facts.robot, expected.joint_prefix) if live else ()),
        *check_bundle(
            facts.bundle,
            facts.robot,
            filter_rate_hz=facts.settings.rates.filter_rate_hz,
            mode=facts.settings.mode,
        ),
        *check_filter_limits(facts.settings.robot, facts.robot),
        *_state_checks(facts, expected),
        *(_controller_checks(facts, expected) if live else ()),
        *_source_checks(facts, expected),
        graph.check_qos(facts.graph.all),
        *check_filter(facts.filter_report),
        *([_check_outputs(facts.settings)] if expected.live else ()),
        *([check_guard(facts.settings.guard_timeout_s)] if _is_live(facts, expected) else ()),
        *check_policy(*facts.policy_report),
        check_running_bundle(facts.policy_report[2], facts.bundle),
        check_authority(facts.settings.mode, expected.authority if expected.moves else 1.0),
        *check_latency(
            facts.commands, facts.outputs, expected.latency_ms, has_target=facts.has_target
        ),
        facts.novelty,
    )


def _is_live(facts: Facts, expected: Expected) -> bool:
    """Tell whether the filter's outputs are to move an arm."""
    return expected.moves and not facts.settings.shadow


def _check_outputs(settings: FilterSettings) -> Check:
    """Check that what the filter sends reaches the arm that is to move."""
    return Check(
        what="outputs of the filter",
        found="they go to its ~/shadow" if settings.shadow else "they go to the controller",
        expected="to the controller, as the arm is to move",
        remedy="start the filter with shadow:=false, or deploy with mode:=shadow",
        passed=not settings.shadow,
    )


def _state_checks(facts: Facts, expected: Expected) -> list[Check]:
    settings, rates = facts.settings, facts.settings.rates
    trained = facts.bundle.specification.rates
    return [
        *check_contents(facts.contents, facts.robot),
        *check_rates(
            facts.arrivals,
            state_rate_hz=rates.state_rate_hz,
            state_timeout_s=settings.state_timeout_s,
            control_rate_hz=trained.control_rate_hz,
            trained_rate_hz=trained.state_rate_hz,
            slowest=facts.contents.slowest(facts.arrivals.count),
        ),
        *check_stamps(facts.arrivals, future_s=settings.future_s, old_s=_OLD_S),
        check_rest(facts.contents, settings.rest_speed_rad_s, needed=expected.moves),
        check_position(facts.contents, facts.robot, settings.safety.margin_rad),
    ]


def _controller_checks(facts: Facts, expected: Expected) -> list[Check]:
    controller, settings = facts.controller, facts.settings
    names = [expected.joint_prefix + name for name in facts.robot.joint_names]
    sources = facts.graph.output.publishers
    allowed = () if settings.shadow else (expected.safety_filter,)
    return [
        graph.check_controller(facts.graph.output, controller.name),
        graph.check_active(controller.name, controller.states, controller.source),
        graph.check_joint_order(
            controller.name, controller.joints, names, reads=settings.controller_joints == "read"
        ),
        graph.check_unit(
            controller.name,
            controller.interface,
            adapter=settings.adapter,
            sent=interface_name(settings.sent_mode),
        ),
        Check(
            what="sources of the controller",
            found=", ".join(sources) or "nobody",
            expected="nobody, as the filter is in shadow"
            if settings.shadow
            else f"{expected.safety_filter} alone",
            remedy="end the other publisher (one that was killed stays visible for 20 s)"
            if sources
            else "start the filter with the controller's name, controller:=",
            passed=sources == allowed,
        ),
    ]


def _source_checks(facts: Facts, expected: Expected) -> list[Check]:
    return [
        graph.check_source(
            facts.graph.states,
            "source of joint_states",
            ours=expected.deployment if expected.recorded else "",
            others_allowed=not expected.recorded,
        ),
        graph.check_source(facts.graph.command, "source of commands", ours=expected.policy),
        check_senders(facts.senders),
        _check_target(facts, expected),
    ]


def _check_target(facts: Facts, expected: Expected) -> Check:
    """Check that somebody gives targets; one that was given once, by whom ever, will do."""
    others = [n for n in facts.graph.target.publishers if n != expected.deployment]
    what, found = "source of target_pose", ", ".join(others) or "nobody but this node"
    if expected.gives_targets:
        wanted = "this node alone, as targets is given"
        remedy = "end the other publishers of target_pose, or leave targets at 0"
        return Check(what=what, found=found, expected=wanted, remedy=remedy, passed=not others)
    found += f", {facts.target_problem or _received(facts.has_target)}"
    wanted, remedy = "a target, from one node", "publish target_pose, or give targets:=N"
    if not facts.has_target and not expected.moves and not others:
        return unknown(what, found, wanted, remedy)
    passed = facts.has_target and len(others) <= 1
    return Check(what=what, found=found, expected=wanted, remedy=remedy, passed=passed)


def _received(has_target: bool) -> str:
    return "one received" if has_target else "none received"


def intruders(connections: Graph, expected: Expected, *, shadow: bool) -> tuple[str, ...]:
    """Return who else publishes what only the filter and the policy may, while the arm moves."""
    allowed: Sequence[tuple[graph.Connection, str]] = (
        (connections.output, "" if shadow else expected.safety_filter),
        (connections.command, expected.policy),
    )
    return tuple(
        f"{name} on {connection.topic}"
        for connection, ours in allowed
        for name in connection.publishers
        if name != ours
    )
