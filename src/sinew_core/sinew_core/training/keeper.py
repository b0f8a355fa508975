"""Keeps the best policy of a run, and its bundle."""

from __future__ import annotations

from pathlib import Path

from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.evaluation import EvaluationResult
from sinew_core.tasks.setup import TaskSetup
from sinew_core.training.checkpoints.snapshot import Best
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.export import export_bundle
from sinew_core.training.folder import BUNDLE_FOLDER
from sinew_core.training.jobs import ObserveJob
from sinew_core.training.workers import Pool


class Keeper:
    """The best policy so far.

    Attributes:
        best: it, None before the first evaluation.
        bundle: the folder of its bundle.
    """

    def __init__(
        self,
        configuration: RunConfiguration,
        setup: TaskSetup,
        pool: Pool,
        run_folder: Path,
    ) -> None:
        """Keep nothing yet."""
        self.best: Best | None = None
        self.bundle = run_folder / BUNDLE_FOLDER
        self._configuration = configuration
        self._setup = setup
        self._pool = pool
        self._exported: Best | None = None

    def consider(
        self,
        network: PolicyNetwork,
        result: EvaluationResult,
        env_steps: int,
        wall_s: float,
        *,
        confirmed: bool = False,
    ) -> None:
        """Keep a policy, and replace the bundle, if it is the best so far.

        A policy whose success is confirmed is the result of the run, and kept in any case: few
        episodes that confirm it may convince less than those by which another once looked good.
        """
        best = self.best
        if best is None or confirmed or _score(result) > _score(best.result):
            self.best = Best(network=network, result=result, env_steps=env_steps, wall_s=wall_s)
            self.export()

    def export(self) -> None:
        """Write the bundle, unless this process wrote it: a resumed run may find a later one."""
        best = self.best
        if best is None or best is self._exported:
            return
        # A stop has to wait for it: what was judged the best so far is to be kept.
        golden = self._pool.submit(ObserveJob(network=best.network)).result()
        export_bundle(
            self.bundle,
            self._configuration,
            self._setup,
            best.network,
            best.result,
            golden,
            env_steps=best.env_steps,
            wall_s=best.wall_s,
        )
        self._exported = best


def _score(result: EvaluationResult) -> tuple[float, float]:
    """Order results by the success that they make likely, so that few episodes convince less."""
    return result.success_ci95[0], result.return_mean
