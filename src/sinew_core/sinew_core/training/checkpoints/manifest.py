"""The manifest of a checkpoint: what belongs to it, with the hash of everything."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sinew_core.training.checkpoints.change import Change

CHECKPOINT_SCHEMA = 1
MANIFEST_FILE = "manifest.json"


class Damaged(Exception):  # noqa: N818 - a finding, of which the store makes an error
    """A checkpoint is not what was written; the message names the file and what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Hashed:
    """A file by its place below the folder of the checkpoints."""

    file: str
    length: int
    sha256: str

    @classmethod
    def of(cls, file: str, data: bytes) -> Hashed:
        """Describe a file with this content."""
        return cls(file=file, length=len(data), sha256=hashlib.sha256(data).hexdigest())

    def read(self, folder: Path) -> bytes:
        """Return the content.

        Raises:
            Damaged: it is missing, cut off or altered.
        """
        try:
            data = (folder / self.file).read_bytes()
        except OSError as error:
            raise Damaged(f"{self.file} cannot be read: {error.strerror}") from None
        if len(data) != self.length:
            raise Damaged(f"{self.file} has {len(data)} bytes, not {self.length}")
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise Damaged(f"{self.file} is altered: its SHA-256 is not that in {MANIFEST_FILE}")
        return data


@dataclass(frozen=True, kw_only=True)
class Piece(Hashed):
    """A file with the transitions of a replay memory from number `first` up to `total`."""

    first: int
    total: int


@dataclass(frozen=True, kw_only=True)
class CheckpointManifest:
    """What a checkpoint consists of.

    Attributes:
        provenance: see `provenance`.
        configuration: that of the run.
        files: plain state and arrays.
        replay: the pieces of the replay memory in order, earlier checkpoints' among them.
        changes: despite what the run was resumed, in order.
    """

    number: int
    git_revision: str
    provenance: Mapping[str, str]
    configuration: Mapping[str, object]
    files: tuple[Hashed, ...]
    replay: tuple[Piece, ...]
    changes: tuple[Change, ...] = ()
    schema: int = CHECKPOINT_SCHEMA

    def encode(self) -> bytes:
        """Return the text of the file; its last entry is the hash of the others."""
        content = dataclasses.asdict(self)
        text = json.dumps({**content, "sha256": _digest(content)}, indent=2)
        return text.encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> CheckpointManifest:
        """Return what `encode` wrote; of another schema, only what every schema has.

        Raises:
            Damaged: it is not that.
        """
        try:
            content = json.loads(data)
            intact = content.pop("sha256") == _digest(content)
        except (ValueError, KeyError, AttributeError):
            raise Damaged(f"{MANIFEST_FILE} is cut off: it is no JSON with a hash") from None
        if not intact:
            raise Damaged(f"{MANIFEST_FILE} is altered: its SHA-256 is another")
        if content["schema"] != CHECKPOINT_SCHEMA:
            content = {**content, "files": [], "replay": [], "changes": []}
        content = {"changes": [], **content}  # of a run that was never changed
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(
            **{
                **{name: content[name] for name in names},
                "files": tuple(Hashed(**entry) for entry in content["files"]),
                "replay": tuple(Piece(**entry) for entry in content["replay"]),
                "changes": tuple(Change.from_mapping(entry) for entry in content["changes"]),
            }
        )


def _digest(content: Mapping[str, object]) -> str:
    canonical = json.dumps(content, sort_keys=True, default=list)
    return hashlib.sha256(canonical.encode()).hexdigest()
