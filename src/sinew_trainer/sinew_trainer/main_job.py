"""`./sinew train`: train, evaluate in the environment and over the ROS 2 graph, write the report.

Every step is a launch file that can be run alone: `train_sim`, then `deploy_sim` in lockstep, then
`deploy_sim` in real time.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sinew_core.arguments import parse_arguments
from sinew_core.errors import SinewError
from sinew_core.parameters import Parameters, describe, parameter
from sinew_core.robots.catalogue import load_robot
from sinew_core.runs import check_run_folder
from sinew_core.training.config import TrainConfig
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.folder import (
    BUNDLE_FOLDER,
    CONFIGURATION_FILE,
    GRAPH_FILE,
    REALTIME_FILE,
)
from sinew_trainer.launching import Launch
from sinew_trainer.progress import ProgressDisplay, read_progress
from sinew_trainer.report import summary_table, write_report

_HELP = """usage: ./sinew train [name:=value ...]

Trains a policy, evaluates it in the environment and over the ROS 2 graph, and writes
runs/NAME/ with report.html, report.json, config.yaml and bundle/.
"""
_GRAPH_MODES = ("joint_velocity",)


@dataclass(frozen=True, kw_only=True)
class GraphEvaluation(Parameters):
    """How long the policy is judged over the graph."""

    graph_episodes: int = parameter(
        200, "episodes over the graph in lockstep; 0: none", minimum=0, maximum=100_000
    )
    realtime_episodes: int = parameter(
        5, "episodes over the graph in real time; 0: none", minimum=0, maximum=1000
    )


class MainJob:
    """The steps of one run, in order; `stop` ends the step that is running."""

    def __init__(self, configuration: RunConfiguration, graph: GraphEvaluation) -> None:
        """Fix the name of the run, refuse what cannot work before anything starts."""
        train = configuration.train
        load_robot(train.robot, urdf=train.urdf)
        name = train.run_name(datetime.datetime.now(tz=datetime.timezone.utc).astimezone())
        self.configuration = dataclasses.replace(
            configuration, train=dataclasses.replace(train, run=name)
        )
        self.folder = Path(train.output) / name
        self._graph = graph
        self._launch: Launch | None = None
        check_run_folder(Path(train.output), name, overwrite=train.overwrite)

    def run(self) -> None:
        """Do all steps."""
        self.train()
        if self.configuration.train.action_mode in _GRAPH_MODES:
            self.evaluate_graph()
        _say("report")
        write_report(self.folder)

    def train(self) -> None:
        """Run `train_sim`, showing progress."""
        train = self.configuration.train
        display = ProgressDisplay(train.env_steps, sys.stderr)
        with tempfile.TemporaryDirectory(prefix="sinew-train-") as temporary:
            # The node creates the run folder, so its configuration and log begin elsewhere.
            config = Path(temporary) / CONFIGURATION_FILE
            config.write_text(self.configuration.to_yaml())
            log = Path(temporary) / "train.log"
            _say(f"training {train.algorithm} on {train.robot_label}, run {self.folder}")
            try:
                arguments = {**_launched(train), "config": config}
                self._run(
                    "train_sim", arguments, log, lambda: display.update(read_progress(self.folder))
                )
            finally:
                display.close()
                if self.folder.is_dir() and log.exists():
                    (self.folder / log.name).write_bytes(log.read_bytes())

    def evaluate_graph(self) -> None:
        """Run `deploy_sim` in lockstep, then in real time."""
        for pace, episodes, file in (
            ("lockstep", self._graph.graph_episodes, GRAPH_FILE),
            ("realtime", self._graph.realtime_episodes, REALTIME_FILE),
        ):
            if episodes == 0:
                continue
            _say(f"evaluating over the ROS 2 graph: {episodes} episodes in {pace}")
            train = self.configuration.train
            arguments = {
                "bundle": self.folder / BUNDLE_FOLDER,
                "robot": train.robot,
                "urdf": train.urdf,
                "engine": train.engine,
                "pace": pace,
                "episodes": episodes,
                "seed": train.seed,
                "output": self.folder / file,
            }
            self._run("deploy_sim", arguments, self.folder / f"deploy_{pace}.log")

    def stop(self) -> None:
        """End the step that is running."""
        if self._launch is not None:
            self._launch.stop()

    def _run(
        self,
        name: str,
        arguments: Mapping[str, object],
        log: Path,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        self._launch = Launch(name, arguments, log, _domain_id())
        self._launch.wait(watch)


def read_configuration(argv: Sequence[str]) -> tuple[RunConfiguration, GraphEvaluation]:
    """Return what the arguments ask for; a YAML file given as config:=FILE comes first."""
    from sinew_core.training.configuration import read_parameter_file

    values = parse_arguments(argv)
    path = values.pop("config", "")
    if path:
        values = {**read_parameter_file(Path(str(path))), **values}
    graph_names = {name for name, _, _ in describe(GraphEvaluation)}
    graph = GraphEvaluation.from_mapping(
        {k: v for k, v in values.items() if k in graph_names}, "arguments"
    )
    rest = {k: v for k, v in values.items() if k not in graph_names}
    return RunConfiguration.from_mapping(rest, "arguments"), graph


def _launched(train: TrainConfig) -> dict[str, object]:
    """Return the run's parameters as launch arguments."""
    names = ("run", "output", "overwrite", "robot", "urdf", "engine", "task", "algorithm")
    return {n: getattr(train, n) for n in (*names, "action_mode", "seed")}


def _domain_id() -> int:
    """Return a ROS domain of this job's own; above 101 they collide with ephemeral ports."""
    given = os.environ.get("ROS_DOMAIN_ID")
    return int(given) if given else 1 + os.getpid() % 101


def _say(what: str) -> None:
    sys.stderr.write(f"sinew: {what}\n")
    sys.stderr.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if any(word in ("-h", "--help") for word in words):
        sys.stdout.write(_HELP + _parameter_list())
        return 0
    try:
        job = MainJob(*read_configuration(words))
    except SinewError as error:
        sys.stderr.write(f"sinew train: {error}\n")
        return 2
    try:
        job.run()
    except SinewError as error:
        sys.stderr.write(f"sinew train: {error}\n")
        return 1
    except KeyboardInterrupt:
        job.stop()
        _say_what_is_kept(job.folder)
        return 130
    sys.stdout.write(summary_table(job.folder) + "\n")
    return 0


def _parameter_list() -> str:
    shown = [
        f"  {n:<22}{i.description}"
        for n, i, _ in [*describe(TrainConfig), *describe(GraphEvaluation)]
    ]
    sections = "  ddpg.… ppo.… reach.… rates.… safety.…  (tables in README.md)"
    return (
        "\nArguments:\n"
        + "\n".join([*shown, "  config                a config.yaml to start from", sections])
        + "\n"
    )


def _say_what_is_kept(folder: Path) -> None:
    bundle = folder / BUNDLE_FOLDER
    if bundle.is_dir():
        _say(
            f"stopped; the best policy so far is {bundle}: evaluate it with "
            f"./sinew launch deploy_sim bundle:={bundle}, "
            f"train again with ./sinew train config:={folder / CONFIGURATION_FILE} run:=NAME"
        )
    elif folder.is_dir():
        _say(f"stopped before a first policy; the configuration is {folder / CONFIGURATION_FILE}")
    else:
        _say("stopped before training began")


if __name__ == "__main__":
    sys.exit(main())
