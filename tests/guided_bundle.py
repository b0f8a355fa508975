"""A bundle that reaches without training: the tool moves straight towards the target."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from bundle_samples import make_manifest, make_network, write_sample
from sinew_core.action import make_action_spec
from sinew_core.observation import reach_observation_spec
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot

GAIN = 2.0
"""Of the full tool speed, at 20 cm from the target."""


def write_guided_bundle(folder: Path, robot_name: str, rates: Rates | None = None) -> Path:
    """Write it for a robot of the catalogue, as if trained at these rates."""
    robot, rates = load_robot(robot_name), rates or Rates()
    action = make_action_spec("tool_velocity", robot, rates)
    observation = reach_observation_spec(robot.limits, action=action)
    n = robot.n_joints
    weight = np.zeros((3, observation.size), np.float32)
    weight[:, 2 * n : 2 * n + 3] = GAIN * np.eye(3)  # target_from_tool_base, 1 stands for 20 cm
    network = dataclasses.replace(
        make_network((observation.size, 3)),
        layers=((weight, np.zeros(3, np.float32)),),
        observation_mean=np.zeros(observation.size, np.float32),
        observation_std=np.ones(observation.size, np.float32),
    )
    manifest = dataclasses.replace(
        make_manifest(robot.joint_names, robot.limits, robot.name),
        observation=observation.to_mapping(),
        action=action.to_mapping(),
        rates=rates.to_mapping(),
    )
    return write_sample(folder, network, manifest)
