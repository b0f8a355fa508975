"""A small valid bundle, and the means to damage one."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from pathlib import Path

import numpy as np

from sinew_core.bundle.manifest import MANIFEST_FILE, Manifest, decode_manifest, encode_manifest
from sinew_core.bundle.runtime import NumpyPolicy, PolicyNetwork
from sinew_core.bundle.writer import write_bundle
from sinew_core.observation import reach_observation_spec
from sinew_core.rates import Rates
from sinew_core.robots.limits import JointLimits
from sinew_core.specs import ActionSpec


def make_network(sizes=(9, 8, 8, 2), hidden="relu", output="tanh", clip=None, seed=0, choices=None):
    rng = np.random.default_rng(seed)
    layers = tuple(
        (rng.normal(size=(out, n)).astype(np.float32), rng.normal(size=out).astype(np.float32))
        for n, out in itertools.pairwise(sizes)
    )
    return PolicyNetwork(
        layers=layers,
        hidden_activation=hidden,
        output_activation=output,
        observation_mean=rng.normal(size=sizes[0]).astype(np.float32),
        observation_std=rng.uniform(0.5, 2.0, sizes[0]).astype(np.float32),
        observation_clip=clip,
        choices=choices,
    )


LIMITS = JointLimits(
    position_lower_rad=[-1.0, -2.0],
    position_upper_rad=[1.0, 2.0],
    velocity_rad_s=[1.0, 2.0],
    acceleration_rad_s2=[10.0, 10.0],
    jerk_rad_s3=[100.0, 100.0],
    effort_nm=[50.0, 50.0],
    effort_rate_nm_s=[500.0, 500.0],
)


def make_manifest(joint_names=("one", "two"), limits=LIMITS, robot="sample", nudges=()) -> Manifest:
    action = ActionSpec(
        mode="joint_velocity",
        joint_names=joint_names,
        scale=tuple(limits.velocity_rad_s.tolist()),
        nudges=nudges,
    )
    return Manifest(
        algorithm="ddpg",
        seed=3,
        git_revision="unknown",
        rates=Rates().to_mapping(),
        robot=robot,
        joint_names=joint_names,
        observation=reach_observation_spec(limits).to_mapping(),
        action=action.to_mapping(),
        limits=limits.to_mapping(),
        safety={},
        task={"name": "reach"},
        training={"env_steps": 1000, "wall_s": 1.5},
        evaluation={"success_rate": 0.96},
    )


def write_sample(folder: Path, network=None, manifest=None) -> Path:
    network = network or make_network()
    observations = np.random.default_rng(1).normal(size=(5, network.layer_sizes[0]))
    observations = observations.astype(np.float32)
    policy = NumpyPolicy(network)
    actions = np.stack([policy.act(o) for o in observations])
    manifest = manifest or make_manifest()
    return write_bundle(folder, manifest, network, observations, actions, "seed: 3\n")


def resign(folder: Path, **changes) -> None:
    """Make checksums right again after files were changed by hand, and change manifest fields."""
    path = folder / MANIFEST_FILE
    manifest = decode_manifest(path.read_bytes())
    files = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in manifest.files}
    path.write_bytes(encode_manifest(dataclasses.replace(manifest, files=files, **changes)))
