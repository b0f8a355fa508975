"""The typed content of a manifest: specs, limits and rates that agree with each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from sinew_core.bundle.manifest import MANIFEST_FILE, Manifest, mismatch
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.errors import BundleError, SinewError
from sinew_core.rates import Rates
from sinew_core.robots.limits import JointLimits
from sinew_core.specs import ActionSpec, ObservationSpec


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Specification:
    """What a policy reads and answers, and what it was trained under."""

    observation: ObservationSpec
    action: ActionSpec
    limits: JointLimits
    rates: Rates


def specify(manifest: Manifest, network: PolicyNetwork) -> Specification:
    """Read the specs, limits and rates of a manifest and hold them against each other.

    Args:
        manifest: Of a policy.
        network: That of the policy.

    Raises:
        BundleError: for the first part that cannot be read or does not agree with the others.
    """
    try:
        specification = Specification(
            observation=ObservationSpec.from_mapping(manifest.observation),
            action=ActionSpec.from_mapping(manifest.action),
            limits=JointLimits.from_mapping(manifest.limits, "limits"),
            rates=Rates.from_mapping(manifest.rates, "rates"),
        )
    except SinewError as error:
        raise BundleError(f"{MANIFEST_FILE}: {' '.join(str(error).split())}") from None
    _check_agreement(manifest, specification, network)
    return specification


def _check_agreement(
    manifest: Manifest, specification: Specification, network: PolicyNetwork
) -> None:
    names = manifest.joint_names
    answered, layer_sizes = network.action_size, network.layer_sizes
    nudges = np.array(specification.action.nudges, np.float32)
    choices = [] if network.choices is None else network.choices.tolist()
    comparisons: Mapping[str, tuple[object, object]] = {
        "network.layer_sizes": (list(layer_sizes), manifest.network.get("layer_sizes")),
        "size of action": (answered, specification.action.size),
        "size of previous_action": (answered, _size(specification.observation, answered)),
        "action.joint_names": (list(names), list(specification.action.joint_names)),
        "action.nudges": (choices, nudges.tolist()),
        "observation.size": (layer_sizes[0], specification.observation.size),
        "number of joints in limits": (len(names), specification.limits.n_joints),
    }
    for field, (expected, found) in comparisons.items():
        if expected != found:
            raise mismatch(f"{MANIFEST_FILE}: {field}", expected, found)


def _size(observation: ObservationSpec, default: int) -> int:
    """Return the size of the previous action, `default` where it is not observed."""
    return next((f.size for f in observation.fields if f.name == "previous_action"), default)
