"""Motions of arms whose parameters are known, recorded as a driver would: noisy, into a bag."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rosbags.typesys import Stores, get_typestore

from sinew_core.bags.recording import Commands
from sinew_core.bags.writer import BagWriter
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.simulation.rollout import Motion
from sinew_ros.raw import JointStateWriter

STATE_RATE_HZ = 200
POSITION_NOISE_RAD = 1e-4
VELOCITY_NOISE_RAD_S = 1e-3
EFFORT_NOISE_NM = 0.2
START_NS = 1_700_000_000_000_000_000
TOPIC = "/forward_position_controller/commands"
_NS_PER_S = 1_000_000_000
_STORE = get_typestore(Stores.ROS2_JAZZY)


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """A bag, and what no bag can tell.

    Attributes:
        bag: its folder.
        commands: as they were sent.
        sample_s: (N,) of the states.
        motion: at those, without noise.
    """

    bag: Path
    commands: Commands
    sample_s: Array
    motion: Motion


def sample_times(commands: Commands) -> Array:
    """Return the times (N,) s at which a driver publishes states."""
    return np.arange(round(float(commands.time_s[-1]) * STATE_RATE_HZ) + 1) / STATE_RATE_HZ


def write_recording(
    bag: Path,
    robot: RobotModel,
    recorded: tuple[Commands, Array, Motion],
    seed: int,
    *,
    stamp_s: Array | None = None,
    efforts: bool = True,
) -> Recorded:
    """Write a bag of noisy states and exact commands; `stamp_s` (N,) are stamps that jitter.

    Joint states say nothing of efforts without `efforts`.
    """
    commands, sample_s, motion = recorded
    rng = np.random.default_rng([seed, 0xBA6])
    shape = motion.position_rad.shape
    position = motion.position_rad + POSITION_NOISE_RAD * rng.standard_normal(shape)
    velocity = motion.velocity_rad_s + VELOCITY_NOISE_RAD_S * rng.standard_normal(shape)
    effort = motion.effort_nm + EFFORT_NOISE_NM * rng.standard_normal(shape)
    if not efforts:
        effort = np.full(shape, np.nan)
    states = JointStateWriter(robot.joint_names)
    stamps = (sample_s if stamp_s is None else stamp_s) * _NS_PER_S
    messages = [
        (START_NS + round(at), "/joint_states", "sensor_msgs/msg/JointState",
         states.write(START_NS + round(at), q.tolist(), v.tolist(), e.tolist()))
        for at, q, v, e in zip(stamps.tolist(), position, velocity, effort, strict=True)
    ]  # fmt: skip
    messages += [
        (START_NS + round(at * _NS_PER_S), TOPIC, "std_msgs/msg/Float64MultiArray", _array(values))
        for at, values in zip(commands.time_s.tolist(), commands.values, strict=True)
    ]
    description = _STORE.types["std_msgs/msg/String"](data=robot.urdf_text)
    messages.append(
        (START_NS, "/robot_description", "std_msgs/msg/String",
         bytes(_STORE.serialize_cdr(description, "std_msgs/msg/String")))
    )  # fmt: skip
    writer = BagWriter(bag)
    for time_ns, topic, kind, data in sorted(messages, key=lambda message: message[0]):
        writer.write(topic, kind, data, time_ns)
    writer.close()
    return Recorded(bag=bag, commands=commands, sample_s=sample_s, motion=motion)


def _array(values: Array) -> bytes:
    types = _STORE.types
    layout = types["std_msgs/msg/MultiArrayLayout"](dim=[], data_offset=0)
    message = types["std_msgs/msg/Float64MultiArray"](layout=layout, data=np.array(values))
    return bytes(_STORE.serialize_cdr(message, "std_msgs/msg/Float64MultiArray"))
