"""Write a policy bundle so that a reader finds either the whole old one or the whole new one."""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import hashlib
import io
import logging
import os
import shutil
import uuid
from pathlib import Path

import numpy as np
import safetensors.numpy

from sinew_core.bundle.manifest import (
    GOLDEN_FILE,
    HASHED_FILES,
    MANIFEST_FILE,
    ONNX_FILE,
    TRAINING_FILE,
    WEIGHTS_FILE,
    Manifest,
    encode_manifest,
    mismatch,
)
from sinew_core.bundle.onnx_export import onnx_bytes
from sinew_core.bundle.reader import check_golden
from sinew_core.bundle.runtime import Float32, NumpyPolicy, PolicyNetwork
from sinew_core.bundle.specification import specify
from sinew_core.errors import BundleError
from sinew_core.files import sync_folder, write_durably

_LOGGER = logging.getLogger(__name__)
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write_bundle(
    folder: Path | str,
    manifest: Manifest,
    network: PolicyNetwork,
    golden_observations: Float32,
    golden_actions: Float32,
    training_yaml: str,
) -> Path:
    """Write a bundle, replacing an existing one in a single step.

    Args:
        folder: The bundle; its parent is created.
        manifest: Without `network` and `files`, which are filled in here.
        network: The actor with its normaliser.
        golden_observations: (pairs, observation_size).
        golden_actions: (pairs, action_size), what the trained actor answers to them.
        training_yaml: The configuration of the run.

    Returns:
        The folder.

    Raises:
        BundleError: if numpy's actions differ from the actor's, the manifest does not match the
            network, or the folder cannot be written.
    """
    folder = Path(folder).resolve()
    try:
        _refuse_foreign(folder)
        contents = _contents(manifest, network, golden_observations, golden_actions, training_yaml)
    except BundleError as error:
        raise BundleError(f"bundle {folder}: {error}") from None
    try:
        _place(folder, contents)
    except OSError as error:
        raise BundleError(
            f"bundle {folder}: cannot be written: {error.strerror}: "
            "free the disk or choose another folder"
        ) from None
    return folder


def _refuse_foreign(folder: Path) -> None:
    """Refuse to replace anything that is not a bundle, since the old folder is deleted."""
    if not folder.exists():
        return
    allowed = {MANIFEST_FILE, *HASHED_FILES}
    found = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else ["a file"]
    if not allowed.issuperset(found):
        other = [name for name in found if name not in allowed]
        raise mismatch("folder", "a bundle or nothing", other, "choose another folder")


def _contents(
    manifest: Manifest,
    network: PolicyNetwork,
    golden_observations: Float32,
    golden_actions: Float32,
    training_yaml: str,
) -> dict[str, bytes]:
    observations = np.asarray(golden_observations, np.float32)
    actions = check_golden(
        NumpyPolicy(network), observations, np.asarray(golden_actions, np.float32)
    )
    contents = {
        WEIGHTS_FILE: _weights(network),
        GOLDEN_FILE: _golden(observations, actions),
        TRAINING_FILE: training_yaml.encode(),
        ONNX_FILE: onnx_bytes(network),
    }
    complete = dataclasses.replace(
        manifest,
        network={
            "layer_sizes": list(network.layer_sizes),
            "hidden_activation": network.hidden_activation,
            "output_activation": network.output_activation,
            "observation_clip": network.observation_clip,
        },
        files={name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
    )
    specify(complete, network)
    contents[MANIFEST_FILE] = encode_manifest(complete)
    return contents


def _weights(network: PolicyNetwork) -> bytes:
    tensors = {"observation.mean": network.observation_mean}
    tensors["observation.std"] = network.observation_std
    if network.choices is not None:
        tensors["choices"] = network.choices
    for index, (weight, bias) in enumerate(network.layers):
        tensors[f"layer.{index}.weight"] = weight
        tensors[f"layer.{index}.bias"] = bias
    return safetensors.numpy.save(tensors)


def _golden(observations: Float32, actions: Float32) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, observation=observations, action=actions)
    return buffer.getvalue()


def _place(folder: Path, contents: dict[str, bytes]) -> None:
    """Write a sibling folder, make it durable, and put it in the bundle's place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    sibling = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    sibling.mkdir()
    try:
        for name, data in contents.items():
            write_durably(sibling / name, data)
        sync_folder(sibling)
        _swap_in(sibling, folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(sibling, ignore_errors=True)


def _swap_in(sibling: Path, folder: Path) -> None:
    """Rename, or exchange with an existing bundle; the old one is then in the sibling's place."""
    if not folder.exists():
        sibling.rename(folder)
    elif not _exchange(sibling, folder):
        _LOGGER.warning(
            "%s: this file system cannot exchange folders: the bundle is missing for an instant",
            folder,
        )
        aside = sibling.with_name(f"{sibling.name}.old")
        folder.rename(aside)
        sibling.rename(folder)
        shutil.rmtree(aside, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two folders in one step by Linux's renameat2; False where that is not supported."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(first), os.fsencode(second)
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(second))
