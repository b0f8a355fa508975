"""The whole configuration of a run: what to do, and every section of parameters behind it.

It is written as a ROS 2 parameter file, so that `config:=runs/NAME/config.yaml` repeats a run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import yaml

from sinew_core.action import ActionParameters
from sinew_core.algorithms.parameters import ALGORITHMS, PARAMETERS
from sinew_core.algorithms.parameters.off_policy import OffPolicyParameters
from sinew_core.errors import ConfigError, suggest
from sinew_core.parameters import Parameters, describe
from sinew_core.rates import Rates
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.tasks import TASKS
from sinew_core.tasks.parameters import TaskParameters
from sinew_core.training.config import TrainConfig

P = TypeVar("P", bound=Parameters)

SECTIONS = (*ALGORITHMS, *TASKS, "action", "rates", "safety")
"""Names of the sections; a run has those of its own algorithm and task only."""

_ROS_KEYS = ("/**", "ros__parameters")


def section_classes(algorithm: str, task: str) -> dict[str, type[Parameters]]:
    """Return the parameter class of each section that a run of this algorithm and task has."""
    return {
        algorithm: PARAMETERS[algorithm],
        task: TASKS[task].parameters_class,
        "action": ActionParameters,
        "rates": Rates,
        "safety": SafetyParameters,
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfiguration:
    """`train` and its sections."""

    train: TrainConfig
    algorithm: Parameters
    task: TaskParameters
    action: ActionParameters
    rates: Rates
    safety: SafetyParameters

    def __post_init__(self) -> None:
        """Refuse a replay memory that could not hold an episode.

        Raises:
            ConfigError: for one that is too small.
        """
        if isinstance(self.algorithm, OffPolicyParameters):
            self.algorithm.refuse_longer(self.task.episode_ticks(self.rates.control_rate_hz))

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, object], source: str = "configuration"
    ) -> RunConfiguration:
        """Build from nested plain values; sections may also be written `section.name: value`.

        Raises:
            ConfigError: for unknown names with a suggestion, and for every violation.
        """
        nested = _nest(mapping)
        own = {name for name, _, _ in describe(TrainConfig)}
        train = TrainConfig.from_mapping({k: v for k, v in nested.items() if k in own}, source)
        classes = section_classes(train.algorithm, train.task)
        _refuse_unknown(nested, own, classes, source)
        sections = {
            name: kind.from_mapping(
                _section(nested.get(name, {}), name, source), f"{source}: {name}"
            )
            for name, kind in classes.items()
        }
        return cls.from_sections(train, sections)

    @classmethod
    def from_sections(
        cls, train: TrainConfig, sections: Mapping[str, Parameters]
    ) -> RunConfiguration:
        """Build from the sections that `section_classes` names."""
        return cls(
            train=train,
            algorithm=sections[train.algorithm],
            task=_typed(sections[train.task], TaskParameters),
            action=_typed(sections["action"], ActionParameters),
            rates=_typed(sections["rates"], Rates),
            safety=_typed(sections["safety"], SafetyParameters),
        )

    def to_mapping(self) -> dict[str, object]:
        """Return nested plain values; empty lists, which ROS cannot type, are left out."""
        sections = {
            self.train.algorithm: self.algorithm,
            self.train.task: self.task,
            "action": self.action,
            "rates": self.rates,
            "safety": self.safety,
        }
        return {
            **self.train.to_mapping(),
            **{
                name: {k: v for k, v in section.to_mapping().items() if v != []}
                for name, section in sections.items()
            },
        }

    def to_yaml(self) -> str:
        """Return the text of a ROS 2 parameter file; it never says to replace a run."""
        values = {**self.to_mapping(), "overwrite": False}
        wrapped = {_ROS_KEYS[0]: {_ROS_KEYS[1]: values}}
        return yaml.safe_dump(wrapped, sort_keys=False)


def read_parameter_file(path: Path) -> dict[str, object]:
    """Return the values of a ROS 2 parameter file for any node (`/**`).

    Raises:
        ConfigError: when it cannot be read or has another form.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"parameter file {path} cannot be read: {reason}") from None
    for key in _ROS_KEYS:
        if not isinstance(content, dict) or list(content) != [key]:
            raise ConfigError(f"parameter file {path}: expected '/**: ros__parameters:' on top")
        content = content[key]
    if not isinstance(content, dict):
        raise ConfigError(f"parameter file {path}: expected names and values, found {content!r}")
    for name in (*content, *(n for v in content.values() if isinstance(v, dict) for n in v)):
        if not isinstance(name, str):  # YAML takes `on` for true, as it takes 1 for a number
            raise ConfigError(f"parameter file {path}: {name!r} is no name: write it in quotes")
    return content


def flatten(mapping: Mapping[str, object]) -> dict[str, object]:
    """Return a configuration's plain values by dotted name, as `from_mapping` takes them too."""
    flat: dict[str, object] = {}
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": v for inner, v in value.items()}
        else:
            flat[name] = value
    return flat


def _nest(mapping: Mapping[str, object]) -> dict[str, object]:
    nested: dict[str, object] = {}
    for key, value in mapping.items():
        section, dot, name = key.partition(".")
        if not dot:
            inside = nested.get(key)
            merge = isinstance(inside, dict) and isinstance(value, Mapping)
            nested[key] = {**value, **inside} if merge else value  # type: ignore[dict-item]  # both are mappings here
            continue
        inside = nested.setdefault(section, {})
        if not isinstance(inside, dict):
            raise ConfigError(f"'{section}' is both a value and a section of '{key}': keep one")
        nested[section] = {**inside, name: value}
    return nested


def _refuse_unknown(
    nested: Mapping[str, object],
    own: set[str],
    classes: Mapping[str, type[Parameters]],
    source: str,
) -> None:
    for name in nested:
        if name in own or name in classes:
            continue
        for what, names, chosen in zip(
            ("algorithm", "task"), (ALGORITHMS, tuple(TASKS)), list(classes)[:2], strict=True
        ):
            if name in names:
                raise ConfigError(
                    f"{source}: '{name}' configures another {what} than {what}:={chosen}: "
                    f"remove it, or choose {what}:={name}"
                )
        raise ConfigError(
            f"{source}: unknown parameter '{name}': {suggest(name, [*own, *classes])}"
        )


def _section(value: object, name: str, source: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{source}: '{name}' is a section: write {name}.PARAMETER:=VALUE, found {value!r}"
        )
    return value


def _typed(parameters: Parameters, kind: type[P]) -> P:
    assert isinstance(parameters, kind)
    return parameters
