"""What the bits of a result depend on beside its configuration: the code and what computes.

A run goes on only where all of that is the same, or where its user accepts a result that an
uninterrupted run would not have had. What was accepted is kept with the run.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
from collections.abc import Collection, Mapping
from pathlib import Path

import sinew_core
from sinew_core.training.config import DESPITE
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.export import git_revision

_COMPUTE = ("numpy", "torch")
_NO_MATTER = ("report",)
"""Packages of the core that only show results."""


def provenance(configuration: RunConfiguration) -> dict[str, str]:
    """Return what must be equal for a resumed run to equal an uninterrupted one, by name."""
    packages = (*_COMPUTE, configuration.train.engine)
    versions = {name: importlib.metadata.version(name) for name in packages}
    computer = {"device": _device(configuration.train.device)}
    return {"code": code_hash(), "python": platform.python_version(), **versions, **computer}


def changed(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of what differs."""
    return [name for name, value in now.items() if then.get(name) != value]


def refusal(
    then: Mapping[str, str], revision: str, now: Mapping[str, str], despite: Collection[str]
) -> str | None:
    """Return what differs and the remedy, for the end of a message; None where that is accepted.

    `despite` names kinds of differences, of `DESPITE`, that the user accepts.
    """
    names = changed(then, now)
    open_names = [name for name in names if _kind(name) not in despite]
    if not open_names:
        return None
    name, kinds = open_names[0], [k for k in DESPITE if k in {_kind(n) for n in names}]
    if name == "code":
        what = (
            f"its code, at git revision {revision[:12]}, is not the present one, at "
            f"{git_revision()[:12]}: check out what it was trained with"
        )
    elif name == "device":
        what = f"it was trained on {then.get(name)}, here is {now[name]}: train it there"
    else:
        what = (
            f"it was trained with {name} {then.get(name)}, here is {now[name]}: "
            "install that version"
        )
    return f"{what}, accept another result with resume_despite:={','.join(kinds)}"


def _kind(name: str) -> str:
    return name if name in DESPITE else "versions"


def _device(name: str) -> str:
    if name == "cpu":
        return name
    import torch  # only here, because the configuration of a run on the CPU needs none

    return torch.cuda.get_device_name()


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
