"""A bundle that reaches its targets without any training: the tool goes straight to them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from bundle_samples import make_manifest, write_sample
from sinew_core.action import make_action_spec
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.observation import reach_observation_spec
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot

_GAIN = 1.2


def reaching_network(spec, action) -> PolicyNetwork:
    """The tool's velocity is in proportion to its way to the target, 0.2 m at an input of 1."""
    weight = np.zeros((action.size, spec.size), np.float32)
    where = spec.slice("target_from_tool_base")
    weight[:3, where] = _GAIN * np.eye(3)
    return PolicyNetwork(
        layers=((weight, np.zeros(action.size, np.float32)),),
        hidden_activation="relu",
        output_activation="tanh",
        observation_mean=np.zeros(spec.size, np.float32),
        observation_std=np.ones(spec.size, np.float32),
        observation_clip=None,
        choices=None,
    )


def write_reaching_bundle(folder: Path, name="panda", rates=None, **task) -> Path:
    """Write the bundle of a robot."""
    robot, rates = load_robot(name), rates or Rates()
    action = make_action_spec("tool_velocity", robot, rates)
    spec = reach_observation_spec(robot.limits, action=action)
    manifest = dataclasses.replace(
        make_manifest(robot.joint_names, robot.limits, name),
        rates=rates.to_mapping(),
        observation=spec.to_mapping(),
        action=action.to_mapping(),
        task={"name": "reach", **task},
    )
    return write_sample(folder, reaching_network(spec, action), manifest)
