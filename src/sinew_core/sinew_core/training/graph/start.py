"""What a training over the graph begins with, kept in its run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from sinew_core.bundle.reader import load_bundle
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.errors import ConfigError
from sinew_core.training.graph.pool import GraphPool

if TYPE_CHECKING:
    from sinew_core.training.learners import Learner

START_FOLDER, START_FILE = "start_bundle", "start.json"


class GraphTraining:
    """The pool of a graph, and the deployed policy that the learner begins with."""

    def __init__(self, pool: GraphPool, network: PolicyNetwork | None, frozen_updates: int) -> None:
        """Take what `read` found."""
        self.pool = pool
        self._network, self._frozen_updates = network, frozen_updates

    @classmethod
    def read(cls, folder: Path, descriptor: int) -> GraphTraining:
        """Read the start of a run; without a bundle in its folder it is from scratch.

        Raises:
            BundleError: for a bundle that is damaged.
        """
        pool = GraphPool(descriptor)
        if not (folder / START_FOLDER).is_dir():
            return cls(pool, None, 0)
        frozen = int(json.loads((folder / START_FILE).read_text())["frozen_updates"])
        return cls(pool, load_bundle(folder / START_FOLDER).network, frozen)

    def start(self, learner: Learner) -> None:
        """Give the learner the policy; a checkpoint, loaded later, wins over it.

        Raises:
            ConfigError: the learner cannot begin with it.
        """
        if self._network is None:
            return
        # Imported here, because torch takes long to load.
        from sinew_core.training.learners.off_policy import OffPolicyLearner

        if not isinstance(learner, OffPolicyLearner):
            raise ConfigError("bundle:= is for off-policy algorithms: take ddpg or td3")
        learner.adopt(self._network, self._frozen_updates)
