"""`./sinew sweep`: search for hyper-parameters by many short trainings, without the ROS graph."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sinew_core.algorithms.device import open_device
from sinew_core.errors import ConfigError, SinewError
from sinew_core.files import disk_errors
from sinew_core.robots.catalogue import load_robot
from sinew_core.training.environment import make_randomisation, make_sim_params
from sinew_core.training.loop import train
from sinew_core.training.stop import StopOnSignal
from sinew_core.training.sweep import Interrupted, Space, Sweep, SweepParameters, Trial
from sinew_trainer.arguments import argument_list, read_arguments

if TYPE_CHECKING:
    from sinew_core.training.configuration import RunConfiguration

_CONFIG = Path(__file__).resolve().parents[3] / "config"
_HELP = """usage: ./sinew sweep [name:=value ...]

Searches for hyper-parameters of an algorithm on a task. Each trial is a training with other values;
one that is worse than the median of the others ends early, and values that no run could have
together are passed over. A study is resumable: the same command goes on where it was stopped.
Writes best.yaml in the study's folder, for config:=.
"""


def open_sweep(argv: Sequence[str], stop: StopOnSignal) -> Sweep:
    """Return the study that the arguments ask for, refusing every mistake before a trial starts.

    Raises:
        ConfigError: an argument or the search space is not allowed.
        RunError: the study's folder cannot be used.
    """
    configuration, parameters = read_arguments(argv, SweepParameters)
    asked = configuration.train
    robot = load_robot(asked.robot, urdf=asked.urdf)
    make_sim_params(configuration, robot)
    make_randomisation(configuration, robot)
    open_device(asked.device)
    space = Space.read(_space_file(configuration, parameters), configuration)
    folder = parameters.study or f"runs/sweeps/{asked.task}-{asked.algorithm}"
    return Sweep(Path(folder), configuration, space, parameters, train=train, should_stop=stop)


def line(trial: Trial, best: Trial | None) -> str:
    """Return the line of a trial that has ended."""
    shown = f"could not be run: {trial.why}" if trial.why else "pruned"
    if trial.value is not None:
        shown = f"{trial.value:,.6g}"
    values = " ".join(f"{name}:={_short(value)}" for name, value in trial.values.items())
    leader = f"best {best.value:,.6g} of trial {best.number}" if best else "none complete yet"
    return f"trial {trial.number}: {shown} ({leader}) {values}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if any(word in ("-h", "--help") for word in words):
        sys.stdout.write(f"{_HELP}\nArguments:\n{argument_list(SweepParameters)}")
        return 0
    stop = StopOnSignal()
    try:
        sweep = open_sweep(words, stop)
    except SinewError as error:
        sys.stderr.write(f"sinew sweep: {error}\n")
        return 2
    try:
        with disk_errors(sweep.best_file.parent):
            for trial in sweep.run():
                sys.stdout.write(f"{line(trial, sweep.best)}\n")
                sys.stdout.flush()
    except SinewError as error:
        sys.stderr.write(f"sinew sweep: {error}\n")
        return 1
    except Interrupted:
        sys.stderr.write("sinew sweep: stopped; the same command goes on from here\n")
        return 128 + (stop.number or signal.SIGINT)
    finally:
        sweep.close()
        if sweep.best:
            sys.stdout.write(f"best: {line(sweep.best, sweep.best)}\n{sweep.best_file}\n")
    return 0


def _space_file(configuration: RunConfiguration, parameters: SweepParameters) -> Path:
    if parameters.space:
        return Path(parameters.space)
    path = _CONFIG / "sweeps" / f"{configuration.train.algorithm}.yaml"
    if not path.is_file():
        raise ConfigError(f"there is no search space {path}: write one and give it as space:=FILE")
    return path


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
