"""Checkpoints of a run, in `runs/NAME/checkpoints/NUMBER/`: all that its future depends on.

A checkpoint appears by a rename, complete and synced, or not at all. A replay memory of 10^6
transitions takes some 300 MB, which must not be written anew twice a minute. So the memory is
written in pieces: each checkpoint adds one file with the transitions since the last one, and its
manifest lists the pieces that together fill the memory. Plain files were preferred to one memory
map of the ring, because a map that is written while it is in use has no state to go back to.
The last two checkpoints are kept, and the pieces that they need.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import safetensors.numpy

from sinew_core.algorithms.state import Array, joined, part
from sinew_core.errors import RunError
from sinew_core.files import sync_folder, write_durably
from sinew_core.training.checkpoints.change import Change
from sinew_core.training.checkpoints.manifest import (
    CHECKPOINT_SCHEMA,
    MANIFEST_FILE,
    CheckpointManifest,
    Damaged,
    Hashed,
    Piece,
)
from sinew_core.training.checkpoints.packing import pack, unpack
from sinew_core.training.checkpoints.provenance import changed, provenance, refusal
from sinew_core.training.checkpoints.resume import refuse_changes
from sinew_core.training.checkpoints.snapshot import SNAPSHOT_CLASSES, Snapshot
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.export import git_revision
from sinew_core.training.folder import CHECKPOINT_FOLDER

if TYPE_CHECKING:
    from sinew_core.training.learners import Learner
    from sinew_core.training.learners.learner import History

STATE_FILE = "state.json"
ARRAYS_FILE = "arrays.safetensors"
_REPLAY_FOLDER = "replay"
_KEPT = 2


class CheckpointStore:
    """The checkpoints of one run.

    Attributes:
        changes: despite what it was resumed, this time included.
    """

    def __init__(
        self, run_folder: Path, configuration: RunConfiguration, despite: Collection[str] = ()
    ) -> None:
        """Look at what is there; nothing is written or removed before the first `save`.

        `despite` names kinds of differences, of `DESPITE`, despite which `load` goes on.
        """
        self.changes: tuple[Change, ...] = ()
        self._despite = despite
        self._folder = run_folder / CHECKPOINT_FOLDER
        self._configuration = configuration
        self._good: list[CheckpointManifest] = []
        self._number = max(self.numbers(), default=0)

    def numbers(self) -> list[int]:
        """Return the numbers of the checkpoints that are there, the oldest first."""
        if not self._folder.is_dir():
            return []
        return sorted(int(p.name) for p in self._folder.iterdir() if p.name.isdigit())

    def save(self, snapshot: Snapshot, learner: Learner) -> None:
        """Write a checkpoint, then remove what no kept one needs.

        Raises:
            RunError: it cannot be written; the last one is still there.
        """
        try:
            self._good = [*self._good, self._write(snapshot, learner)][-_KEPT:]
            self._remove_the_rest()
        except OSError as error:
            raise RunError(
                f"checkpoint in {self._folder} cannot be written: {error.strerror}: "
                "free the disk, then resume the run from its last checkpoint"
            ) from None

    def check(self) -> None:
        """Refuse what `load` is going to refuse because the run has changed since it was trained.

        Raises:
            RunError: with what has changed.
        """
        for number in reversed(self.numbers()):
            with contextlib.suppress(Damaged):
                self._manifest(number)
                return

    def load(self, learner: Learner, say: Callable[[str], None]) -> Snapshot | None:
        """Bring the learner to the last good checkpoint and return the rest of it; None for none.

        Damaged checkpoints are refused by one line to `say`, and the one before is taken.

        Raises:
            RunError: no checkpoint is good, or what the run depends on has changed.
        """
        refused = ""
        for number in reversed(self.numbers()):
            try:
                snapshot = self._read(number, learner)
            except Damaged as damage:
                refused += f"{'; ' if refused else ''}checkpoint {_name(number)}: {damage}"
                continue
            taken = f"checkpoint {_name(number)} at {snapshot.env_steps:,} environment steps"
            say(f"{refused}: refused; " * bool(refused) + f"going on from {taken}")
            return snapshot
        if refused:
            raise RunError(
                f"no checkpoint in {self._folder} is good: {refused}: "
                "remove that folder to train again from the beginning"
            )
        return None

    def _write(self, snapshot: Snapshot, learner: Learner) -> CheckpointManifest:
        self._number += 1
        name = _name(self._number)
        self._folder.mkdir(exist_ok=True)
        arrays: dict[str, Array] = {}
        plain = pack(snapshot, arrays, "run")
        arrays |= joined(learner=learner.state())
        contents = {STATE_FILE: json.dumps(plain).encode(), ARRAYS_FILE: _encoded(arrays)}
        manifest = CheckpointManifest(
            number=self._number,
            git_revision=git_revision(),
            provenance=provenance(self._configuration),
            configuration=self._configuration.to_mapping(),
            files=tuple(Hashed.of(f"{name}/{file}", data) for file, data in contents.items()),
            replay=self._write_replay(learner.replay),
            changes=self.changes,
        )
        contents[MANIFEST_FILE] = manifest.encode()
        temporary = self._folder / f".{name}"
        shutil.rmtree(temporary, ignore_errors=True)  # what a crash left
        temporary.mkdir()
        for file, data in contents.items():
            write_durably(temporary / file, data)
        sync_folder(temporary)
        temporary.rename(self._folder / name)
        sync_folder(self._folder)
        return manifest

    def _write_replay(self, replay: History | None) -> tuple[Piece, ...]:
        """Write what came since the last checkpoint; return all pieces that fill the memory."""
        if replay is None:
            return ()
        pieces = self._good[-1].replay if self._good else ()
        written = pieces[-1].total if pieces else 0
        if replay.total > written:
            added = replay.since(written)
            (self._folder / _REPLAY_FOLDER).mkdir(exist_ok=True)
            file = f"{_REPLAY_FOLDER}/{_name(self._number)}.safetensors"
            data = _encoded(added)
            write_durably(self._folder / file, data)
            sync_folder(self._folder / _REPLAY_FOLDER)
            first = replay.total - len(added["steps_left"])
            hashed = Hashed.of(file, data)
            pieces += (Piece(**vars(hashed), first=first, total=replay.total),)
        return tuple(p for p in pieces if p.total > replay.total - replay.capacity)

    def _read(self, number: int, learner: Learner) -> Snapshot:
        """Check everything, then bring the learner to this checkpoint."""
        manifest = self._manifest(number)
        contents = [_decoded(file, file.read(self._folder)) for file in manifest.files[1:]]
        plain = _json(manifest.files[0], manifest.files[0].read(self._folder))
        for piece in manifest.replay:
            piece.read(self._folder)
        try:
            snapshot = _restored(plain, contents[0], learner)
        except (ValueError, KeyError, RuntimeError) as error:
            if not changed(manifest.provenance, provenance(self._configuration)):
                raise Damaged(f"{STATE_FILE} is {error}") from None
            raise RunError(
                f"{self._folder / _name(number)} has a state that this code cannot go on from: "
                f"{error}: resume it with git revision {manifest.git_revision[:12]}"
            ) from None
        if learner.replay is not None:
            learner.replay.clear(manifest.replay[0].first if manifest.replay else 0)
            for piece in manifest.replay:
                learner.replay.extend(_decoded(piece, piece.read(self._folder)))
        self._good = [manifest]
        self.changes = (*manifest.changes, *self._change(manifest, snapshot.env_steps))
        return snapshot

    def _change(self, manifest: CheckpointManifest, env_steps: int) -> tuple[Change, ...]:
        """Return what is another now than when a checkpoint was written, if anything."""
        then, now = manifest.provenance, provenance(self._configuration)
        names = changed(then, now)
        if not names:
            return ()
        change = Change(
            env_steps=env_steps,
            revision_then=manifest.git_revision,
            revision_now=git_revision(),
            then={name: then.get(name, "unknown") for name in names},
            now={name: now[name] for name in names},
        )
        return (change,)

    def _manifest(self, number: int) -> CheckpointManifest:
        """Return the manifest of a checkpoint that this code may go on from."""
        file = self._folder / _name(number) / MANIFEST_FILE
        try:
            manifest = CheckpointManifest.decode(file.read_bytes())
        except OSError as error:
            raise Damaged(f"{MANIFEST_FILE} cannot be read: {error.strerror}") from None
        if manifest.schema != CHECKPOINT_SCHEMA:
            raise RunError(
                f"{file.parent} has schema {manifest.schema}, this version reads "
                f"{CHECKPOINT_SCHEMA}: resume it with git revision {manifest.git_revision[:12]}"
            )
        asked = self._configuration.to_mapping()
        refuse_changes(manifest.configuration, asked, file.parent, self._despite)
        now = provenance(self._configuration)
        other = refusal(manifest.provenance, manifest.git_revision, now, self._despite)
        if other:
            raise RunError(
                f"{file.parent} cannot be resumed to the same result: {other}, or train anew "
                "with config:= and the run's config.yaml"
            )
        return manifest

    def _remove_the_rest(self) -> None:
        """Remove old and damaged checkpoints, what a crash left half written, and old pieces."""
        kept = {_name(manifest.number) for manifest in self._good} | {_REPLAY_FOLDER}
        for path in sorted(self._folder.iterdir()):  # hidden ones first, which frees their names
            if path.name in kept:
                continue
            if path.name.isdigit():
                # By its name a folder counts as a checkpoint, also one that is half removed.
                path = path.rename(path.with_name(f".{path.name}.old"))
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        needed = {piece.file for manifest in self._good for piece in manifest.replay}
        for path in (self._folder / _REPLAY_FOLDER).glob("*"):
            if f"{_REPLAY_FOLDER}/{path.name}" not in needed:
                path.unlink()


def _name(number: int) -> str:
    return f"{number:06d}"


def _restored(plain: object, arrays: Mapping[str, Array], learner: Learner) -> Snapshot:
    """Bring the learner to a state, its memory apart, and return the rest of it.

    Raises:
        ValueError, KeyError, RuntimeError: it is not the state of this code's classes.
    """
    snapshot = unpack(plain, arrays, SNAPSHOT_CLASSES)
    assert isinstance(snapshot, Snapshot)
    learner.load_state(part(arrays, "learner"))
    return snapshot


def _encoded(arrays: Mapping[str, Array]) -> bytes:
    whole = {name: np.require(values, requirements="C") for name, values in arrays.items()}
    return safetensors.numpy.save(whole)


def _decoded(file: Hashed, data: bytes) -> dict[str, Array]:
    try:
        return safetensors.numpy.load(data)
    except Exception as error:  # safetensors raises a class of its own for each fault
        raise Damaged(f"{file.file} holds no arrays: {error}") from None


def _json(file: Hashed, data: bytes) -> object:
    try:
        content: object = json.loads(data)
    except ValueError:
        raise Damaged(f"{file.file} holds no JSON") from None
    return content
