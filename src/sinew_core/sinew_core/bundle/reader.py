"""Load a policy bundle: verify all of it, then hand out a policy that is ready to run."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from sinew_core.bundle.manifest import (
    EXPORT_AGAIN,
    GOLDEN_FILE,
    HASHED_FILES,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    Manifest,
    decode_manifest,
    encode_manifest,
    mismatch,
)
from sinew_core.bundle.runtime import Float32, NumpyPolicy, PolicyNetwork
from sinew_core.bundle.specification import Specification, specify
from sinew_core.errors import BundleError

GOLDEN_TOLERANCE = 1e-5
"""Largest accepted difference of a golden action, of full scale 1; rounding differs by CPU."""

_READ_ATTEMPTS = 5


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """A verified bundle; `policy` reproduces the golden pairs on this machine."""

    folder: Path
    manifest: Manifest
    specification: Specification
    network: PolicyNetwork
    policy: NumpyPolicy

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the manifest, and with it of every file, by which copies are the same."""
        return hashlib.sha256(encode_manifest(self.manifest)).hexdigest()


def load_bundle(folder: Path | str) -> Bundle:
    """Load and verify a bundle: schema, checksums, shapes, and the golden pairs replayed.

    Raises:
        BundleError: for every mismatch; one line that names folder, field, expected and found.
    """
    folder = Path(folder)
    try:
        files = _read_files(folder)
        manifest = decode_manifest(files[MANIFEST_FILE])
        _check_hashes(manifest, files)
        network = _read_network(manifest, files[WEIGHTS_FILE])
        specification = specify(manifest, network)
        policy = NumpyPolicy(network)
        _replay(policy, files[GOLDEN_FILE])
    except BundleError as error:
        raise BundleError(f"bundle {folder}: {error}") from None
    return Bundle(
        folder=folder,
        manifest=manifest,
        specification=specification,
        network=network,
        policy=policy,
    )


def _read_files(folder: Path) -> dict[str, bytes]:
    """Read every file once, all of them from the same version of a folder that may be replaced."""
    for _ in range(_READ_ATTEMPTS):
        try:
            opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            remedy = "give the path of a bundle folder"
            raise mismatch("folder", "a readable folder", error.strerror, remedy) from None
        try:
            identity = os.fstat(opened)
            files = {name: _read(name, opened) for name in (MANIFEST_FILE, *HASHED_FILES)}
            return files
        except BundleError:
            if not _replaced(folder, identity):
                raise
        finally:
            os.close(opened)
    raise mismatch("folder", "a folder at rest", "one that is being replaced again and again")


def _read(name: str, folder: int) -> bytes:
    try:
        with open(os.open(name, os.O_RDONLY, dir_fd=folder), "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError as error:
        raise mismatch(name, "a readable file", error.strerror) from None


def _replaced(folder: Path, identity: os.stat_result) -> bool:
    try:
        return not os.path.samestat(folder.stat(), identity)
    except OSError:
        return True


def _check_hashes(manifest: Manifest, files: dict[str, bytes]) -> None:
    if sorted(manifest.files) != sorted(HASHED_FILES):
        raise mismatch(f"{MANIFEST_FILE}: files", sorted(HASHED_FILES), sorted(manifest.files))
    for name in HASHED_FILES:
        found = hashlib.sha256(files[name]).hexdigest()
        if found != manifest.files[name]:
            raise mismatch(name, f"SHA-256 {manifest.files[name]}", found)


def _read_network(manifest: Manifest, data: bytes) -> PolicyNetwork:
    try:
        tensors = safetensors.numpy.load(data)
    except Exception as error:  # parsers of damaged bytes raise nearly anything
        raise mismatch(WEIGHTS_FILE, "safetensors", str(error)) from None
    try:
        return _assemble(manifest, tensors)
    except BundleError as error:
        raise BundleError(f"{WEIGHTS_FILE}: {error}") from None


def _assemble(manifest: Manifest, tensors: dict[str, np.ndarray]) -> PolicyNetwork:
    info = manifest.network
    n_layers = sum(name.endswith(".weight") for name in tensors)
    expected = {"observation.mean", "observation.std"}
    if info.get("output_activation") == "argmax":
        expected.add("choices")
    for index in range(n_layers):
        expected |= {f"layer.{index}.weight", f"layer.{index}.bias"}
    if set(tensors) != expected:
        raise mismatch("tensors", sorted(expected), sorted(tensors))
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32:
            raise mismatch(name, "float32", tensor.dtype)
    clip = info.get("observation_clip")
    if clip is not None and type(clip) is not float:
        raise mismatch("network.observation_clip", "a number or null", clip)
    return PolicyNetwork(
        layers=tuple(
            (tensors[f"layer.{i}.weight"], tensors[f"layer.{i}.bias"]) for i in range(n_layers)
        ),
        hidden_activation=str(info.get("hidden_activation")),
        output_activation=str(info.get("output_activation")),
        observation_mean=tensors["observation.mean"],
        observation_std=tensors["observation.std"],
        observation_clip=clip,
        choices=tensors.get("choices"),
    )


def _replay(policy: NumpyPolicy, data: bytes) -> None:
    """Compare the policy's actions with the recorded ones.

    Raises:
        BundleError: if a pair cannot be read or its actions differ by more than the tolerance.
    """
    observations, actions = _read_golden(data)
    check_golden(policy, observations, actions)


def check_golden(policy: NumpyPolicy, observations: Float32, actions: Float32) -> Float32:
    """Replay golden pairs and return the policy's own actions.

    Args:
        policy: The policy to judge.
        observations: (pairs, observation_size).
        actions: (pairs, action_size), expected.

    Raises:
        BundleError: for wrong shapes, and for differences above `GOLDEN_TOLERANCE`.
    """
    pairs = len(observations) if observations.ndim == 2 else 0
    if pairs == 0 or observations.shape != (pairs, policy.observation_size):
        expected = f"shape (pairs, {policy.observation_size})"
        raise mismatch(f"{GOLDEN_FILE}: observation", expected, observations.shape)
    if actions.shape != (pairs, policy.action_size):
        expected = f"shape {(pairs, policy.action_size)}"
        raise mismatch(f"{GOLDEN_FILE}: action", expected, actions.shape)
    with np.errstate(all="ignore"):  # what overflows is judged below
        replayed = np.stack([policy.act(observation) for observation in observations])
        difference = np.abs(replayed - actions)
        difference[_equally_good(policy, observations, actions)] = 0.0
    if not np.all(difference <= GOLDEN_TOLERANCE):
        pair, joint = np.unravel_index(
            int(np.argmax(np.nan_to_num(difference, nan=np.inf))), difference.shape
        )
        raise mismatch(
            f"{GOLDEN_FILE}: action[{pair}][{joint}]",
            f"{actions[pair, joint]:.7g} within {GOLDEN_TOLERANCE:g}",
            f"{replayed[pair, joint]:.7g}",
            f"the weights or this machine's numpy are wrong: reinstall numpy, or {EXPORT_AGAIN}",
        )
    return replayed


def _equally_good(
    policy: NumpyPolicy, observations: Float32, actions: Float32
) -> npt.NDArray[np.bool_]:
    """Tell where an action (pairs,) scores as the policy's own does: rounding decides near ties."""
    good = np.zeros(len(observations), bool)
    if policy.choices is None:
        return good
    for pair, (observation, action) in enumerate(zip(observations, actions, strict=True)):
        scores = policy.scores(observation)
        tolerance = GOLDEN_TOLERANCE * max(1.0, float(np.abs(scores).max()))
        candidates = policy.choices[scores >= scores.max() - tolerance]
        good[pair] = (np.abs(candidates - action) <= GOLDEN_TOLERANCE).all(1).any()
    return good


def _read_golden(data: bytes) -> tuple[Float32, Float32]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            found = sorted(archive.files)
            arrays = {name: archive[name] for name in found}
    except Exception as error:  # parsers of damaged bytes raise nearly anything
        raise mismatch(GOLDEN_FILE, "a numpy archive without pickles", str(error)) from None
    if found != ["action", "observation"]:
        raise mismatch(GOLDEN_FILE, ["action", "observation"], found)
    for name, array in arrays.items():
        if array.dtype != np.float32:
            raise mismatch(f"{GOLDEN_FILE}: {name}", "float32", array.dtype)
    return arrays["observation"], arrays["action"]
