"""What a training on a Gymnasium environment is asked to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from sinew_core.algorithms.parameters import PARAMETERS, A2CParameters, PPOParameters
from sinew_core.algorithms.parameters.q_learning import QLearningParameters
from sinew_core.errors import ConfigError, suggest
from sinew_core.parameters import Parameters, describe, parameter
from sinew_core.training.config import DEVICES
from sinew_core.training.configuration import flatten, read_parameter_file

TABULAR = "q_learning"
ALGORITHMS: dict[str, type[Parameters]] = {**PARAMETERS, TABULAR: QLearningParameters}
"""Those of an arm, and the one that needs numbered observations."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GymConfig(Parameters):
    """Environment, algorithm, and how the steps are collected."""

    environment: str = parameter("Pendulum-v1", "id of the Gymnasium environment")
    algorithm: str = parameter("ppo", "how it is learned", choices=tuple(ALGORITHMS))
    device: str = parameter(
        "cpu", "where the learner computes; episodes always run on the CPU", choices=DEVICES
    )
    seed: int = parameter(0, "seed of everything random", minimum=0, maximum=2**31 - 1)
    env_steps: int = parameter(100_000, "environment steps", minimum=1)
    environments: int = parameter(
        1, "copies of the environment, stepped one after the other", minimum=1
    )
    steps_per_iteration: int = parameter(
        0,
        "steps of each copy between two calls of the learner, which may cut an episode; "
        "0: whole episodes",
        minimum=0,
    )
    evaluation_limit_steps: int = parameter(
        0,
        "steps after which an episode of an evaluation is cut; 0: the environment's own limit, "
        "without which one that does not end is an error",
        minimum=0,
    )

    def check(self) -> list[str]:
        """Return violations: a table learns from every step of one environment."""
        if self.algorithm == TABULAR and self.device != "cpu":
            return [f"{TABULAR} learns on the cpu alone: remove device"]
        if self.algorithm == TABULAR and (self.environments, self.steps_per_iteration) != (1, 0):
            return [f"{TABULAR} has neither environments nor steps_per_iteration: remove them"]
        return []


@dataclasses.dataclass(frozen=True, kw_only=True)
class GymConfiguration:
    """`GymConfig` and the hyper-parameters of its algorithm."""

    train: GymConfig
    algorithm: Parameters

    def __post_init__(self) -> None:
        """Refuse iterations of a single step, from which advantages have no deviation to scale by.

        Raises:
            ConfigError: for one that the algorithm would learn nothing from.
        """
        collected = self.train.steps_per_iteration * self.train.environments
        if collected == 1 and isinstance(self.algorithm, A2CParameters | PPOParameters):
            raise ConfigError(
                f"steps_per_iteration is 1 of 1 environment: {self.train.algorithm} learns from 2 "
                "steps or more: raise steps_per_iteration or environments"
            )

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, object], source: str = "configuration"
    ) -> GymConfiguration:
        """Build from plain values; the section of the algorithm has its name.

        Its parameters may also be written `section.name: value`.

        Raises:
            ConfigError: for unknown names with a suggestion, and for every violation.
        """
        own = {name for name, _, _ in describe(GymConfig)}
        train = GymConfig.from_mapping({k: v for k, v in mapping.items() if k in own}, source)
        name = train.algorithm
        section: dict[str, object] = {}
        for key, value in mapping.items():
            head, dot, inner = key.partition(".")
            if key in own:
                continue
            if head != name:
                raise ConfigError(
                    f"{source}: unknown parameter '{key}': {suggest(head, [*own, name])}"
                )
            if dot:
                section[inner] = value
            elif isinstance(value, Mapping):
                section = {**value, **section}
            else:
                raise ConfigError(f"{source}: '{name}' is a section of parameters, found {value!r}")
        parameters = ALGORITHMS[name].from_mapping(section, f"{source}: {name}")
        return cls(train=train, algorithm=parameters)

    @classmethod
    def read(cls, path: Path | str, **changes: object) -> GymConfiguration:
        """Read a parameter file, such as `config/algorithms/ppo_pendulum.yaml`; `changes` win.

        A section among the changes, or a name such as `ppo.epochs`, changes the parameters that it
        names, and the rest of the file's section stays.

        Raises:
            ConfigError: when it cannot be read, and as `from_mapping`.
        """
        values = read_parameter_file(Path(path))
        return cls.from_mapping({**flatten(values), **flatten(changes)}, str(path))

    def to_mapping(self) -> dict[str, object]:
        """Return plain values that `from_mapping` takes."""
        return {**self.train.to_mapping(), self.train.algorithm: self.algorithm.to_mapping()}
