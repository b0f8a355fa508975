"""The training process: `python -m sinew_core.training.process RUN_FOLDER`.

Training lives in a process of its own, so that torch never blocks a node. It reads `config.yaml`,
writes `progress.json` while it runs, and at the end `bundle/`, `training.json` and `picture.png`.
SIGINT and SIGTERM end it at the next step, with the best bundle so far kept.
"""

from __future__ import annotations

import dataclasses
import signal
import sys
from pathlib import Path

from sinew_core.errors import SinewError
from sinew_core.files import write_atomically, write_json
from sinew_core.training.configuration import RunConfiguration, read_parameter_file
from sinew_core.training.folder import (
    CONFIGURATION_FILE,
    PICTURE_FILE,
    PROGRESS_FILE,
    TRAINING_FILE,
)
from sinew_core.training.loop import train
from sinew_core.training.progress import Progress, TrainResult


class _Stop:
    """Becomes true at the first SIGINT or SIGTERM; a second one ends the process at once."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def __call__(self) -> bool:
        return self._asked

    def _ask(self, number: int, _frame: object) -> None:
        self._asked = True
        signal.signal(number, signal.SIG_DFL)


def run(folder: Path, stop: _Stop) -> None:
    """Train as the folder's configuration says, evaluate, and write the results into it."""
    configuration = RunConfiguration.from_mapping(
        read_parameter_file(folder / CONFIGURATION_FILE), CONFIGURATION_FILE
    )

    def report(progress: Progress) -> None:
        write_json(folder / PROGRESS_FILE, dataclasses.asdict(progress))

    result = train(configuration, on_progress=report, should_stop=stop, run_folder=folder)
    figures = _figures(configuration, result)
    if result.final_evaluation is not None:
        figures["eval_env"] = dataclasses.asdict(result.final_evaluation)
        figures["episode_wall_s"] = result.episode_wall_s
    if result.picture is not None:
        write_atomically(folder / PICTURE_FILE, result.picture)
    figures["stopped"] = stop()
    write_json(folder / TRAINING_FILE, figures)


def _figures(configuration: RunConfiguration, result: TrainResult) -> dict[str, object]:
    train_config = configuration.train
    return {
        "task": train_config.task,
        "robot": train_config.robot_label,
        "engine": train_config.engine,
        "algorithm": train_config.algorithm,
        "action_mode": train_config.action_mode,
        "seed": train_config.seed,
        "env_steps": result.env_steps,
        "train_wall_s": result.wall_s,
        "env_steps_per_s": result.env_steps / max(result.wall_s, 1e-9),
        "curve": [dataclasses.asdict(point) for point in result.curve],
    }


def main(argv: list[str]) -> int:
    """Run; a mistake of the user's ends with one line and status 1."""
    try:
        run(Path(argv[0]), _Stop())
    except SinewError as error:
        sys.stderr.write(f"training: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
