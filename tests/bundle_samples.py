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


def make_network(sizes=(6, 8, 8, 2), hidden="relu", output="tanh", clip=None, seed=0):
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
    )


def make_manifest(joint_names=("one", "two")) -> Manifest:
    return Manifest(
        algorithm="ddpg",
        seed=3,
        git_revision="unknown",
        rates={
            "physics_rate_hz": 500,
            "state_rate_hz": 100,
            "filter_rate_hz": 100,
            "control_rate_hz": 25,
        },
        robot="sample",
        joint_names=joint_names,
        observation={},
        action={},
        limits={},
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
