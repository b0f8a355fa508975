"""A made-up deployment as messages, which tests change before they are written to a bag."""

from __future__ import annotations

import numpy as np

from benchmarks.bag.samples import (
    ARRAY,
    START_NS,
    STATE,
    STORE,
    STRING,
    TRAJECTORY,
    Message,
    float_array,
    joint_state,
    text,
    write_bag,
)
from sinew_core.deployment.bag_evaluation import evaluate_bag
from sinew_core.deployment.bag_parameters import BagEvaluationParameters
from sinew_core.robots.catalogue import load_robot

PANDA = load_robot("panda")
HOME = PANDA.home_rad
AT_HOME = PANDA.chain.tool_xyz(HOME.tolist())
POSE, DIAGNOSTICS = "geometry_msgs/msg/PoseStamped", "diagnostic_msgs/msg/DiagnosticArray"
PERIOD_NS = 10_000_000
COMMANDS = "/forward_velocity_controller/commands"
CONFIGURATION = """
safety_filter:
  ros__parameters: {pace: realtime, mode: joint_velocity, robot: panda}
"""


def _serialise(kind, *fields):
    return bytes(STORE.serialize_cdr(STORE.types[kind](*fields), kind))


def header(stamp_ns, frame=""):
    time = STORE.types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 10**9))
    return STORE.types["std_msgs/msg/Header"](time, frame)


def pose(stamp_ns, place, frame=""):
    point = STORE.types["geometry_msgs/msg/Point"](*map(float, place))
    turn = STORE.types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
    return _serialise(
        POSE, header(stamp_ns, frame), STORE.types["geometry_msgs/msg/Pose"](point, turn)
    )


def diagnostics(stamp_ns, name, values):
    pair = STORE.types["diagnostic_msgs/msg/KeyValue"]
    status = STORE.types["diagnostic_msgs/msg/DiagnosticStatus"](
        0, name, "", "", [pair(key, str(value)) for key, value in values.items()]
    )
    return _serialise(DIAGNOSTICS, header(stamp_ns), [status])


def command(stamp_ns, names, velocities):
    kinds = STORE.types
    point = kinds["trajectory_msgs/msg/JointTrajectoryPoint"](
        np.empty(0), np.array(velocities, float), np.empty(0), np.empty(0),
        kinds["builtin_interfaces/msg/Duration"](0, 0),
    )  # fmt: skip
    return _serialise(TRAJECTORY, header(stamp_ns), list(names), [point])


class Deployment:
    """An armed Panda at rest at home for some seconds, whose messages tests add and change."""

    def __init__(self, seconds=2.0, prefix="", space=""):
        self.space = space
        self.stamps = [START_NS + i * PERIOD_NS for i in range(round(seconds * 1e9 / PERIOD_NS))]
        n = len(self.stamps)
        self.names = [[prefix + joint for joint in PANDA.joint_names]] * n
        self.position = [HOME.copy() for _ in range(n)]
        self.velocity = [np.zeros(7) for _ in range(n)]
        self.effort = [np.zeros(7) for _ in range(n)]
        self.logs = [stamp + 200_000 for stamp in self.stamps]
        self.left_out: set[int] = set()
        self.extra: list[Message] = []
        self.add("safety_filter/configuration", STRING, START_NS - 1, text(CONFIGURATION))

    def add(self, topic, kind, log_ns, data):
        self.extra.append(Message(f"{self.space}/{topic}", kind, log_ns, data))

    def target(self, at_s, place=AT_HOME, frame="", stamp_ns=0):
        log_ns = START_NS + round(at_s * 1e9)
        self.add("target_pose", POSE, log_ns, pose(stamp_ns, place, frame))

    def report(self, at_s, state="armed", reason="", interventions=0):
        values = {"state": state, "reason": reason, "interventions: j clamp": interventions}
        log_ns = START_NS + round(at_s * 1e9)
        name = f"{self.space}/safety_filter".lstrip("/")
        self.add("diagnostics", DIAGNOSTICS, log_ns, diagnostics(log_ns, name, values))

    def output(self, at_s, command_ns):
        labels = [str(command_ns), str(command_ns), "n1 s c0"]
        self.extra.append(
            Message(
                f"{self.space}{COMMANDS}",
                ARRAY,
                START_NS + round(at_s * 1e9),
                float_array([0.0] * 7, labels),
            )
        )

    def state_messages(self, topic="joint_states"):
        columns = (self.stamps, self.names, self.position, self.velocity, self.effort)
        rows = zip(self.logs, *columns, strict=True)
        return [
            Message(f"{self.space}/{topic}", STATE, log_ns, joint_state(*row))
            for i, (log_ns, *row) in enumerate(rows)
            if i not in self.left_out
        ]

    def write(self, folder, topic="joint_states"):
        messages = [*self.state_messages(topic), *self.extra]
        return write_bag(folder, sorted(messages, key=lambda message: message.time_ns))

    def evaluate(self, tmp_path, topic="joint_states", **parameters):
        path = self.write(tmp_path / "bag", topic)
        return evaluate_bag(BagEvaluationParameters(bag=str(path), **parameters))
