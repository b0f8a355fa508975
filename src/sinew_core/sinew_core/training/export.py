"""From a trained policy to its bundle."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sinew_core.bundle.manifest import Manifest
from sinew_core.bundle.runtime import NumpyPolicy, PolicyNetwork
from sinew_core.bundle.writer import write_bundle
from sinew_core.evaluation import EvaluationResult
from sinew_core.training.configuration import RunConfiguration

if TYPE_CHECKING:
    from sinew_core.environments.arm import ArmEnv

_GOLDEN_PAIRS, _GOLDEN_EPISODES = 64, 4


def export_bundle(
    folder: Path,
    configuration: RunConfiguration,
    env: ArmEnv,
    network: PolicyNetwork,
    evaluation: EvaluationResult,
    *,
    env_steps: int,
    wall_s: float,
) -> Path:
    """Write the bundle of a policy, replacing an older one in a single step.

    Raises:
        BundleError: the folder cannot be written.
    """
    train = configuration.train
    manifest = Manifest(
        algorithm=train.algorithm,
        seed=train.seed,
        git_revision=git_revision(),
        rates=_integers(configuration.rates.to_mapping()),
        robot=env.robot.name,
        joint_names=env.robot.joint_names,
        observation=env.observation_spec.to_mapping(),
        action=env.action_spec.to_mapping(),
        limits=env.robot.limits.to_mapping(),
        safety=env.safety_parameters.to_mapping(),
        task={"name": train.task, **configuration.reach.to_mapping()},
        training={"env_steps": env_steps, "wall_s": wall_s},
        evaluation=_plain(evaluation),
    )
    policy = NumpyPolicy(network)
    observations = _golden_observations(env, policy)
    actions = np.stack([policy.act(o) for o in observations])
    return write_bundle(folder, manifest, network, observations, actions, configuration.to_yaml())


@functools.cache
def git_revision() -> str:
    """Return the revision of the working tree that holds this file, or 'unknown'."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.strip()


def _golden_observations(env: ArmEnv, policy: NumpyPolicy) -> np.ndarray:
    """Return observations (pairs, size) from the start to the end of real episodes."""
    seen: list[np.ndarray] = []
    for seed in range(_GOLDEN_EPISODES):
        observation, _ = env.reset(seed=seed)
        ended, episode = False, []
        while not ended:
            episode.append(observation.copy())
            observation, _, terminated, truncated, _ = env.step(policy.act(observation))
            ended = terminated or truncated
        places = np.linspace(0, len(episode) - 1, _GOLDEN_PAIRS // _GOLDEN_EPISODES)
        seen += [episode[int(place)] for place in places]
    return np.stack(seen)


def _integers(mapping: dict[str, object]) -> dict[str, int]:
    return {name: int(str(value)) for name, value in mapping.items()}


def _plain(evaluation: EvaluationResult) -> dict[str, object]:
    values = dataclasses.asdict(evaluation)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
