"""`./sinew train`: train, evaluate in the environment and over the ROS 2 graph, write the report.

Every step is a launch file that can be run alone: `train_sim`, then `deploy_sim` in lockstep, then
`deploy_sim` in real time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import importlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from sinew_core.errors import RunError, SinewError
from sinew_core.files import disk_errors
from sinew_core.parameters import Parameters, parameter
from sinew_core.specs import command_mode
from sinew_core.tasks import TASKS
from sinew_core.training.checkpoints.resume import finished
from sinew_core.training.config import Resume, TrainConfig
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.folder import (
    BUNDLE_FOLDER,
    CHECKPOINT_FOLDER,
    CONFIGURATION_FILE,
    DEPLOYMENT_FILE,
    GRAPH_FOLDER,
    REPORT_FILE,
    REPORT_PAGE,
    SIM_PARAMS_FILE,
    TRAINING_FILE,
)
from sinew_trainer.arguments import argument_list, read_arguments, read_resumed
from sinew_trainer.deployment import write_deployment
from sinew_trainer.ending import ended_by_signals, status_of
from sinew_trainer.launching import Launch
from sinew_trainer.progress import ProgressDisplay, read_progress
from sinew_trainer.run_folder import check_inputs, check_new, go_on_with

_HELP = """usage: ./sinew train [name:=value ...]
       ./sinew train resume:=runs/NAME [name:=value ...]

Trains a policy, evaluates it in the environment and over the ROS 2 graph, and writes
runs/NAME/ with report.html, report.json, config.yaml and bundle/. A run that was stopped, or
died, goes on from its last checkpoint with resume:=.
"""
_LOCKSTEP_OVER_ENV = 5.5
"""Wall time of a lockstep episode over that of one in the environment, about."""
_LAUNCH_EPISODES = 13
"""Lockstep episodes that take about as long as starting and ending a graph."""


@dataclass(frozen=True, kw_only=True)
class GraphEvaluation(Parameters):
    """How long the policy is judged over the graph."""

    graph_episodes: int = parameter(
        200, "episodes over the graph in lockstep; 0: none", minimum=0, maximum=100_000
    )
    realtime_episodes: int = parameter(
        5, "episodes over the graph in real time; 0: none", minimum=0, maximum=1000
    )
    graph_copies: int = parameter(
        2, "graphs that share the lockstep episodes, side by side", minimum=1, maximum=16
    )


class MainJob:
    """The steps of one run, in order; `stop` ends the step that is running."""

    def __init__(
        self,
        configuration: RunConfiguration,
        graph: GraphEvaluation,
        resume: Resume | None = None,
    ) -> None:
        """Fix the name of the run, refuse what cannot work before anything starts."""
        train = configuration.train
        check_inputs(configuration)
        name = train.run_name(datetime.datetime.now(tz=datetime.timezone.utc).astimezone())
        self.configuration = dataclasses.replace(
            configuration, train=dataclasses.replace(train, run=name)
        )
        self.folder = Path(train.output) / name
        self._graph = graph
        self._launches: list[Launch] = []
        self._resume = resume
        self._trained = finished(self.folder, configuration) if resume else None
        self._before = _identity(self.folder)
        if not resume:
            check_new(train, name)
        elif self._trained and (self.folder / REPORT_FILE).is_file():
            raise RunError(f"{self.folder} is finished, nothing to resume: {self._trained}")

    def run(self) -> None:
        """Do all steps; a training that was stopped by its service ends the job, as Ctrl-C does."""
        if not self._trained:
            self.train()
            if not finished(self.folder, self.configuration):
                raise KeyboardInterrupt
        if TASKS[self.configuration.train.task].in_graph:
            self.evaluate_graph()
        else:
            _say(_report().no_graph(self.configuration.train.task))
        _say("report")
        _report().write_report(self.folder)

    def train(self) -> None:
        """Run `train_sim`, showing progress."""
        train = self.configuration.train
        if self._resume:
            # Whatever was asked for is in there now: `train_sim` is given the run, no changes.
            go_on_with(self.folder, self.configuration, self._resume.despite)
            for name in (REPORT_FILE, REPORT_PAGE):
                (self.folder / name).unlink(missing_ok=True)
        display = ProgressDisplay(train.env_steps, sys.stderr)
        with tempfile.TemporaryDirectory(prefix="sinew-train-") as temporary:
            # The node creates the run folder, so its configuration and log begin elsewhere.
            config = Path(temporary) / CONFIGURATION_FILE
            config.write_text(self.configuration.to_yaml())
            log = Path(temporary) / "train.log"
            kept = self.folder / log.name
            what = "resuming the training of" if self._resume else "training"
            _say(f"{what} {train.algorithm} on {train.robot_label}, run {self.folder}")
            try:
                arguments = {**_launched(train), "config": config}
                if self._resume:
                    arguments["resume"] = self.folder
                    arguments["resume_despite"] = self._resume.resume_despite
                self._launches = [Launch("train_sim", arguments, log, _domain_id(0), kept=kept)]
                _report()  # imported while the training process starts, it costs nothing
                self._wait(self._launches, lambda: self._show(display))
            finally:
                display.close()
                if self.begun and log.exists():
                    with kept.open("ab") as whole:
                        whole.write(log.read_bytes())

    @property
    def begun(self) -> bool:
        """Whether the folder is that of this run, not of one that it is to replace."""
        return bool(self._resume) or _identity(self.folder) not in (None, self._before)

    def _show(self, display: ProgressDisplay) -> None:
        if self.begun:
            display.update(read_progress(self.folder))

    def evaluate_graph(self) -> None:
        """Run `deploy_sim` in lockstep, several side by side, and in real time.

        The nodes of a lockstep graph take turns, and moving between cores only costs time, so each
        graph has cores of its own. Where there are enough, real time comes first on those of the
        first lockstep graph, while the others run beside it; else it runs alone, at the end.
        """
        shutil.rmtree(self.folder / GRAPH_FOLDER, ignore_errors=True)
        (self.folder / GRAPH_FOLDER).mkdir()
        write_deployment(self.folder / DEPLOYMENT_FILE, self.configuration)
        graph = self._graph
        cores = core_groups(sorted(os.sched_getaffinity(0)), graph.graph_copies)
        apart = len(cores) > 1 and bool(cores[0])
        training = json.loads((self.folder / TRAINING_FILE).read_text())
        period_s = self.configuration.rates.control_period_s
        ahead = realtime_weight(graph.realtime_episodes, training, period_s) if apart else 0
        counts = shares(graph.graph_episodes, graph.graph_copies, ahead)
        _say(
            f"evaluating over the ROS 2 graph: {graph.graph_episodes} episodes in lockstep, "
            f"{graph.realtime_episodes} in real time"
        )
        beside = range(1, graph.graph_copies) if apart else range(graph.graph_copies)
        self._launches = [self._lockstep(i, counts, cores) for i in beside if counts[i]]
        if not apart:
            self._wait(self._launches)
        if graph.realtime_episodes:
            launch = self._deployment("realtime", 0, graph.realtime_episodes, cores[0])
            self._launches.append(launch)
            self._wait([launch])
        if apart and counts[0]:
            self._launches.append(self._lockstep(0, counts, cores))
        self._wait(self._launches)

    def _lockstep(
        self, index: int, counts: Sequence[int], cores: Sequence[Sequence[int]]
    ) -> Launch:
        return self._deployment("lockstep", index, counts[index], cores[index])

    def _deployment(self, pace: str, index: int, episodes: int, cores: Sequence[int]) -> Launch:
        train = self.configuration.train
        output = self.folder / GRAPH_FOLDER / f"{pace}_{index}.json"
        arguments = {
            "bundle": self.folder / BUNDLE_FOLDER,
            "robot": train.robot,
            "urdf": train.urdf,
            "engine": train.engine,
            "sim_params": self.folder / SIM_PARAMS_FILE if train.sim_params else "",
            "mode": command_mode(train.action_mode),
            "pace": pace,
            "episodes": episodes,
            "seed": int(np.random.SeedSequence([train.seed, index]).generate_state(1)[0] >> 1),
            "output": output,
            "config": self.folder / DEPLOYMENT_FILE,
        }
        log = output.with_suffix(".log")
        return Launch("deploy_sim", arguments, log, _domain_id(index), cores)

    def say_what_is_kept(self) -> None:
        """Say what is there after a stop, and exactly how to go on."""
        if not self.begun:
            _say("stopped before training began")
            return
        plain = GraphEvaluation().to_mapping()
        graph = [f" {k}:={v}" for k, v in self._graph.to_mapping().items() if v != plain[k]]
        bundle = self.folder / BUNDLE_FOLDER
        best = f"; the best policy so far is {bundle}" if bundle.is_dir() else ""
        _say(f"stopped{best}; go on with ./sinew train resume:={self.folder}{''.join(graph)}")

    def stop(self) -> None:
        """End the step that is running."""
        for launch in self._launches:
            launch.stop()

    def _wait(self, launches: Sequence[Launch], watch: Callable[[], None] = lambda: None) -> None:
        """Wait for some launches; when one fails, or this is to end, end all."""
        try:
            for launch in launches:
                launch.wait(watch)
        except (RunError, KeyboardInterrupt):
            self.stop()
            raise


def shares(total: int, parts: int, ahead: int = 0) -> list[int]:
    """Split a number of episodes evenly, the first part having done `ahead` already."""
    first = min(total, max(0, -(-(total + ahead) // parts) - ahead))
    rest, others = total - first, parts - 1
    return [first, *(rest // others + (i < rest % others) for i in range(others))]


def realtime_weight(episodes: int, training: Mapping[str, Any], control_period_s: float) -> int:
    """Return how many lockstep episodes take about as long as `episodes` in real time.

    `training` is what training.json holds. Where training was stopped before its evaluation it says
    nothing of the machine's speed: then 0.
    """
    if not episodes or "eval_env" not in training:
        return 0
    realtime_s: float = episodes * training["eval_env"]["length_mean"] * control_period_s
    lockstep_s: float = _LOCKSTEP_OVER_ENV * training["episode_wall_s"]
    return round(realtime_s / lockstep_s) + _LAUNCH_EPISODES


def core_groups(cores: Sequence[int], parts: int) -> list[Sequence[int]]:
    """Divide the cores among parts; all empty, for any core, where there are fewer than parts."""
    return [cores[i::parts] if len(cores) >= parts else () for i in range(parts)]


def read_configuration(argv: Sequence[str]) -> tuple[RunConfiguration, GraphEvaluation]:
    """Return what the arguments ask for; a parameter file given as config:=FILE comes first.

    Raises:
        ConfigError: for every mistake, with its remedy.
    """
    return read_arguments(argv, GraphEvaluation)


def make_job(argv: Sequence[str]) -> MainJob:
    """Return the job that the arguments ask for: a new run, or one that goes on.

    Raises:
        SinewError: for every mistake, with its remedy.
    """
    if not any(word.startswith(("resume:=", "resume_despite:=")) for word in argv):
        return MainJob(*read_configuration(argv))
    return MainJob(*read_resumed(argv, GraphEvaluation))


def _launched(train: TrainConfig) -> dict[str, object]:
    """Return the run's parameters as launch arguments."""
    names = ("run", "output", "overwrite", "robot", "urdf", "engine", "task", "algorithm")
    more = ("device", "action_mode", "sim_params", "randomisation", "seed")
    return {n: getattr(train, n) for n in (*names, *more)}


def _domain_id(index: int) -> int:
    """Return a ROS domain of this job's own; above 101 they collide with ephemeral ports."""
    given = os.environ.get("ROS_DOMAIN_ID")
    first = int(given) if given else 1 + os.getpid() % 84
    return first + index


def _report() -> ModuleType:
    """Return the report's module, imported late because matplotlib makes it slow to import."""
    return importlib.import_module("sinew_trainer.report")


def _identity(folder: Path) -> int | None:
    """Return what tells a folder from one that takes its place, None where there is none."""
    return folder.stat().st_ino if folder.is_dir() else None


def _say(what: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may have been closed
        sys.stderr.write(f"sinew: {what}\n")
        sys.stderr.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if any(word in ("-h", "--help") for word in words):
        sys.stdout.write(f"{_HELP}\nArguments:\n{argument_list(Resume, GraphEvaluation)}")
        return 0
    try:
        job = make_job(words)
    except SinewError as error:
        sys.stderr.write(f"sinew train: {error}\n")
        return 2
    with ended_by_signals():
        return _run(job)


def _run(job: MainJob) -> int:
    try:
        with disk_errors(job.folder):
            job.run()
    except SinewError as error:
        job.stop()
        sys.stderr.write(f"sinew train: {error}\n")
        if job.begun and (job.folder / CHECKPOINT_FOLDER).is_dir():
            job.say_what_is_kept()
        return 1
    except KeyboardInterrupt as interrupt:
        with contextlib.suppress(KeyboardInterrupt):  # who cannot wait leaves it to end by itself
            job.stop()
        job.say_what_is_kept()
        return status_of(interrupt)
    sys.stdout.write(_report().summary_table(job.folder) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
