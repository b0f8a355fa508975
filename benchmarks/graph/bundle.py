"""A policy of the usual size that any machine can make: it holds the arm at home and sways it.

Its network has the 2 x 256 units of a trained one. Some of them compute the distance from home and
the way to the target, by pairs of units, relu(x) - relu(-x) = x; the others compute as well, but
hardly count. So the arm moves for hours and meets no limit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sinew_core.bundle.manifest import Manifest
from sinew_core.bundle.runtime import Float32, NumpyPolicy, PolicyNetwork
from sinew_core.bundle.writer import write_bundle
from sinew_core.observation import reach_observation_spec
from sinew_core.rates import Rates
from sinew_core.robots.model import RobotModel
from sinew_core.specs import ActionSpec, ObservationSpec

HIDDEN_UNITS = 256
_HOLD_PER_S = 0.5
"""Joint velocity per distance from home."""
_SWAY = 0.1
"""Action per component of the way to the target, in the observation's unit."""
_SMALL = 1e-4


def write_swaying_policy(folder: Path, robot: RobotModel, rates: Rates) -> Path:
    """Write the bundle for a robot at these rates; return the folder."""
    limits = robot.limits
    action = ActionSpec(
        mode="joint_velocity",
        joint_names=robot.joint_names,
        scale=tuple((0.1 * limits.velocity_rad_s).tolist()),
    )
    observation = reach_observation_spec(limits)
    network = _network(robot, observation, action)
    observations = np.random.default_rng(1).normal(size=(32, observation.size)).astype(np.float32)
    policy = NumpyPolicy(network)
    manifest = Manifest(
        algorithm="none",
        seed=0,
        git_revision="unknown",
        rates=rates.to_mapping(),
        robot=robot.name,
        joint_names=robot.joint_names,
        observation=observation.to_mapping(),
        action=action.to_mapping(),
        limits=limits.to_mapping(),
        safety={},
        task={"name": "reach"},
        training={},
        evaluation={},
    )
    actions = np.stack([policy.act(o) for o in observations])
    return write_bundle(folder, manifest, network, observations, actions, "{}\n")


def _network(robot: RobotModel, observation: ObservationSpec, action: ActionSpec) -> PolicyNetwork:
    rng = np.random.default_rng(0)
    n, units = len(robot.joint_names), HIDDEN_UNITS
    inputs = [*range(n), *range(2 * n, 2 * n + 3)]  # joint positions, and the way to the target
    assert observation.names[:3] == ("joint_position", "joint_velocity", "target_from_tool_base")
    scale = np.concatenate([f.scale for f in observation.fields])[inputs]
    first = _noise(rng, units, observation.size)
    last = _noise(rng, n, units)
    through = _noise(rng, units, units)
    bias = np.zeros(units, np.float32)
    gain = np.zeros((n, len(inputs)))
    gain[:, :n] = -np.diag(_HOLD_PER_S / (scale[:n] * np.array(action.scale)))
    gain[:, n:] = _SWAY * rng.uniform(-1.0, 1.0, (n, 3))
    for pair, source in enumerate(inputs):
        offset = robot.home_rad[source] * scale[pair] if source < n else 0.0
        for sign, unit in ((1.0, 2 * pair), (-1.0, 2 * pair + 1)):
            first[unit] = 0.0
            first[unit, source], bias[unit] = sign, -sign * offset
            through[unit] = 0.0
            through[unit, unit] = 1.0
            last[:, unit] = sign * gain[:, pair]
    return PolicyNetwork(
        layers=(
            (first, bias),
            (through, np.zeros(units, np.float32)),
            (last, np.zeros(n, np.float32)),
        ),
        hidden_activation="relu",
        output_activation="tanh",
        observation_mean=np.zeros(observation.size, np.float32),
        observation_std=np.ones(observation.size, np.float32),
    )


def _noise(rng: np.random.Generator, outputs: int, inputs: int) -> Float32:
    return (_SMALL * rng.normal(size=(outputs, inputs))).astype(np.float32)
