"""What the deployment node hears of the running graph, as facts for its checks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from trajectory_msgs.msg import JointTrajectory

from sinew_core.bundle.reader import Bundle
from sinew_core.controllers import output_topic
from sinew_core.deployment.connections import activity
from sinew_core.deployment.interventions import InterventionCounter
from sinew_core.deployment.novelty import NoveltyMonitor
from sinew_core.deployment.partners import FilterSettings, read_filter_settings
from sinew_core.deployment.preflight import Controller, Expected, Facts, Graph, intruders
from sinew_core.deployment.states import StateContents
from sinew_core.deployment.timing import ArrivalMeter, LoopMeter
from sinew_core.deployment.watch import Vitals
from sinew_core.robots.model import RobotModel
from sinew_core.safety.senders import Senders
from sinew_policy.connections import LEVELS, connections, label_stamp_of
from sinew_policy.last_resort import LABEL
from sinew_ros.controller import ControllerQuestions, Reading, when_done
from sinew_ros.messages import JointStateMapper
from sinew_ros.poses import PoseInput
from sinew_ros.qos import CONTROLLER_COMMAND, LATCHED, RELIABLE, STATE_SUBSCRIPTION
from sinew_ros.raw import JointStateReader, read_message
from sinew_ros.stamps import stamp_ns

_NO_REPORT: tuple[str, str, Mapping[str, str]] = ("", "", {})
_WINDOW_S = 4.0
"""Of rates and latencies while the arm moves; shorter gaps are for the filter's watchdogs."""
_LAST_RESORT = LABEL.encode()
_LOOK_AGAIN_S = 0.5
"""For other publishers, which costs more than the rest."""
_SILENT_NODE_S = 3.0
"""Diagnostics come once a second."""


class ObservedGraph:
    """Hears every topic of a deployment.

    Attributes:
        settings: of the filter, None before it has published them.
        mapper: the latest joint state.
        target: the latest target.
        novelty: of the observations.
        arrivals, loop: measure rates and latencies.
        interventions: of the filter.
        outputs: of the filter so far; `last_output` is the latest.
        on_state: is called after each new joint state.
    """

    def __init__(
        self,
        node: Node,
        expected: Expected,
        bundle: Bundle,
        robot: RobotModel,
        frames: Sequence[str],
        unusual_std: float,
    ) -> None:
        """Subscribe on `node`; targets are taken in these frames, as the policy takes them."""
        self._node, self._expected, self._bundle, self._robot = node, expected, bundle, robot
        names = [expected.joint_prefix + name for name in robot.joint_names]
        self.settings: FilterSettings | None = None
        self.mapper = JointStateMapper(names)
        self.target = PoseInput("target_pose", frames, oriented=False)
        self.novelty = NoveltyMonitor(bundle, robot.chain, unusual_std=unusual_std)
        self.arrivals, self.loop = ArrivalMeter(), LoopMeter()
        self.interventions = InterventionCounter()
        self.outputs, self.last_output = 0, b""
        self.on_state: Callable[[], None] = _nothing
        self.contents = StateContents(names)
        self._reader = JointStateReader()
        self._target_problem = ""
        self._description: str | None = None
        self._filter: Mapping[str, str] = {}
        self._filter_s = self._policy_s = time.monotonic()
        self._command_s = self._output_s = self._filter_s
        self._senders, self._sent_by = Senders(), set[str]()
        self._commanded = False
        self._intruders, self._looked_s = tuple[str, ...](), 0.0
        self._policy = _NO_REPORT
        self._controllers: tuple[str, dict[str, str]] = ("", {})
        self._listed_s = -math.inf
        self._reading: Reading | None = None
        self._questions: ControllerQuestions | None = None
        self._outputs: Subscription | None = None
        self._open_topics()

    def _open_topics(self) -> None:
        node, subscribe = self._node, self._node.create_subscription
        subscribe(JointState, "joint_states", self._on_state, STATE_SUBSCRIPTION, raw=True)
        subscribe(JointTrajectory, "policy/command", self._on_command, RELIABLE)
        subscribe(PoseStamped, "target_pose", self._on_target, RELIABLE)
        subscribe(String, "robot_description", self._on_description, LATCHED)
        configuration = f"{self._expected.safety_filter}/configuration"
        subscribe(String, configuration, self._on_configuration, LATCHED)
        # ros2_control tells of its controllers there, whatever its namespace is.
        for topic in dict.fromkeys(("/diagnostics", node.resolve_topic_name("diagnostics"))):
            subscribe(DiagnosticArray, topic, self._on_diagnostics, RELIABLE)

    @property
    def controller(self) -> str:
        """The name of the filter's controller, empty before that is known."""
        return self.settings.controller_name if self.settings else ""

    @property
    def controller_topic(self) -> str:
        """Where that controller listens, in shadow too."""
        s = self.settings or FilterSettings()
        return output_topic(s.adapter, s.controller_name)

    @property
    def missing(self) -> list[str]:
        """What has not been heard yet, right or wrong, without which there is little to check."""
        recorded = self._expected.recorded
        heard = {
            "joint_states": self.contents.heard,
            "robot_description": self._description is not None or recorded,
            "the safety filter": self.settings is not None and bool(self._filter),
            "the policy": bool(self._policy[0]),
            "commands": self._commanded or not self.target.position,
            "target_pose": bool(self.target.position)
            or self._expected.gives_targets
            or not self._expected.moves,
        }
        missing = [what for what, known in heard.items() if not known]
        if not missing and not all(c.settled for c in self._connections().all):
            missing = ["the names of all nodes"]
        return missing

    @property
    def filter_state(self) -> str:
        """As last reported, `silent` where reports have stopped."""
        if time.monotonic() - self._filter_s > _SILENT_NODE_S:
            return "silent"
        return self._filter.get("state", "")

    @property
    def output_silence_s(self) -> float:
        """Time since the filter's last output."""
        return time.monotonic() - self._output_s

    def forget(self) -> None:
        """Wait for filter and policy to tell of themselves again: they may be others by now."""
        self._filter, self._policy, self._commanded = {}, _NO_REPORT, False

    def restart(self) -> None:
        """Begin to measure anew, and ask the controller what it takes."""
        self.contents.restart()
        self.novelty.restart()
        self.arrivals, self.loop = ArrivalMeter(), LoopMeter()
        self._sent_by.clear()
        self._reading = None
        if self._questions is not None:
            when_done(self._questions.ask(), self._on_reading)

    @property
    def asked(self) -> bool:
        """Whether the controller has answered, or is known not to."""
        return self._questions is None or self._reading is not None

    def facts(self, window_s: float) -> Facts:
        """Return what was heard over the last `window_s`."""
        now_s = time.monotonic()
        source, states = self._controllers
        reading = self._reading or Reading((), "", "not asked yet")
        silent_filter, silent_policy = (
            now_s - since_s > _SILENT_NODE_S for since_s in (self._filter_s, self._policy_s)
        )
        return Facts(
            robot=self._robot,
            bundle=self._bundle,
            description=self._description,
            settings=self.settings or FilterSettings(),
            filter_report={} if silent_filter else self._filter,
            senders=tuple(sorted(self._sent_by)),
            has_target=bool(self.target.position),
            target_problem=self._target_problem,
            policy_report=_NO_REPORT if silent_policy else self._policy,
            contents=self.contents,
            arrivals=self.arrivals.measure(now_s, window_s),
            commands=self.loop.commands(now_s, window_s),
            outputs=self.loop.outputs(now_s, window_s),
            novelty=self.novelty.check(),
            graph=self._connections(),
            controller=Controller(
                name=self.controller,
                joints=reading.joints or None,
                interface=reading.interface,
                states=states,
                source=source,
            ),
        )

    def vitals(self, *, armed: bool) -> Vitals:
        """Return how the graph is; a filter that has not yet reported to be armed counts as so."""
        now_s = time.monotonic()
        arrivals = self.arrivals.measure(now_s, _WINDOW_S)
        state = self.filter_state
        shadow = self.settings is not None and self.settings.shadow
        if now_s - self._looked_s > _LOOK_AGAIN_S:
            graph = self._connections()
            self._intruders = intruders(graph, self._expected, shadow=shadow)
            self._looked_s = now_s
        name = self.controller.rpartition("/")[2]
        states = self._controllers[1]
        return Vitals(
            state_silence_s=self.arrivals.silence_s(now_s),
            state_rate_hz=arrivals.rate_hz if self._is_full(now_s) else None,
            latency_p99_ms=self.loop.outputs(now_s, _WINDOW_S).p99_ms,
            command_silence_s=now_s - self._command_s,
            output_silence_s=self.output_silence_s,
            filter_state="armed" if armed else state,
            filter_reason=self._filter.get("reason", ""),
            unusual_for_s=self.novelty.outside_for_s(now_s),
            unusual=self.novelty.outside,
            has_target=bool(self.target.position),
            intruders=self._intruders,
            controller_state=states.get(name, "not loaded") if states else "",
        )

    def _connections(self) -> Graph:
        return connections(self._node, self.controller_topic)

    def _is_full(self, now_s: float) -> bool:
        """Tell whether joint states were measured for the whole window."""
        return self.arrivals.age_s(now_s) > _WINDOW_S

    def _on_state(self, data: bytes) -> None:
        now_s = time.monotonic()
        fields = self._reader.read(data)
        if fields is None:
            return
        mapper, stamp = self.mapper, fields[0]
        before_ns = mapper.stamp_ns
        self.contents.take(*fields)
        if not mapper.merge(*fields) or not mapper.complete or stamp == before_ns:
            return
        self.arrivals.take(now_s, stamp, self._node.get_clock().now().nanoseconds)
        self.loop.state(stamp, now_s)
        self.novelty.observe(now_s, stamp, mapper.position, mapper.velocity, self.target.position)
        self.on_state()

    def _on_command(self, message: JointTrajectory, info: Mapping[str, int | None]) -> None:
        number = info.get("publication_sequence_number")
        self._sent_by.add(self._senders.identify(message.header.frame_id, number))
        self._command_s, self._commanded = time.monotonic(), True
        self.loop.command(stamp_ns(message.header.stamp), self._command_s)

    def _on_target(self, message: PoseStamped) -> None:
        """Say why a target is not taken, once until one is: the policy does not take it either."""
        problem = self.target.take(message) or ""
        if problem and not self._target_problem:
            self._node.get_logger().warning(problem)
        self._target_problem = problem

    def _on_output(self, data: bytes) -> None:
        if _LAST_RESORT in data:
            return
        self._output_s = time.monotonic()
        self.outputs, self.last_output = self.outputs + 1, data
        trajectory = self.settings is not None and self.settings.adapter == "trajectory"

        def command() -> int | None:
            kind = JointTrajectory if trajectory else Float64MultiArray
            message = read_message(data, kind)
            return label_stamp_of(message) if message is not None else None

        self.loop.output(command, self._output_s)

    def _on_description(self, message: String) -> None:
        self._description = message.data

    def _on_configuration(self, message: String) -> None:
        """Follow the outputs of the filter, whose configuration says where they go."""
        before = self.settings
        self.settings = settings = read_filter_settings(message.data)
        if before is not None and before.same_outputs(settings):
            return
        node = self._node
        if self._outputs is not None:
            node.destroy_subscription(self._outputs)
        kind = JointTrajectory if settings.adapter == "trajectory" else Float64MultiArray
        shadow = f"{self._expected.safety_filter}/shadow"
        topic = shadow if settings.shadow else self.controller_topic
        self._outputs = node.create_subscription(
            kind, topic, self._on_output, CONTROLLER_COMMAND, raw=True
        )
        self._questions = ControllerQuestions(node, self.controller, settings.adapter)

    def _on_reading(self, reading: Reading) -> None:
        self._reading = reading

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        expected = self._expected
        for status in message.status:
            values = {v.key: v.value for v in status.values}
            name = f"/{status.name}"
            if name == expected.safety_filter:
                self._filter, self._filter_s = values, time.monotonic()
                self.interventions.take(values)
            elif name == expected.policy:
                self._policy_s = time.monotonic()
                self._policy = (LEVELS.get(status.level, "ERROR"), status.message, values)
            elif states := activity(status.name, values):
                self._take_activity(f"diagnostics of {status.name}", states)

    def _take_activity(self, source: str, states: dict[str, str]) -> None:
        """Follow the manager that has the controller: those of other arms tell there, too."""
        now_s = time.monotonic()
        if self.controller.rpartition("/")[2] in states:
            self._listed_s = now_s
        elif now_s - self._listed_s < _SILENT_NODE_S:
            return
        self._controllers = (source, states)


def _nothing() -> None:
    """Nobody follows the states."""
