"""A study: its folder, its trials one after the other, and its best configuration.

What a trial came to is in Optuna's journal as soon as it is known, a file of JSON lines. A trial
that was interrupted, by Ctrl-C or by the end of the machine, is done again first. One with values
that no run could have together does not count, and is never done again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shutil
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import optuna
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from sinew_core.errors import ConfigError, RunError
from sinew_core.files import disk_errors, write_atomically
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.folder import CHECKPOINT_FOLDER
from sinew_core.training.progress import Progress, TrainResult
from sinew_core.training.sweep.parameters import SweepParameters
from sinew_core.training.sweep.space import Space, Value, changed

BEST_FILE = "best.yaml"
JOURNAL_FILE = "journal.log"
TRIALS_FOLDER = "trials"
_STUDY = "sweep"
_IDENTITY = "identity"
_WHY = "why"
_FAILED_IN_A_ROW = 50
"""Trials that could not be run, one after the other, from which a search goes no further."""
_STEPS_OF_A_TRAINING = 1_000_000
"""More comparisons than a training has, so that those of a trial's trainings do not meet."""


class Train(Protocol):
    """`sinew_core.training.loop.train`."""

    def __call__(
        self,
        configuration: RunConfiguration,
        *,
        on_progress: Callable[[Progress], None],
        should_stop: Callable[[], bool],
        run_folder: Path,
    ) -> TrainResult:
        """Train once."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a trial came to.

    Attributes:
        number: of the trial.
        values: that it changed.
        value: what it is compared by; None where it was pruned or could not be run.
        why: it could not be run; empty where it could.
    """

    number: int
    values: dict[str, object]
    value: float | None
    why: str = ""


class Interrupted(Exception):  # noqa: N818 - a request, not an error
    """The user asked to stop."""


class Sweep:
    """A study in its folder, new or continued."""

    def __init__(
        self,
        folder: Path,
        base: RunConfiguration,
        space: Space,
        parameters: SweepParameters,
        *,
        train: Train,
        should_stop: Callable[[], bool],
    ) -> None:
        """Open the study.

        Args:
            folder: of the study; one process at a time may use it.
            base: everything that a trial does not change.
            space: what a trial changes.
            parameters: of the search.
            train: runs one training.
            should_stop: asked several times a second.

        Raises:
            RunError: the folder cannot be written, is in use, or holds another study.
        """
        self._folder = folder
        self._base = base
        self._space = space
        self._parameters = parameters
        self._train = train
        self._should_stop = should_stop
        self._kept: int | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"study {folder} is in use by another sweep: wait for its end") from None
        except OSError as error:
            raise RunError(
                f"study {folder} cannot be written ({error.strerror}): choose study:=FOLDER"
            ) from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with disk_errors(folder):
            self._study = self._open()

    def run(self) -> Iterator[Trial]:
        """Run trials until there are as many as asked for, yielding each as it ends.

        Those that no run could have the values of are yielded too, but do not count.

        Raises:
            Interrupted: the user stopped it; the trial under way is done again next time.
            RunError: a worker process died, or too many trials in a row could not be run.
        """
        self._keep_best()
        for unfinished in self._study.get_trials(states=(TrialState.RUNNING,)):
            self._study.enqueue_trial(unfinished.params)
            self._study.tell(unfinished.number, state=TrialState.FAIL)
        failed = 0
        while len(self._finished()) < self._parameters.trials:
            trial = self._run_trial()
            failed = failed + 1 if trial.why else 0
            yield trial
            if failed == _FAILED_IN_A_ROW:
                raise RunError(
                    f"{failed} trials in a row could not be run, the last one because {trial.why}: "
                    "narrow the space, or give choices in place of low and high"
                )

    @property
    def best(self) -> Trial | None:
        """The best trial so far; None before one has come to its end."""
        complete = self._study.get_trials(states=(TrialState.COMPLETE,))
        if not complete:
            return None
        return _told(min(complete, key=lambda t: t.value if t.value is not None else float("inf")))

    @property
    def best_file(self) -> Path:
        """The parameter file of the best trial, for `config:=`."""
        return self._folder / BEST_FILE

    def close(self) -> None:
        """Let go of the folder."""
        self._lock.close()

    def _open(self) -> optuna.Study:
        startup = self._parameters.startup_trials
        _cut_off_half_a_line(self._folder / JOURNAL_FILE)
        study = optuna.create_study(
            study_name=_STUDY,
            storage=JournalStorage(JournalFileBackend(str(self._folder / JOURNAL_FILE))),
            pruner=MedianPruner(n_startup_trials=startup, n_warmup_steps=0),
            direction="minimize",
            load_if_exists=True,
        )
        searched = dataclasses.replace(self._parameters, study="", space="", trials=1)
        identity = {
            "base": self._base.to_mapping(),
            "space": self._space.to_mapping(),
            "search": searched.to_mapping(),
        }
        found = study.user_attrs.get(_IDENTITY, identity)
        for part, wanted in identity.items():
            if found[part] != wanted:
                raise RunError(
                    f"study {self._folder} has another {part}: give the same arguments and space, "
                    "or choose a new folder with study:=FOLDER"
                )
        study.set_user_attr(_IDENTITY, identity)
        return study

    def _run_trial(self) -> Trial:
        # A sampler of each trial's own, so that the search goes on alike after an interruption.
        self._study.sampler = TPESampler(
            seed=self._base.train.seed + len(self._study.trials),
            n_startup_trials=self._parameters.startup_trials,
            multivariate=True,
        )
        trial = self._study.ask()
        values = self._space.suggested(trial)
        try:
            value = statistics.fmean(
                self._training(trial, values, index) for index in range(self._parameters.trainings)
            )
        except optuna.TrialPruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        except ConfigError as error:
            trial.set_user_attr(_WHY, str(error))
            # The sampler takes no notice of failed trials, and would be drawn to where there are no
            # others. Of pruned ones, those that told nothing count as the worst.
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, value)
        self._keep_best()
        return _told(self._study.trials[trial.number])

    def _keep_best(self) -> None:
        """Write the parameter file of the best trial, which a crash may have been in time for."""
        best = self.best
        if best is not None and best.number != self._kept:
            write_atomically(self.best_file, changed(self._base, best.values).to_yaml())
            self._kept = best.number

    def _training(self, trial: optuna.Trial, values: dict[str, Value], index: int) -> float:
        """Run one training of a trial.

        Raises:
            Interrupted: the user stopped it.
            TrialPruned: it is worse than the median of the others.
            ConfigError: no run could have the trial's values together.
        """
        configuration = changed(self._base, values)
        train = configuration.train
        configuration = dataclasses.replace(
            configuration,
            # An interrupted trial begins anew, so it needs no checkpoints on its way, and the final
            # evaluation decides nothing.
            train=dataclasses.replace(
                train, seed=train.seed + index, checkpoint_period_s=0.0, eval_episodes=1
            ),
        )
        folder = self._folder / TRIALS_FOLDER / f"{trial.number:04}-{index}"
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        watch = _Watch(trial, index * _STEPS_OF_A_TRAINING, self._parameters.prune_period_steps)
        result = self._train(
            configuration,
            on_progress=watch,
            should_stop=lambda: watch.poor or self._should_stop(),
            run_folder=folder,
        )
        shutil.rmtree(folder / CHECKPOINT_FOLDER, ignore_errors=True)
        if result.stopped:
            raise optuna.TrialPruned if watch.poor else Interrupted
        return objective(result, configuration.train.env_steps, self._parameters.objective)

    def _finished(self) -> list[FrozenTrial]:
        ended = self._study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
        return [trial for trial in ended if _WHY not in trial.user_attrs]


class _Watch:
    """Compares a training with those of other trials at every multiple of some steps."""

    def __init__(self, trial: optuna.Trial, first: int, period_steps: int) -> None:
        self.poor = False
        self._trial = trial
        self._first = first
        self._period_steps = period_steps
        self._compared = 0

    def __call__(self, progress: Progress) -> None:
        """Tell the share of failures at the latest evaluation, once for each period passed."""
        while not self.poor and progress.env_steps >= (self._compared + 1) * self._period_steps:
            self._trial.report(1.0 - progress.success_rate, self._first + self._compared)
            self._compared += 1
            self.poor = self._trial.should_prune()


def objective(result: TrainResult, env_steps: int, name: str) -> float:
    """Return what a training spent until its success was confirmed, smaller being better.

    Without a confirmed success the spending is censored: it is that of the whole training, and the
    share of failures of its best policy adds up to as much again.
    """
    spent = result.wall_s if name == "wall_s" else float(result.env_steps)
    if result.confirmed:
        return spent
    whole = max(spent, float(env_steps)) if name == "env_steps" else spent
    success = result.evaluation.success_rate if result.evaluation else 0.0
    return whole * (2.0 - success)


def _cut_off_half_a_line(journal: Path) -> None:
    """Leave out what a crash or a full disk has left of an entry; the journal refuses it for ever.

    What it told is lost, so that a trial that had ended by it is done again.
    """
    if not journal.is_file():
        return
    data = journal.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(journal, whole)


def _told(trial: FrozenTrial) -> Trial:
    value = trial.value if trial.state is TrialState.COMPLETE else None
    why = str(trial.user_attrs.get(_WHY, ""))
    return Trial(number=trial.number, values=dict(trial.params), value=value, why=why)
