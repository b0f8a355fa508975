"""The training loop: collect, learn, evaluate, keep the best bundle, stop once success is certain.

All randomness derives from the configured seed and episodes depend on nothing but theirs, so one
seed gives one result, bit for bit, whatever the number of workers and their pace.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.evaluation import EvaluationResult, Outcome, episode_seeds, summarise
from sinew_core.tasks.setup import ReachSetup
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.environment import make_setup
from sinew_core.training.export import export_bundle
from sinew_core.training.jobs import CollectJob, JudgeJob, ObserveJob, PictureJob, split
from sinew_core.training.progress import CurvePoint, Progress, TrainResult
from sinew_core.training.rollout import Episode
from sinew_core.training.seeds import Seeds
from sinew_core.training.workers import WorkerPool

if TYPE_CHECKING:
    from sinew_core.training.learners import Learner

__all__ = ["Progress", "TrainResult", "train"]

Made = TypeVar("Made")
_LOGGER = logging.getLogger(__name__)
_POLL_S = 0.1
_PROGRESS_PERIOD_S = 0.5
_QUICK_EPISODES = 20
_JOB_EPISODES = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class _Judging:
    """A quick evaluation under way."""

    network: PolicyNetwork
    env_steps: int
    outcomes: list[Future[list[Outcome]]]


class _Stopped(Exception):  # noqa: N818 - a request, not an error
    """The user asked to stop."""


def train(
    configuration: RunConfiguration,
    *,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    run_folder: Path,
    workers: int = 0,
) -> TrainResult:
    """Train until success is confirmed, the steps are used up, or the user stops it.

    Args:
        configuration: everything that decides the result.
        on_progress: called a few times a second.
        should_stop: asked several times a second; the best bundle so far is kept.
        run_folder: the bundle is kept in its folder `bundle`, replaced at every improvement.
        workers: processes that run episodes; 0: one for each core, at least two.

    Raises:
        ConfigError: the environment cannot be made.
        RunError: a worker process died.
    """
    count = workers or max(2, os.cpu_count() or 2)
    with WorkerPool(configuration.to_mapping(), count) as pool:
        # Imported here, because torch takes as long to load as the workers to start.
        from sinew_core.training.learners import Problem, make_learner

        setup = make_setup(configuration)
        learner = make_learner(Problem.of(setup), configuration.algorithm, configuration.train.seed)
        run = _Run(configuration, setup, learner, pool, on_progress, should_stop, run_folder)
        return run.run()


class _Run:
    """The state of one run."""

    def __init__(
        self,
        configuration: RunConfiguration,
        setup: ReachSetup,
        learner: Learner,
        pool: WorkerPool,
        on_progress: Callable[[Progress], None],
        should_stop: Callable[[], bool],
        run_folder: Path,
    ) -> None:
        self._configuration = configuration
        self._train = configuration.train
        self._setup = setup
        self._pool = pool
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._bundle = run_folder / "bundle"
        self._seeds = Seeds(self._train.seed)
        self._learner = learner
        self._started_s = time.monotonic()
        self._reported_s = 0.0
        self._env_steps = 0
        self._returns: list[float] = []
        self._curve: list[CurvePoint] = []
        self._best: EvaluationResult | None = None
        self._best_network: PolicyNetwork | None = None

    def run(self) -> TrainResult:
        """Train to the end, then evaluate what is kept."""
        confirmed = stopped = False
        final: EvaluationResult | None = None
        picture: bytes | None = None
        wall_s: float | None = None
        episode_wall_s: float | None = None
        try:
            confirmed = self._loop()
            wall_s = self._wall_s()
            if self._best_network is not None:
                drawing = self._pool.submit(PictureJob(network=self._best_network))
                final = self._evaluate(self._best_network)
                episode_wall_s = (self._wall_s() - wall_s) * self._pool.size / final.episodes
                picture = self._wait(drawing)
        except _Stopped:
            stopped = True
        return TrainResult(
            env_steps=self._env_steps,
            wall_s=wall_s or self._wall_s(),
            updates=self._learner.updates,
            confirmed=confirmed,
            stopped=stopped,
            curve=tuple(self._curve),
            evaluation=self._best,
            final_evaluation=final,
            episode_wall_s=episode_wall_s,
            bundle=self._bundle if self._best else None,
            picture=picture,
        )

    def _loop(self) -> bool:
        """Iterate; a quick evaluation runs beside the learning and is read when the next is due."""
        collecting = self._collect()
        quick: _Judging | None = None
        next_evaluation = 0
        period = self._train.evaluation_period_steps or self._learner.evaluation_period_steps
        while self._env_steps < self._train.env_steps:
            episodes = [e for future in collecting for e in self._wait(future)]
            self._count(episodes)
            if self._learner.overlaps:
                collecting = self._collect()
            self._learner.learn(episodes, self._env_steps)
            if not self._learner.overlaps:
                collecting = self._collect()
            if self._env_steps >= next_evaluation and self._learner.updates:
                if quick and self._judged(quick):
                    return True
                quick = self._start_quick()
                next_evaluation = self._env_steps + period
        return self._confirm(self._learner.network(), self._env_steps)

    def _collect(self) -> list[Future[list[Episode]]]:
        explorer = self._learner.explorer(self._env_steps)
        seeds = self._seeds.training(self._learner.episodes_per_iteration)
        return [
            self._pool.submit(CollectJob(explorer=explorer, seeds=group))
            for group in split(seeds, _JOB_EPISODES)
        ]

    def _start_quick(self) -> _Judging:
        network = self._learner.network()
        outcomes = self._judge(network, self._seeds.quick(_QUICK_EPISODES))
        return _Judging(network=network, env_steps=self._env_steps, outcomes=outcomes)

    def _judge(self, network: PolicyNetwork, seeds: list[int]) -> list[Future[list[Outcome]]]:
        return [
            self._pool.submit(JudgeJob(network=network, seeds=group))
            for group in split(seeds, _JOB_EPISODES)
        ]

    def _judged(self, quick: _Judging) -> bool:
        """Read a quick evaluation; tell whether it is promising and fresh episodes confirm it."""
        outcomes = [o for future in quick.outcomes for o in self._wait(future)]
        result = summarise(outcomes)
        self._note(quick.network, result, quick.env_steps)
        promising = self._train.target_success_rate - 1.0 / _QUICK_EPISODES
        return result.success_rate >= promising and self._confirm(quick.network, quick.env_steps)

    def _confirm(self, network: PolicyNetwork, env_steps: int) -> bool:
        """Judge by fresh episodes; give up as soon as the target is out of reach."""
        episodes, target = self._train.confirm_episodes, self._train.target_success_rate
        allowed = int(episodes * (1.0 - target) + 1e-9)
        futures = self._judge(network, self._seeds.fresh(episodes))
        outcomes: list[Outcome] = []
        for future in futures:
            group = self._wait(future)
            outcomes += group
            if sum(not o.succeeded for o in outcomes) > allowed:
                for rest in futures:
                    rest.cancel()
                break
        result = summarise(outcomes)
        self._note(network, result, env_steps)
        return result.episodes == episodes and result.success_rate >= target

    def _evaluate(self, network: PolicyNetwork) -> EvaluationResult:
        """Evaluate a policy on episodes that chose nothing."""
        seeds = episode_seeds(self._train.seed, self._train.eval_episodes)
        futures = self._judge(network, seeds)
        return summarise([o for future in futures for o in self._wait(future)])

    def _note(self, network: PolicyNetwork, result: EvaluationResult, env_steps: int) -> None:
        """Add a point to the curve and keep the bundle if it is the best so far."""
        self._curve.append(
            CurvePoint(
                env_steps=env_steps,
                wall_s=self._wall_s(),
                success_rate=result.success_rate,
                return_mean=result.return_mean,
                episodes=result.episodes,
            )
        )
        _LOGGER.info("%d steps: %s", env_steps, result)
        if self._best is None or _score(result) > _score(self._best):
            # A stop has to wait for it: what was judged the best so far is to be kept.
            golden = self._pool.submit(ObserveJob(network=network)).result()
            export_bundle(
                self._bundle,
                self._configuration,
                self._setup,
                network,
                result,
                golden,
                env_steps=env_steps,
                wall_s=self._wall_s(),
            )
            self._best, self._best_network = result, network
        self._report()

    def _wait(self, future: Future[Made]) -> Made:
        while True:
            self._report_now_and_then()
            if self._should_stop():
                raise _Stopped
            try:
                return future.result(timeout=_POLL_S)
            except TimeoutError:
                continue

    def _count(self, episodes: list[Episode]) -> None:
        self._env_steps += sum(len(e.transitions.reward) for e in episodes)
        self._returns = (self._returns + [e.total_reward for e in episodes])[-_QUICK_EPISODES:]

    def _wall_s(self) -> float:
        return time.monotonic() - self._started_s

    def _report_now_and_then(self) -> None:
        if self._wall_s() - self._reported_s >= _PROGRESS_PERIOD_S:
            self._report()

    def _report(self) -> None:
        wall_s = self._reported_s = self._wall_s()
        rate = self._env_steps / max(wall_s, 1e-9)
        left = max(self._train.env_steps - self._env_steps, 0)
        self._on_progress(
            Progress(
                env_steps=self._env_steps,
                wall_s=wall_s,
                env_steps_per_s=rate,
                success_rate=self._curve[-1].success_rate if self._curve else 0.0,
                return_mean=sum(self._returns) / max(len(self._returns), 1),
                remaining_s=left / rate if rate > 0 else 0.0,
            )
        )


def _score(result: EvaluationResult) -> tuple[float, float]:
    """Order results by the success that they make likely, so that few episodes convince less."""
    return result.success_ci95[0], result.return_mean
