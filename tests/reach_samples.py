"""Bundles that move without any training: straight to a target, or by efforts."""

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
    return _network(weight)


def _network(weight, bias=0.0) -> PolicyNetwork:
    return PolicyNetwork(
        layers=((weight, np.full(len(weight), bias, np.float32)),),
        hidden_activation="relu",
        output_activation="tanh",
        observation_mean=np.zeros(weight.shape[1], np.float32),
        observation_std=np.ones(weight.shape[1], np.float32),
        observation_clip=None,
        choices=None,
    )


def write_reaching_bundle(folder: Path, name="panda", rates=None, **task) -> Path:
    """Write the bundle of a robot."""
    robot, rates = load_robot(name), rates or Rates()
    action = make_action_spec("tool_velocity", robot, rates)
    spec = reach_observation_spec(robot.limits, action=action)
    return _write(folder, robot, rates, spec, action, reaching_network(spec, action), task)


def write_pushing_bundle(folder: Path, name="panda", rates=None, **task) -> Path:
    """Write a bundle of efforts: each joint is pushed a little, and the faster it is the less."""
    robot, rates = load_robot(name), rates or Rates()
    action = make_action_spec("joint_effort", robot, rates)
    spec = reach_observation_spec(robot.limits, action=action)
    weight = np.zeros((action.size, spec.size), np.float32)
    weight[:, spec.slice("joint_velocity")] = -4.0 * np.eye(action.size)
    return _write(folder, robot, rates, spec, action, _network(weight, 0.2), task)


def _write(folder, robot, rates, spec, action, network, task) -> Path:
    manifest = dataclasses.replace(
        make_manifest(robot.joint_names, robot.limits, robot.name),
        rates=rates.to_mapping(),
        observation=spec.to_mapping(),
        action=action.to_mapping(),
        task={"name": "reach", **task},
    )
    return write_sample(folder, network, manifest)
