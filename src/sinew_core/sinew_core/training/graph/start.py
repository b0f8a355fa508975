"""What a training over the graph begins with, kept in its run folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors.numpy

from sinew_core.algorithms.state import State, part
from sinew_core.bundle.reader import load_bundle
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.errors import ConfigError
from sinew_core.files import write_atomically, write_json
from sinew_core.training.checkpoints.manifest import MANIFEST_FILE, CheckpointManifest, Damaged
from sinew_core.training.folder import CHECKPOINT_FOLDER
from sinew_core.training.graph.pool import GraphPool

if TYPE_CHECKING:
    from sinew_core.training.learners import Learner

START_FOLDER, START_FILE, CRITIC_FILE = "start_bundle", "start.json", "start_critic.safetensors"


def keep_start(
    folder: Path, bundle: Path, critic: bytes, *, frozen_updates: int, exploration: float
) -> None:
    """Keep in a run folder what its training begins with; no `critic`: a new one."""
    shutil.copytree(bundle, folder / START_FOLDER)
    if critic:
        write_atomically(folder / CRITIC_FILE, critic)
    given = {"frozen_updates": frozen_updates, "exploration": exploration}
    write_json(folder / START_FILE, given)


def learner_of(bundle: Path) -> bytes:
    """Return the learner's arrays in the last good checkpoint of a bundle's run, as its file is.

    Empty where the bundle lies in no run, or that has no good checkpoint.
    """
    folder = bundle.resolve().parent / CHECKPOINT_FOLDER
    if not folder.is_dir():
        return b""
    for path in sorted((p for p in folder.iterdir() if p.name.isdigit()), reverse=True):
        try:
            manifest = CheckpointManifest.decode((path / MANIFEST_FILE).read_bytes())
            if len(manifest.files) > 1:
                return manifest.files[1].read(folder)
        except (OSError, Damaged):
            continue
    return b""


class GraphTraining:
    """The pool of a graph, and what the learner begins with."""

    def __init__(
        self,
        pool: GraphPool,
        network: PolicyNetwork | None = None,
        critic: State | None = None,
        frozen_updates: int = 0,
        exploration: float = 0.1,
    ) -> None:
        """Take what `read` found."""
        self.pool = pool
        self._network, self._critic = network, critic or {}
        self._frozen_updates, self._exploration = frozen_updates, exploration

    @classmethod
    def read(cls, folder: Path, descriptor: int) -> GraphTraining:
        """Read the start of a run; without a bundle in its folder it is from scratch.

        Raises:
            BundleError: for a bundle that is damaged.
        """
        pool = GraphPool(descriptor)
        if not (folder / START_FILE).is_file():
            return cls(pool)
        network = load_bundle(folder / START_FOLDER).network
        critic: State = {}
        if (folder / CRITIC_FILE).is_file():
            arrays = safetensors.numpy.load((folder / CRITIC_FILE).read_bytes())
            critic = part(part(arrays, "learner"), "agent")
        return cls(pool, network, critic, **json.loads((folder / START_FILE).read_text()))

    def start(self, learner: Learner) -> None:
        """Give the learner the policy; a checkpoint, loaded later, wins over it.

        Raises:
            ConfigError: the learner cannot begin with it.
        """
        if self._network is None:
            return
        # Imported here, because torch takes long to load.
        from sinew_core.algorithms.actor import Start
        from sinew_core.training.learners.off_policy import OffPolicyLearner

        if not isinstance(learner, OffPolicyLearner):
            raise ConfigError("bundle:= is for off-policy algorithms: take ddpg, td3 or sac")
        learner.adopt(
            Start(
                network=self._network,
                critic=self._critic,
                frozen_updates=self._frozen_updates,
                exploration=self._exploration,
            )
        )
