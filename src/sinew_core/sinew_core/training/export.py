"""From a trained policy to its bundle."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sinew_core.bundle.manifest import Manifest
from sinew_core.bundle.runtime import NumpyPolicy, PolicyNetwork
from sinew_core.bundle.writer import write_bundle
from sinew_core.evaluation import EvaluationResult
from sinew_core.robots.sim_params import sim_params_mapping
from sinew_core.tasks.setup import TaskSetup
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.environment import make_randomisation, make_sim_params


def export_bundle(
    folder: Path,
    configuration: RunConfiguration,
    setup: TaskSetup,
    network: PolicyNetwork,
    evaluation: EvaluationResult,
    golden_observations: NDArray[np.float32],
    *,
    env_steps: int,
    wall_s: float,
) -> Path:
    """Write the bundle of a policy, replacing an older one in a single step.

    The golden observations (pairs, size) become golden pairs with what the policy does there.

    Raises:
        BundleError: the folder cannot be written.
    """
    train = configuration.train
    manifest = Manifest(
        algorithm=train.algorithm,
        seed=train.seed,
        git_revision=git_revision(),
        rates=_integers(configuration.rates.to_mapping()),
        robot=setup.robot.name,
        joint_names=setup.robot.joint_names,
        observation=setup.observation_spec.to_mapping(),
        action=setup.action_spec.to_mapping(),
        limits=setup.robot.limits.to_mapping(),
        safety=setup.safety_parameters.to_mapping(),
        task={"name": train.task, **configuration.task.to_mapping()},
        training={
            "env_steps": env_steps,
            "wall_s": wall_s,
            "randomisation": _randomisation(configuration, setup),
            "sim_params": _sim_params(configuration, setup),
        },
        evaluation=_plain(evaluation),
    )
    policy = NumpyPolicy(network)
    actions = np.stack([policy.act(o) for o in golden_observations])
    text = configuration.to_yaml()
    return write_bundle(folder, manifest, network, golden_observations, actions, text)


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


def _randomisation(configuration: RunConfiguration, setup: TaskSetup) -> dict[str, object] | None:
    made = make_randomisation(configuration, setup.robot)
    return None if made is None else made.to_mapping()


def _sim_params(configuration: RunConfiguration, setup: TaskSetup) -> dict[str, object] | None:
    made = make_sim_params(configuration, setup.robot)
    return None if made is None else sim_params_mapping(made, setup.robot)


def _integers(mapping: dict[str, object]) -> dict[str, int]:
    return {name: int(str(value)) for name, value in mapping.items()}


def _plain(evaluation: EvaluationResult) -> dict[str, object]:
    values = dataclasses.asdict(evaluation)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
