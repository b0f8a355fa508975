"""The search space: parameters of a run and the domain of each, from a YAML file.

```yaml
ddpg.actor_learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
ddpg.hidden_units: {low: 32, high: 128, step: 32}
ddpg.noise: {choices: [gaussian, ornstein_uhlenbeck]}
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna
import yaml
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sinew_core.errors import ConfigError, suggest
from sinew_core.training.configuration import RunConfiguration, flatten

_KEYS = ("low", "high", "log", "step", "choices")
Value = bool | int | float | str


@dataclass(frozen=True, kw_only=True)
class Space:
    """What is searched, by name of the parameter, such as `ddpg.gamma`."""

    domains: Mapping[str, BaseDistribution]

    @classmethod
    def read(cls, path: Path, base: RunConfiguration) -> Space:
        """Read a file whose parameters are those of a run such as `base`.

        Raises:
            ConfigError: for what is unknown, with a suggestion, for a domain that makes no sense,
                and where a run could not have a bound or a choice.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(
                f"search space {path} cannot be read: {str(error).splitlines()[0]}"
            ) from None
        if not isinstance(content, dict) or not content:
            raise ConfigError(f"search space {path}: expected parameters, found {content!r}")
        return cls.from_mapping(content, base, f"search space {path}")

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, object], base: RunConfiguration, source: str
    ) -> Space:
        """Build from plain values.

        Raises:
            ConfigError: as `read`.
        """
        defaults = flatten(base.to_mapping())
        domains: dict[str, BaseDistribution] = {}
        for name, domain in mapping.items():
            if name not in defaults:
                raise ConfigError(
                    f"{source}: unknown parameter '{name}': {suggest(name, defaults)}"
                )
            domains[name] = _domain(domain, defaults[name], f"{source}: {name}")
        space = cls(domains=domains)
        space._refuse_impossible(base, source)
        return space

    def suggested(self, trial: optuna.Trial) -> dict[str, Value]:
        """Draw the values of a trial."""
        return {name: _drawn(trial, name, domain) for name, domain in self.domains.items()}

    def to_mapping(self) -> dict[str, object]:
        """Return plain values that identify the space."""
        return {
            name: optuna.distributions.distribution_to_json(domain)
            for name, domain in self.domains.items()
        }

    def _refuse_impossible(self, base: RunConfiguration, source: str) -> None:
        for name, domain in self.domains.items():
            for value in _ends(domain):
                changed(base, {name: value}, source)


def changed(
    base: RunConfiguration, values: Mapping[str, object], source: str = "trial"
) -> RunConfiguration:
    """Return a configuration with other values, by dotted name.

    Raises:
        ConfigError: a run could not have them.
    """
    return RunConfiguration.from_mapping({**flatten(base.to_mapping()), **values}, source)


def _domain(domain: object, default: object, source: str) -> BaseDistribution:
    if not isinstance(domain, Mapping):
        raise ConfigError(
            f"{source} is {domain!r}: write {{low: A, high: B}} or {{choices: [A, B]}}"
        )
    for key in domain:
        if key not in _KEYS:
            raise ConfigError(f"{source}: unknown key '{key}': {suggest(str(key), _KEYS)}")
    try:
        if "choices" in domain:
            if len(domain) > 1:
                raise ValueError("choices stand alone, without low, high, log and step")
            for choice in domain["choices"]:
                if not isinstance(choice, Value):
                    raise ValueError(f"choice {choice!r} is neither a number nor text")
            return CategoricalDistribution(domain["choices"])
        if isinstance(default, bool) or not isinstance(default, int | float):
            raise ValueError(f"it is {default!r} by default, no number: give choices")
        kind = IntDistribution if isinstance(default, int) else FloatDistribution
        numbers = dict(domain)
        if isinstance(default, int) and not all(isinstance(v, int) for v in numbers.values()):
            raise ValueError("it is an integer: give integers")
        return kind(**numbers)
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{source}: {error}") from None


def _drawn(trial: optuna.Trial, name: str, domain: BaseDistribution) -> Value:
    if isinstance(domain, CategoricalDistribution):
        chosen = trial.suggest_categorical(name, domain.choices)
        assert isinstance(chosen, Value)
        return chosen
    if isinstance(domain, IntDistribution):
        return trial.suggest_int(name, domain.low, domain.high, step=domain.step, log=domain.log)
    assert isinstance(domain, FloatDistribution)
    return trial.suggest_float(name, domain.low, domain.high, step=domain.step, log=domain.log)


def _ends(domain: BaseDistribution) -> list[object]:
    if isinstance(domain, CategoricalDistribution):
        return list(domain.choices)
    assert isinstance(domain, IntDistribution | FloatDistribution)
    return [domain.low, domain.high]
