"""What the bits of a result depend on beside its configuration: the code and what computes."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path

import sinew_core
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.export import git_revision

_COMPUTE = ("numpy", "torch")
_NO_MATTER = ("report",)
"""Packages of the core that only show results."""


def provenance(configuration: RunConfiguration) -> dict[str, str]:
    """Return what must be equal for a resumed run to equal an uninterrupted one, by name."""
    packages = (*_COMPUTE, configuration.train.engine)
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {"code": code_hash(), "python": platform.python_version(), **versions}


def difference(then: Mapping[str, str], revision: str, now: Mapping[str, str]) -> str | None:
    """Return what differs and the remedy, for the end of a message; None where nothing does."""
    for name, value in now.items():
        if then.get(name) == value:
            continue
        if name == "code":
            return (
                f"its code, at git revision {revision[:12]}, is not the present one, at "
                f"{git_revision()[:12]}: check out what it was trained with"
            )
        return f"it was trained with {name} {then.get(name)}, here is {value}: install that version"
    return None


@functools.cache
def code_hash() -> str:
    """Return the SHA-256 of the source files of the core that a result may depend on."""
    root = Path(sinew_core.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if place.parts[0] not in _NO_MATTER:
            digest.update(f"{place}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
