"""Which arm each episode of a run is with: the run's own, or one that is drawn around it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import yaml

from sinew_core.algorithms.exploration import Explorer
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.errors import RunError
from sinew_core.files import write_atomically
from sinew_core.randomisation import Randomisation
from sinew_core.randomisation.summary import summarise_draws
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import write_sim_params
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.environment import make_randomisation, make_sim_params
from sinew_core.training.folder import RANDOMISATION_FILE, ROBOT_FILE, SIM_PARAMS_FILE
from sinew_core.training.jobs import CollectJob, JudgeJob, split
from sinew_core.training.seeds import dynamics_seed

_JOB_EPISODES = 5
_REPORTED_DRAWS = 1000


class Arms:
    """The arms of a run, and the jobs that have episodes run with them."""

    def __init__(self, configuration: RunConfiguration, robot: RobotModel) -> None:
        """Read what the arms are drawn from.

        Raises:
            ConfigError: when it cannot be read, or the safety filter assumes less.
        """
        self._train = configuration.train
        self._robot = robot
        self._sim_params = make_sim_params(configuration, robot)
        self._randomisation = make_randomisation(configuration, robot)

    def keep(self, folder: Path) -> None:
        """Keep the arm and what is drawn around it in the run folder, to go on with it only.

        Raises:
            RunError: the run was started with another robot, another arm, or other distributions.
        """
        source = self._train.urdf or self._train.robot
        _keep(folder / ROBOT_FILE, _described(self._robot), source)
        if self._sim_params is not None:
            text = write_sim_params(self._sim_params, self._robot)
            _keep(folder / SIM_PARAMS_FILE, text, self._train.sim_params)
        if self._randomisation is not None:
            text = yaml.safe_dump(self._randomisation.to_mapping(), sort_keys=False)
            _keep(folder / RANDOMISATION_FILE, text, self._train.randomisation)

    def collecting(self, explorer: Explorer, seeds: list[int], first: int) -> list[CollectJob]:
        """Return the jobs of some training episodes, `first` of them having been collected."""
        made = self._randomisation
        drawn = self._seeds(made, range(first, first + len(seeds))) if made else ()
        return [
            CollectJob(explorer=explorer, seeds=group, dynamics_seeds=arms)
            for group, arms in zip_longest(
                split(seeds, _JOB_EPISODES), split(drawn, _JOB_EPISODES), fillvalue=()
            )
        ]

    def judging(self, network: PolicyNetwork, seeds: Sequence[int]) -> list[JudgeJob]:
        """Return the jobs of an evaluation."""
        randomised = None if self._randomisation is None else self._train.eval_randomised
        return [
            JudgeJob(network=network, seeds=group, randomised=randomised)
            for group in split(seeds, _JOB_EPISODES)
        ]

    def drawn(self, episodes: int) -> dict[str, object] | None:
        """Return the distributions and what was drawn from them first, for the report."""
        made = self._randomisation
        if made is None:
            return None
        firsts = range(0, episodes, made.every_episodes)[:_REPORTED_DRAWS]
        return {
            "file": self._train.randomisation,
            "evaluated_randomised": self._train.eval_randomised,
            "every_episodes": made.every_episodes,
            "draws": len(firsts),
            "entries": summarise_draws(made, self._seeds(made, firsts)),
        }

    def _seeds(self, made: Randomisation, episodes: range) -> tuple[int, ...]:
        every = made.every_episodes
        return tuple(dynamics_seed(self._train.seed, episode, every) for episode in episodes)


def _described(robot: RobotModel) -> str:
    """Return what tells a robot from one whose description was edited."""
    box = robot.reach_box
    content = {
        "name": robot.name,
        "joint_names": list(robot.joint_names),
        "base_link": robot.base_link,
        "tool_link": robot.tool_link,
        "home_rad": robot.home_rad.tolist(),
        "limits": robot.limits.to_mapping(),
        # A box that was found by search may differ in the last bits on another computer.
        "reach_box_m": [corner.round(6).tolist() for corner in (box.lower_m, box.upper_m)],
        "urdf_sha256": hashlib.sha256(robot.urdf_text.encode()).hexdigest(),
    }
    return json.dumps(content, indent=2) + "\n"


def _keep(path: Path, text: str, source: str) -> None:
    """Write a file, or compare with it where the run is resumed."""
    if not path.exists():
        write_atomically(path, text)
    elif path.read_text(encoding="utf-8") != text:
        raise RunError(
            f"{source} is not what the run was started with: make it equal to {path} again, or "
            "train anew with run:="
        )
