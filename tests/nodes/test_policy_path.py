"""The deployed path gives the environment's observations and actions to the last bit."""

import dataclasses
import math

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState

from bundle_samples import make_manifest, make_network, write_sample
from push_samples import PANDA, TASK, write_push_bundle
from sinew_core.bundle import load_bundle
from sinew_core.bundle.controller import PolicyController
from sinew_core.environments.arm import ArmEnv
from sinew_core.observation import Signals
from sinew_core.simulation import ENGINE_NAMES
from sinew_core.tasks.push import PushParameters
from sinew_ros.messages import JointStateMapper
from sinew_ros.poses import PoseInput, set_pose
from sinew_ros.stamps import to_stamp

PERIOD_NS = 40_000_000


class RecordingBuilder:
    """Stands in for the environment's builder and keeps the joint state of each tick."""

    def __init__(self, builder):
        self.builder = builder
        self.states = []

    @property
    def tool_position_base(self):
        return self.builder.tool_position_base

    def build(self, signals: Signals, out=None):
        self.states.append((signals.joint_position.tolist(), signals.joint_velocity.tolist()))
        return self.builder.build(signals, out)


def through_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


def state_message(stamp, names, position, velocity):
    message = JointState(name=list(names), position=position, velocity=velocity)
    message.header.stamp = to_stamp(stamp)
    return through_the_wire(message)


def target_message(position):
    message = PoseStamped()
    point = message.pose.position
    point.x, point.y, point.z = position.tolist()
    return through_the_wire(message)


def object_message(pose):
    message = PoseStamped()
    set_pose(message.pose, pose)
    return through_the_wire(message)


@pytest.mark.parametrize("mode", ["joint_velocity", "joint_position", "joint_effort"])
def test_the_message_path_repeats_an_episode_of_the_environment(tmp_path, mode):
    env = ArmEnv(action_mode=mode)
    env.builder = recorder = RecordingBuilder(env.builder)
    names = env.robot.joint_names
    manifest = dataclasses.replace(
        make_manifest(names, env.robot.limits, "panda"),
        observation=env.observation_spec.to_mapping(),
        action=env.action_spec.to_mapping(),
    )
    network = make_network((env.observation_spec.size, 8, 7))
    bundle = load_bundle(write_sample(tmp_path / "bundle", network, manifest))
    controller = PolicyController(bundle, env.robot.chain)
    mapper = JointStateMapper(names)
    observation, info = env.reset(seed=1)
    for tick in range(30):
        message = state_message(tick * PERIOD_NS + 10**9, names, *recorder.states[-1])
        assert mapper.update(message)
        point = target_message(info["target_position"]).pose.position
        controller.decide(mapper.position, mapper.velocity, (point.x, point.y, point.z))
        assert np.array_equal(controller.observation, observation)
        action = bundle.policy.act(observation)
        assert np.array_equal(controller.signals.previous_action, action)
        observation, _, _, _, info = env.step(action)
    env.close()


@pytest.fixture
def poses(monkeypatch):
    """The poses of the object that signals have followed, in order."""
    followed, follow = [], Signals.follow_object

    def keep(signals, pose, *, moving):
        followed.append(tuple(pose))
        follow(signals, pose, moving=moving)

    monkeypatch.setattr(Signals, "follow_object", keep)
    return followed


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_the_message_path_repeats_a_push_of_the_environment(tmp_path, poses, engine):
    env = ArmEnv(
        PANDA,
        engine=engine,
        task="push",
        action_mode="tool_velocity",
        task_parameters=PushParameters.from_mapping(TASK),
    )
    env.builder = recorder = RecordingBuilder(env.builder)
    bundle = load_bundle(write_push_bundle(tmp_path / "bundle"))
    controller = PolicyController(bundle, PANDA.chain)
    mapper = JointStateMapper(PANDA.joint_names)
    thing = PoseInput("object_pose", ("",), oriented=True)
    for seed in (1, 2):
        observation, info = env.reset(seed=seed)
        start = poses[-1]
        controller.forget()
        for tick in range(40):
            message = state_message(tick * PERIOD_NS, PANDA.joint_names, *recorder.states[-1])
            assert mapper.update(message)
            assert thing.take(object_message(poses[-1])) is None
            target = target_message(info["target_position"]).pose.position
            controller.decide(
                mapper.position, mapper.velocity, (target.x, target.y, target.z), thing.pose
            )
            assert np.array_equal(controller.observation, observation)
            observation, _, _, _, info = env.step(bundle.policy.act(observation))
        assert math.dist(start[:3], poses[-1][:3]) > 0.002
    env.close()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"frame": "camera"}, "in frame 'camera' is rejected: give finite metres in frame 'base'"),
        ({"pose": (math.nan, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)}, "is rejected: give finite metres"),
        ({"pose": (0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)}, "give a unit quaternion"),
        ({"pose": (0.5, 0.0, 0.0, math.nan, 0.0, 0.0, 0.0)}, "give a unit quaternion"),
    ],
)
def test_a_pose_that_says_nothing_is_refused_and_the_last_good_one_kept(change, reason):
    good = (0.5, 0.1, 0.03, math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5))
    thing = PoseInput("object_pose", ("", "base"), oriented=True)
    assert thing.pose == ()
    message = object_message(good)
    message.header.frame_id, message.header.stamp = "base", to_stamp(5 * PERIOD_NS)
    assert thing.take(message) is None
    wrong = object_message(change.get("pose", good))
    wrong.header.frame_id = change.get("frame", "base")
    assert reason in thing.take(wrong)
    assert (thing.pose, thing.position, thing.rejected) == (good, good[:3], 1)
    assert thing.age_ns(3 * PERIOD_NS) == thing.age_ns(7 * PERIOD_NS) == 2 * PERIOD_NS
