"""The manifest of a policy bundle: what was trained, for what, and the checksums of its files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping

from sinew_core.errors import BundleError

SCHEMA_VERSION = 1
MANIFEST_FILE = "manifest.json"
WEIGHTS_FILE = "policy.safetensors"
GOLDEN_FILE = "golden.npz"
TRAINING_FILE = "training.yaml"
ONNX_FILE = "policy.onnx"
HASHED_FILES = (WEIGHTS_FILE, GOLDEN_FILE, TRAINING_FILE, ONNX_FILE)
RATE_NAMES = ("physics_rate_hz", "state_rate_hz", "filter_rate_hz", "control_rate_hz")
EXPORT_AGAIN = "export the bundle again or restore it from a copy"

_CHECKSUM = "manifest_sha256"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything a deployment must know about a policy; mappings hold plain JSON values.

    Attributes:
        algorithm: Name of the learning algorithm.
        seed: Seed of the training run.
        git_revision: Revision of the code that trained, or 'unknown'.
        rates: The four rates in Hz, by the names of `sinew_core.rates.Rates`.
        robot: Name of the robot model.
        joint_names: In the order of the observation and the action.
        observation: `ObservationSpec.to_mapping()`.
        action: `ActionSpec.to_mapping()`.
        limits: `JointLimits.to_mapping()` trained under.
        safety: `SafetyParameters.to_mapping()` trained under.
        task: Parameters of the task, with its name.
        training: Effort spent, such as env_steps and wall_s.
        evaluation: Result that the training confirmed.
        network: Activations, layer sizes and observation clip; filled in by the writer.
        files: SHA-256 of each file, filled in by the writer.
        schema_version: Of the folder's layout.
    """

    algorithm: str
    seed: int
    git_revision: str
    rates: Mapping[str, object]
    robot: str
    joint_names: tuple[str, ...]
    observation: Mapping[str, object]
    action: Mapping[str, object]
    limits: Mapping[str, object]
    safety: Mapping[str, object]
    task: Mapping[str, object]
    training: Mapping[str, object]
    evaluation: Mapping[str, object]
    network: Mapping[str, object] = dataclasses.field(default_factory=dict)
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        """Raise `BundleError` for a field of a wrong type or content."""
        for field in dataclasses.fields(self):
            _check_type(field.name, field.type, getattr(self, field.name))
        if self.schema_version != SCHEMA_VERSION:
            raise mismatch("schema_version", SCHEMA_VERSION, self.schema_version)
        if not self.joint_names or len(set(self.joint_names)) != len(self.joint_names):
            raise mismatch("joint_names", "one or more different names", list(self.joint_names))
        if tuple(self.rates) != RATE_NAMES:
            raise mismatch("rates", list(RATE_NAMES), list(self.rates))


def mismatch(
    field: str, expected: object, found: object, remedy: str = EXPORT_AGAIN
) -> BundleError:
    """Make the one-line error of a bundle: field, expected, found, remedy."""
    return BundleError(f"{field}: expected {_shown(expected)}, found {_shown(found)}: {remedy}")


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the only accepted text of a manifest: sorted by declaration, with its own checksum.

    Raises:
        BundleError: for values that JSON cannot hold, NaN and infinity included.
    """
    content = {f.name: getattr(manifest, f.name) for f in dataclasses.fields(manifest)}
    try:
        return _signed(content)
    except (TypeError, ValueError, RecursionError) as error:
        raise mismatch(MANIFEST_FILE, "plain finite JSON values", str(error)) from None


def decode_manifest(data: bytes) -> Manifest:
    """Read a manifest and verify its schema version, checksum and fields.

    Raises:
        BundleError: for anything but the text that `encode_manifest` wrote.
    """
    content = _parse(data)
    version = content.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise mismatch(
            f"{MANIFEST_FILE}: schema_version",
            SCHEMA_VERSION,
            version,
            "use the release of sinew that wrote the bundle, or export it again",
        )
    recorded = content.pop(_CHECKSUM, None)
    try:
        intact = _signed(content) == data
    except (TypeError, ValueError, RecursionError):
        intact = False
    if not intact:
        expected = "the text that its checksum was made of"
        raise mismatch(f"{MANIFEST_FILE}: {_CHECKSUM}", expected, recorded)
    return _from_content(content)


def _signed(content: Mapping[str, object]) -> bytes:
    """Return the text of a manifest, whose last entry is the checksum of the text without it."""
    text = json.dumps(content, indent=2, allow_nan=False)
    checksum = hashlib.sha256(text.encode()).hexdigest()
    signed = json.dumps({**content, _CHECKSUM: checksum}, indent=2, allow_nan=False)
    return (signed + "\n").encode()


def _parse(data: bytes) -> dict[str, object]:
    try:
        content = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise mismatch(MANIFEST_FILE, "a JSON object", str(error)) from None
    if not isinstance(content, dict):
        raise mismatch(MANIFEST_FILE, "a JSON object", type(content).__name__)
    return content


def _from_content(content: dict[str, object]) -> Manifest:
    names = [f.name for f in dataclasses.fields(Manifest)]
    if list(content) != names:
        differing = sorted(set(names) ^ set(content)) or "another order"
        raise mismatch(f"{MANIFEST_FILE}: fields", "those of the schema", differing)
    joints = content["joint_names"]
    if not isinstance(joints, list) or not all(isinstance(name, str) for name in joints):
        raise mismatch(f"{MANIFEST_FILE}: joint_names", "a list of names", joints)
    values = {**content, "joint_names": tuple(joints)}
    try:
        return Manifest(**values)  # type: ignore[arg-type]  # __post_init__ checks every type
    except BundleError as error:
        raise BundleError(f"{MANIFEST_FILE}: {error}") from None


def _check_type(name: str, annotation: object, value: object) -> None:
    """Check the declared type; annotations are strings, since their evaluation is postponed."""
    kind = str(annotation)
    if kind == "str":
        right = isinstance(value, str)
    elif kind == "int":
        right = type(value) is int
    elif kind == "tuple[str, ...]":
        right = isinstance(value, tuple) and all(isinstance(v, str) for v in value)
    elif isinstance(value, Mapping):
        values_are_text = all(isinstance(v, str) for v in value.values())
        right = all(isinstance(k, str) for k in value) and (
            values_are_text or kind == "Mapping[str, object]"
        )
    else:
        right = False
    if not right:
        raise mismatch(name, kind, value)


def _shown(value: object) -> str:
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    text = text.encode("ascii", "backslashreplace").decode()
    return text if len(text) <= 160 else text[:157] + "..."
