"""A small bundle whose policy pushes ahead, and the task it was made for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from bundle_samples import make_manifest, make_network, write_sample
from sinew_core.action import make_action_spec
from sinew_core.observation import push_observation_spec
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot

PANDA = load_robot("panda")
# The tool starts behind a box that is small, so that an episode ahead surely meets the cube.
TASK = {
    "episode_s": 1.6,
    "lower_m": [0.5, -0.03],
    "upper_m": [0.53, 0.03],
    "apart_m": 0.02,
    "tolerance_m": 0.005,
}
AHEAD = np.array([1.0, 0.0, 0.0])


def write_push_bundle(folder: Path, task=TASK) -> Path:
    """Write it; what it sees changes its actions a little, too."""
    action = make_action_spec("tool_velocity", PANDA, Rates())
    observation = push_observation_spec(PANDA.limits, action)
    network = make_network((observation.size, 8, 3))
    *hidden, (weight, bias) = network.layers
    layers = (*hidden, (0.02 * weight, 0.02 * bias + AHEAD.astype(np.float32)))
    manifest = dataclasses.replace(
        make_manifest(PANDA.joint_names, PANDA.limits, "panda"),
        observation=observation.to_mapping(),
        action=action.to_mapping(),
        task={"name": "push", **task},
    )
    return write_sample(folder, dataclasses.replace(network, layers=layers), manifest)
