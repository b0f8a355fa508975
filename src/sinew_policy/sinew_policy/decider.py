"""From the messages of a graph to commands: when the policy decides, and on what."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from sinew_core.bundle.controller import ControlTicks, StampEpochs
from sinew_core.frames import pose_frames
from sinew_core.joint_mapper import JointMapper, JointReceipts
from sinew_policy.loading import Policy
from sinew_policy.parameters import PolicyParameters
from sinew_ros.diagnostics import Level
from sinew_ros.main import SinewNode
from sinew_ros.messages import CommandMessage
from sinew_ros.poses import PoseInput
from sinew_ros.qos import RELIABLE, state_subscription
from sinew_ros.raw import JointStateReader
from sinew_ros.stamps import NS_PER_S

_KEPT_DURATIONS = 1000
_COUNTED = ("states", "commands", "repeats", "epochs", "unusual", "damaged")


class Decider:
    """The topics of a configured policy node, and what is known from them.

    Attributes:
        policy: what decides.
        active: whether commands are sent; without that, states and poses are followed all the same.
    """

    def __init__(
        self,
        node: SinewNode,
        parameters: PolicyParameters,
        policy: Policy,
        changed: Callable[[], None],
    ) -> None:
        """Open the topics on `node`; `changed` is called when `status` changes."""
        self.policy, self.active = policy, False
        self._node, self._parameters, self._changed = node, parameters, changed
        self._lockstep = parameters.pace == "lockstep"
        action, rates = policy.bundle.specification.action, policy.bundle.specification.rates
        names = [parameters.joint_prefix + name for name in policy.bundle.manifest.joint_names]
        self._reader, self._mapper = JointStateReader(), JointMapper(names)
        self._receipts = JointReceipts(len(names))
        self._ticks = ControlTicks(
            rates.control_rate_hz, lockstep=self._lockstep, state_rate_hz=rates.state_rate_hz
        )
        self._epochs = StampEpochs(self._ticks.period_ns)
        self._message = CommandMessage(
            names,
            action.command_mode,
            parameters.sender_id or node.get_fully_qualified_name(),
            rates.control_period_s,
        )
        base, prefix = policy.robot.base_link, parameters.joint_prefix
        frames = pose_frames(base, prefix, parameters.target_frame)
        self._target = PoseInput("target_pose", frames, oriented=False)
        self._object = PoseInput("object_pose", frames, oriented=True)
        self._pending_ns: int | None = None
        self._answer: tuple[int, JointTrajectory] | None = None
        self._stamp_ns = -1
        self._received_s: float | None = None
        self._object_timeout_ns = round(parameters.object_timeout_s * NS_PER_S)
        self._timeout_ns = round(parameters.state_timeout_s * NS_PER_S)
        self._durations_us: deque[float] = deque(maxlen=_KEPT_DURATIONS)
        self._status = (Level.WARN, "waiting for joint_states")
        self._counts = dict.fromkeys(_COUNTED, 0)
        self._open_topics()

    def _open_topics(self) -> None:
        node = self._node
        self._publisher = node.create_publisher(JointTrajectory, "policy/command", RELIABLE)
        self._subscriptions = [
            node.create_subscription(PoseStamped, "target_pose", self._on_target, RELIABLE)
        ]
        if self.policy.controller.sees_object:
            self._subscriptions.append(
                node.create_subscription(PoseStamped, "object_pose", self._on_object, RELIABLE)
            )
        states = node.create_subscription(
            JointState,
            "joint_states",
            self._on_state,
            state_subscription(lockstep=self._lockstep),
            raw=True,
        )
        self._subscriptions.append(states)
        if self._lockstep:
            # There nothing is decided before the target of a tick, which its state precedes.
            node.quiet = (states,)

    def close(self) -> None:
        """Give the topics back."""
        self._node.quiet = ()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._node.destroy_publisher(self._publisher)

    def activate(self) -> None:
        """Send commands from the next control tick on; in lockstep the present one waits for it."""
        self.active = True
        if self._lockstep:
            self._try_to_answer()

    def deactivate(self) -> None:
        """Send nothing any more."""
        self.active = False
        if not self._lockstep:
            self._pending_ns = None

    def swap(self, policy: Policy) -> None:
        """Let another policy decide from now on, as if it had decided before."""
        policy.controller.follow(self.policy.controller)
        self.policy = policy

    def _on_state(self, data: bytes) -> None:
        """Merge a joint state, and decide where it completes one that is due.

        As in the safety filter, the stamp is that of the joint with the oldest one: where two
        drivers report an arm by clocks of their own, it is always of the same clock.
        """
        fields = self._reader.read(data)
        if fields is None:
            self._counts["damaged"] += 1
            return
        mapper = self._mapper
        if not mapper.merge(*fields):
            self._check_complete()
            return
        self._counts["states"] += 1
        if fields[0] != self._stamp_ns:
            self._stamp_ns, self._received_s = fields[0], time.monotonic()
        now_ns = fields[0] if self._lockstep else time.monotonic_ns()
        self._receipts.take(now_ns, mapper.updated_ns)
        if not self._check_complete() or not self._check_fresh():
            self._pending_ns = None
            return
        if self._epochs.begins(min(mapper.updated_ns)):
            mapper.forget()
            mapper.merge(*fields)
            self._answer = self._pending_ns = None
            self._counts["epochs"] += 1
        if self._check_complete():
            self._follow(min(mapper.updated_ns))

    def _follow(self, stamp: int) -> None:
        """Decide on a complete state where it is due, and repeat the answer to the last one."""
        if self._answer is not None and self._answer[0] == stamp:
            if self._lockstep and self.active:
                self._counts["repeats"] += 1
                self._publisher.publish(self._answer[1])
        elif self._ticks.is_due(stamp):
            self._pending_ns = stamp
            self._try_to_answer()

    def _on_target(self, message: PoseStamped) -> None:
        self._take(self._target, message)

    def _on_object(self, message: PoseStamped) -> None:
        self._take(self._object, message)

    def _take(self, pose: PoseInput, message: PoseStamped) -> None:
        problem = pose.take(message)
        if problem is not None:
            self._set_status(Level.ERROR, problem)
        elif self._lockstep:
            self._try_to_answer()

    def _try_to_answer(self) -> None:
        """Decide on the pending state, which is complete, if its target is known."""
        stamp = self._pending_ns
        if stamp is None or not self.active:
            return
        if not self._check_target(stamp) or not self._check_object(stamp):
            return
        self._pending_ns = None
        controller = self.policy.controller
        if not self._ticks.answered(stamp):
            controller.forget()
        start = time.perf_counter()
        command = controller.decide(
            self._mapper.position,
            self._mapper.velocity,
            self._target.position,
            self._object.pose,
        ).tolist()
        self._durations_us.append((time.perf_counter() - start) * 1e6)
        if not all(map(math.isfinite, command)):
            self._set_status(Level.ERROR, "the policy's action is not finite: no command is sent")
            return
        message = self._message.fill(stamp, command)
        self._publisher.publish(message)
        self._answer = (stamp, message)
        self._counts["commands"] += 1
        self._counts["unusual"] += bool(controller.unusual)
        self._set_status(Level.OK, "commanding")

    def _check_target(self, stamp: int) -> bool:
        """Tell whether the target is known; in lockstep one to come is the normal course."""
        if not self._target.position:
            self._set_status(Level.WARN, "waiting for target_pose")
            return False
        return not self._lockstep or self._target.stamp_ns == stamp

    def _check_object(self, stamp: int) -> bool:
        """Tell whether an object that the policy sees is where it was said to be."""
        if not self.policy.controller.sees_object:
            return True
        if not self._object.pose:
            self._set_status(Level.WARN, "waiting for object_pose")
            return False
        age_ns = self._object.age_ns(stamp)
        if self._lockstep:
            return age_ns == 0
        if age_ns > self._object_timeout_ns:
            self._set_status(
                Level.ERROR,
                f"object_pose is {age_ns / NS_PER_S:.1f} s off joint_states, allowed are "
                f"{self._parameters.object_timeout_s} s: no command is sent, check its publisher",
            )
            return False
        return True

    def _check_complete(self) -> bool:
        missing = self._mapper.missing
        if missing:
            self._set_status(
                Level.WARN,
                f"joint_states lacks {', '.join(missing)}: check the driver and joint_prefix",
            )
        return not missing

    def _check_fresh(self) -> bool:
        """Tell whether every joint was heard of lately, whatever clock its stamps are of."""
        late = [self._mapper.joint_names[i] for i in self._receipts.late(self._timeout_ns)]
        if late:
            self._set_status(Level.WARN, f"joint_states no longer updates {', '.join(late)}")
        return not late

    def _set_status(self, level: Level, text: str) -> None:
        if self._status != (level, text):
            self._status = (level, text)
            self._changed()

    def status(self) -> tuple[Level, str]:
        """Return how the work goes, in one line."""
        level, text = self._status
        unusual = self.policy.controller.unusual
        if self._received_s is not None and not self._lockstep:
            silent_s = time.monotonic() - self._received_s
            if silent_s > self._parameters.state_timeout_s:
                level, text = Level.WARN, f"no new joint_states for {silent_s:.1f} s"
        if level is Level.OK and unusual:
            level, text = Level.WARN, f"unlike training: {', '.join(unusual)}"
        return level, text

    def values(self) -> Mapping[str, object]:
        """Return the figures of the diagnostics."""
        durations = sorted(self._durations_us)
        return {
            **self._counts,
            "rejected_targets": self._target.rejected,
            "rejected_objects": self._object.rejected,
            "inference_p50_us": _percentile(durations, 0.50),
            "inference_p99_us": _percentile(durations, 0.99),
        }


def _percentile(ordered: list[float], fraction: float) -> str:
    if not ordered:
        return "none"
    return f"{ordered[min(int(fraction * len(ordered)), len(ordered) - 1)]:.1f}"
