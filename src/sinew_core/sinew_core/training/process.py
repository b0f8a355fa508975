"""The training process.

    python -m sinew_core.training.process RUN_FOLDER [--control] [--despite KINDS] [--graph FD]

Training lives in a process of its own, so that torch never blocks a node. It reads `config.yaml`,
writes `progress.json`, `bundle/`, `checkpoints/` and `tensorboard/` while it runs, and at the end
`training.json` and `picture.png`. Where there are checkpoints it goes on from the last good one.
SIGINT and SIGTERM end it after the episodes under way, with a checkpoint and the best bundle so
far. With `--control` it takes requests from its standard input, see `Control`; what an evaluation
asked for came to is in `evaluation.json`. KINDS are those of `resume_despite`, with commas between.
With `--graph` the episodes are run by whoever holds the other end of the pipe FD.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Collection
from pathlib import Path

from sinew_core.errors import RunError, SinewError
from sinew_core.evaluation import EvaluationResult
from sinew_core.files import disk_errors, write_atomically, write_json
from sinew_core.training.checkpoints.provenance import provenance
from sinew_core.training.checkpoints.resume import finished, locked, read_configuration
from sinew_core.training.config import Resume
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.control import Control
from sinew_core.training.export import git_revision
from sinew_core.training.folder import (
    EVALUATION_FILE,
    PICTURE_FILE,
    PROGRESS_FILE,
    TRAINING_FILE,
)
from sinew_core.training.graph.start import GraphTraining
from sinew_core.training.loop import train
from sinew_core.training.progress import Progress, TrainResult
from sinew_core.training.stop import StopOnSignal


def run(
    folder: Path,
    stop: StopOnSignal,
    control: Control,
    despite: Collection[str],
    graph: GraphTraining | None = None,
) -> None:
    """Train as the folder's configuration says, evaluate, and write the results into it.

    Raises:
        RunError: the run is finished, or cannot be gone on with.
    """
    configuration = read_configuration(folder)
    reason = finished(folder, configuration)
    if reason:
        raise RunError(f"{folder} is finished, there is nothing to resume: {reason}")

    def report(progress: Progress) -> None:
        write_json(folder / PROGRESS_FILE, dataclasses.asdict(progress))

    def answer(number: int, env_steps: int, result: EvaluationResult) -> None:
        content = {"request": number, "env_steps": env_steps, **dataclasses.asdict(result)}
        write_json(folder / EVALUATION_FILE, content)

    result = train(
        configuration,
        on_progress=report,
        should_stop=stop,
        run_folder=folder,
        control=control,
        on_evaluation=answer,
        say=_say,
        despite=despite,
        graph=graph,
    )
    figures = _figures(configuration, result)
    if result.final_evaluation is not None:
        figures["eval_env"] = dataclasses.asdict(result.final_evaluation)
        figures["episode_wall_s"] = result.episode_wall_s
    if result.picture is not None:
        write_atomically(folder / PICTURE_FILE, result.picture)
    if result.randomisation is not None:
        figures["randomisation"] = result.randomisation
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
        "confirmed": result.confirmed,
        "stopped": result.stopped,
        "env_steps_per_s": result.env_steps / max(result.wall_s, 1e-9),
        "curve": [dataclasses.asdict(point) for point in result.curve],
        "provenance": {"git_revision": git_revision(), **provenance(configuration)},
        "resumed_despite": [dataclasses.asdict(change) for change in result.changes],
    }


def main(argv: list[str]) -> int:
    """Run; a mistake of the user's ends with one line and status 1."""
    try:
        folder, control, stop = Path(argv[0]), Control(), StopOnSignal()
        if "--control" in argv[1:]:
            control.follow(sys.stdin)
        kinds = argv[argv.index("--despite") + 1] if "--despite" in argv else ""
        despite = Resume(resume=str(folder), resume_despite=kinds).despite
        graph = None
        if "--graph" in argv:
            graph = GraphTraining.read(folder, int(argv[argv.index("--graph") + 1]))
        with locked(folder), disk_errors(folder):
            run(folder, stop, control, despite, graph)
    except SinewError as error:
        _say(str(error))
        return 1
    except MemoryError as error:
        _say(f"too little memory ({error}): lower replay_capacity or batch_size, or free some")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"training: {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
