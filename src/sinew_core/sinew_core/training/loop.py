"""The training loop: collect, learn, evaluate, keep the best bundle, stop once success is certain.

All randomness derives from the configured seed and episodes depend on nothing but theirs, so one
seed gives one result, bit for bit, whatever the number of workers and their pace.

An iteration has one moment when nothing is under way that has to be remembered: its episodes are
there, and nothing was learned from them yet. Checkpoints are of that moment, and there a run may
pause, stop or evaluate on request. What comes after, up to the learning, is cheap to do again.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.errors import RunError
from sinew_core.evaluation import EvaluationResult, Outcome, episode_seeds, summarise
from sinew_core.training.arms import Arms
from sinew_core.training.checkpoints.snapshot import Quick, Snapshot
from sinew_core.training.checkpoints.store import CheckpointStore
from sinew_core.training.config import TrainConfig
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.control import Control
from sinew_core.training.environment import make_setup
from sinew_core.training.events import EventFile
from sinew_core.training.folder import TENSORBOARD_FOLDER
from sinew_core.training.graph.start import GraphTraining
from sinew_core.training.jobs import PictureJob
from sinew_core.training.keeper import Keeper
from sinew_core.training.progress import Progress, TrainResult
from sinew_core.training.rollout import Episode
from sinew_core.training.seeds import Seeds
from sinew_core.training.stopwatch import Stopwatch
from sinew_core.training.telling import Telling
from sinew_core.training.workers import Pool, WorkerPool

if TYPE_CHECKING:
    from sinew_core.training.learners import Learner

__all__ = ["Control", "Progress", "TrainResult", "train"]

Made = TypeVar("Made")
Asked = Callable[[int, int, EvaluationResult], None]
_LOGGER = logging.getLogger(__name__)
_POLL_S = 0.1
_QUICK_EPISODES = 20


@dataclass(frozen=True, kw_only=True)
class _Requests:
    """What may be asked of a run, and who takes the answers."""

    control: Control
    should_stop: Callable[[], bool]
    on_evaluation: Asked

    def stop(self) -> bool:
        return self.control.stopped or self.should_stop()


class _Stopped(Exception):  # noqa: N818 - a request, not an error
    """The user asked to stop."""


def train(
    configuration: RunConfiguration,
    *,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    run_folder: Path,
    workers: int = 0,
    control: Control | None = None,
    on_evaluation: Asked = lambda number, env_steps, result: None,
    say: Callable[[str], None] = _LOGGER.info,
    despite: Collection[str] = (),
    graph: GraphTraining | None = None,
) -> TrainResult:
    """Train until success is confirmed, the steps are used up, or the user stops it.

    Where the run folder has checkpoints, training goes on from the last good one.

    Args:
        configuration: everything that decides the result.
        on_progress: called a few times a second.
        should_stop: asked several times a second; the best bundle so far is kept.
        run_folder: the bundle is kept in its folder `bundle`, replaced at every improvement, and
            checkpoints in `checkpoints`.
        workers: processes that run episodes; 0: one for each core, at least two.
        control: requests while it runs; None: none will come.
        on_evaluation: takes number, environment steps and result of an evaluation asked for.
        say: takes one line about where the run begins.
        graph: what runs the episodes in place of workers, and the policy to begin with.
        despite: kinds of differences, of `DESPITE`, despite which a run is gone on with.

    Raises:
        ConfigError: the environment cannot be made, or the device is not there.
        RunError: a worker process died, a checkpoint cannot be written, or none is good.
    """
    count = workers or max(2, os.cpu_count() or 2)
    made = graph.pool if graph else WorkerPool(configuration.to_mapping(), count)
    with made as pool:
        # Imported here, because torch takes as long to load as the workers to start.
        from sinew_core.training.learners import Problem, make_learner

        setup = make_setup(configuration)
        asked = configuration.train
        learner = make_learner(Problem.of(setup), configuration.algorithm, asked.seed, asked.device)
        if graph:
            graph.start(learner)
        store = CheckpointStore(run_folder, configuration, despite)
        snapshot = store.load(learner, say)
        wall_s = Stopwatch(time.monotonic, snapshot.wall_s if snapshot else 0.0)
        length = snapshot.events_bytes if snapshot else 0
        events = EventFile(run_folder / TENSORBOARD_FOLDER, length)
        telling = Telling(on_progress, events, wall_s, asked.env_steps)
        requests = _Requests(
            control=control or Control(), should_stop=should_stop, on_evaluation=on_evaluation
        )
        keeper = Keeper(configuration, setup, pool, run_folder)
        arms = Arms(configuration, setup.robot)
        arms.keep(run_folder)
        run = _Run(asked, learner, pool, store, keeper, arms, telling, requests)
        run.begin(snapshot)
        return run.run()


class _Run:
    """The state of one run."""

    def __init__(
        self,
        configuration: TrainConfig,
        learner: Learner,
        pool: Pool,
        store: CheckpointStore,
        keeper: Keeper,
        arms: Arms,
        telling: Telling,
        requests: _Requests,
    ) -> None:
        self._train = configuration
        self._learner = learner
        self._pool = pool
        self._store = store
        self._keeper = keeper
        self._telling = telling
        self._wall_s = telling.wall_s
        self._requests = requests
        self._seeds = Seeds(self._train.seed)
        self._arms = arms
        self._quick: Quick | None = None
        self._quick_outcomes: list[Future[list[Outcome]]] = []
        self._collecting: list[Future[list[Episode]]] = []
        self._next_evaluation = 0
        self._snapshot: Snapshot | None = None
        self._saved: Snapshot | None = None
        self._saved_s = self._wall_s()

    def begin(self, snapshot: Snapshot | None) -> None:
        """Start collecting, or go on where a snapshot was taken."""
        if snapshot is None:
            self._collecting = self._collect()
            return
        telling = self._telling
        telling.env_steps, telling.returns = snapshot.env_steps, snapshot.returns
        telling.curve = snapshot.curve
        self._seeds.load_state(snapshot.seeds)
        self._keeper.best = snapshot.best
        self._next_evaluation = snapshot.next_evaluation
        self._collecting = [_done(list(snapshot.episodes))]
        if snapshot.quick is not None:
            self._start_quick(snapshot.quick)

    def run(self) -> TrainResult:
        """Train to the end, then evaluate what is kept."""
        confirmed = stopped = False
        final: EvaluationResult | None = None
        picture: bytes | None = None
        wall_s: float | None = None
        episode_wall_s: float | None = None
        try:
            confirmed = self._loop()
            self._save()
            wall_s = self._wall_s()
            best = self._keeper.best
            if best is not None:
                self._telling.state("evaluating")
                self._keeper.export()
                drawing = self._pool.submit(PictureJob(network=best.network))
                final = self._evaluate(best.network)
                episode_wall_s = (self._wall_s() - wall_s) * self._pool.size / final.episodes
                picture = self._wait(drawing)
        except _Stopped:
            stopped = True
            self._telling.state("stopping")
            self._save()
        self._telling.now()
        self._telling.events.close()
        return TrainResult(
            env_steps=self._telling.env_steps,
            wall_s=wall_s or self._wall_s(),
            updates=self._learner.updates,
            confirmed=confirmed,
            stopped=stopped,
            curve=self._telling.curve,
            evaluation=self._keeper.best.result if self._keeper.best else None,
            final_evaluation=final,
            episode_wall_s=episode_wall_s,
            bundle=self._keeper.bundle if self._keeper.bundle.is_dir() else None,
            picture=picture,
            randomisation=self._arms.drawn(self._seeds.episodes),
            changes=self._store.changes,
        )

    def _loop(self) -> bool:
        """Iterate; a quick evaluation runs beside the learning and is read when the next is due."""
        learner, telling = self._learner, self._telling
        period = self._train.evaluation_period_steps or learner.evaluation_period_steps
        while True:
            episodes = [e for future in self._collecting for e in self._wait(future)]
            self._rest(episodes)
            env_steps = telling.env_steps
            if env_steps >= self._train.env_steps:
                self._save()
                return self._confirm(learner.network(), env_steps)
            due = env_steps >= self._next_evaluation and learner.updates > 0
            if due and self._judged():
                return True
            self._snapshot = None
            figures = telling.count(episodes)
            if learner.overlaps:
                self._collecting = self._collect()
            if due:
                self._next_evaluation = env_steps + period
                self._start_quick(
                    Quick(
                        network=learner.network(),
                        env_steps=env_steps,
                        seeds=tuple(self._seeds.quick(_QUICK_EPISODES)),
                    )
                )
            learner.learn(episodes, telling.env_steps)
            if not learner.overlaps:
                self._collecting = self._collect()
            losses = {f"learner/{name}": value for name, value in learner.figures().items()}
            telling.events.add(telling.env_steps, {**figures, **losses})

    def _rest(self, episodes: list[Episode]) -> None:
        """Take stock where nothing is under way, and do here what was asked meanwhile."""
        self._telling.state("training")
        self._snapshot = self._take(episodes)
        self._evaluate_as_asked()
        if self._requests.control.paused:
            self._pause()
        if self._requests.stop():
            raise _Stopped
        period_s = self._train.checkpoint_period_s
        if period_s and self._wall_s() - self._saved_s >= period_s:
            self._save()

    def _take(self, episodes: list[Episode]) -> Snapshot:
        telling = self._telling
        return Snapshot(
            env_steps=telling.env_steps,
            wall_s=self._wall_s(),
            episodes=tuple(episodes),
            returns=telling.returns,
            curve=telling.curve,
            best=self._keeper.best,
            quick=self._quick,
            next_evaluation=self._next_evaluation,
            seeds=self._seeds.state(),
            events_bytes=telling.events.length(),
        )

    def _save(self) -> None:
        """Write a checkpoint of the last snapshot, which the learner has not gone beyond."""
        if self._snapshot is not None and self._snapshot is not self._saved:
            self._telling.events.sync()
            self._store.save(self._snapshot, self._learner)
            self._saved, self._saved_s = self._snapshot, self._wall_s()

    def _pause(self) -> None:
        self._save()
        self._wall_s.pause()
        while self._requests.control.paused and not self._requests.stop():
            self._evaluate_as_asked()
            self._telling.state("paused")
            time.sleep(_POLL_S)
        self._wall_s.go_on()
        self._telling.state("training")

    def _evaluate_as_asked(self) -> None:
        """Judge the present policy for whoever asked; the run itself takes no notice of it."""
        while (number := self._requests.control.next_evaluation()) is not None:
            telling, env_steps = self._telling, self._telling.env_steps
            telling.state("evaluating")
            seeds = Seeds.asked(self._train.seed, self._train.confirm_episodes)
            result = self._outcome(self._judge(self._learner.network(), seeds))
            telling.evaluation("asked", result, env_steps)
            self._requests.on_evaluation(number, env_steps, result)

    def _collect(self) -> list[Future[list[Episode]]]:
        explorer = self._learner.explorer(self._telling.env_steps)
        first = self._seeds.episodes
        seeds = self._seeds.training(self._learner.episodes_per_iteration)
        jobs = self._arms.collecting(explorer, seeds, first)
        return [self._pool.submit(job) for job in jobs]

    def _start_quick(self, quick: Quick) -> None:
        self._quick, self._quick_outcomes = quick, self._judge(quick.network, quick.seeds)

    def _judge(self, network: PolicyNetwork, seeds: Sequence[int]) -> list[Future[list[Outcome]]]:
        return [self._pool.submit(job) for job in self._arms.judging(network, seeds)]

    def _judged(self) -> bool:
        """Read a quick evaluation; tell whether it is promising and fresh episodes confirm it."""
        quick = self._quick
        if quick is None:
            return False
        result = self._outcome(self._quick_outcomes)
        self._note(quick.network, result, quick.env_steps)
        promising = self._train.target_success_rate - 1.0 / _QUICK_EPISODES
        return result.success_rate >= promising and self._confirm(quick.network, quick.env_steps)

    def _confirm(self, network: PolicyNetwork, env_steps: int) -> bool:
        """Judge by fresh episodes; give up as soon as the target is out of reach."""
        self._telling.state("evaluating")
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
        confirmed = result.episodes == episodes and result.success_rate >= target
        self._note(network, result, env_steps, confirmed=confirmed)
        return confirmed

    def _evaluate(self, network: PolicyNetwork) -> EvaluationResult:
        """Evaluate a policy on episodes that chose nothing."""
        seeds = episode_seeds(self._train.seed, self._train.eval_episodes)
        return self._outcome(self._judge(network, seeds))

    def _outcome(self, futures: Sequence[Future[list[Outcome]]]) -> EvaluationResult:
        return summarise([o for future in futures for o in self._wait(future)])

    def _note(
        self,
        network: PolicyNetwork,
        result: EvaluationResult,
        env_steps: int,
        *,
        confirmed: bool = False,
    ) -> None:
        """Add a point to the curve and keep the bundle if it is the best so far, or confirmed."""
        self._telling.judged(result, env_steps)
        _LOGGER.info("%d steps: %s", env_steps, result)
        wall_s = self._wall_s()
        self._keeper.consider(network, result, env_steps, wall_s, confirmed=confirmed)
        self._telling.now()

    def _wait(self, future: Future[Made]) -> Made:
        """Wait for a job; a stop has to wait too where nothing could be gone on with."""
        begun = self._telling.env_steps > 0
        while True:
            self._telling.now_and_then()
            if self._requests.stop() and (self._snapshot is not None or not begun):
                raise _Stopped
            try:
                return future.result(timeout=_POLL_S)
            except TimeoutError:
                continue
            except RunError:
                if self._requests.stop():  # what runs the episodes has ended for the same reason
                    raise _Stopped from None
                raise


def _done(made: Made) -> Future[Made]:
    """Return what needs no waiting."""
    future: Future[Made] = Future()
    future.set_result(made)
    return future
