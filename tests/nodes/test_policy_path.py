"""The deployed path gives the environment's observations and actions to the last bit."""

import dataclasses

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState

from bundle_samples import make_manifest, make_network, write_sample
from sinew_core.bundle import load_bundle
from sinew_core.bundle.controller import PolicyController
from sinew_core.environments.arm import ArmEnv
from sinew_core.observation import Signals
from sinew_ros.messages import JointStateMapper
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
