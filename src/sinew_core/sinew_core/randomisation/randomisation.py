"""A randomisation: named distributions of an arm's dynamics, read from YAML and drawn by seed.

```yaml
every_episodes: 100          # one draw lasts so many training episodes
parameters:
  mass/*: {distribution: uniform, low: 0.8, high: 1.2, as: scale}
  coulomb/panda_joint1: {distribution: normal, mean: 0.5, std: 0.1, low: 0.2, high: 0.8}
  delay_s: {distribution: constant, value: 0.01}
correlated:                  # names that vary together
  - names: [viscous/panda_joint1, coulomb/panda_joint1]
    mean: [0.5, 0.5]
    covariance: [[0.01, -0.005], [-0.005, 0.01]]
    low: [0.0, 0.1]          # default: mean less, and plus, three standard deviations
    high: [1.0, 0.9]
```

`as: value`, the default, gives the quantity itself in SI units; `as: scale` a factor on the nominal
value, or on that of the arm that is drawn around. `*` stands for every link or joint, each with a
draw of its own, or with `together: true` one for all. The names are those of
`sinew_core.robots.arm_dynamics`; what is not named stays as it is. A file that an identification
wrote has `description:`, too, see `sinew_core.robots.described_by`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sinew_core.errors import ConfigError, suggest
from sinew_core.randomisation.distributions import (
    Constant,
    CorrelatedNormal,
    Distribution,
    LogUniform,
    TruncatedNormal,
    Uniform,
)
from sinew_core.robots.arm_dynamics import (
    ArmDynamics,
    checked_value,
    matching_names,
    nominal_values,
    read_mapping,
)
from sinew_core.robots.arrays import Array, as_numbers
from sinew_core.robots.described_by import DESCRIPTION, check_description
from sinew_core.robots.inertia import carrying_links
from sinew_core.robots.link_shape import SHAPE, read_shapes
from sinew_core.robots.model import RobotModel

EVERY_EPISODES = 100
_DRAW_STREAM = 0xD12A
"""Keeps draws apart from all else that is drawn from the same seed."""
_KINDS: dict[
    str, tuple[type[Constant | Uniform | LogUniform | TruncatedNormal], tuple[str, ...]]
] = {
    "constant": (Constant, ("value",)),
    "uniform": (Uniform, ("low", "high")),
    "log_uniform": (LogUniform, ("low", "high")),
    "normal": (TruncatedNormal, ("mean", "std", "low", "high")),
}
_AS = ("value", "scale")
_SIGMAS = 3.0
_MOST_DRAWS = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """One line of the file: the names that it gives a value, and how.

    Attributes:
        label: the name as the file has it.
        names: the values that it stands for.
        distribution: of each, or of one for all.
        scale: whether it is a factor on the nominal value.
        together: whether all names get the same draw.
    """

    label: str
    names: tuple[str, ...]
    distribution: Distribution
    scale: bool
    together: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class CorrelatedEntry:
    """Names whose values vary together."""

    names: tuple[str, ...]
    distribution: CorrelatedNormal
    scale: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Randomisation:
    """Draws copies of a robot; equal seeds give equal copies, bit for bit."""

    robot: RobotModel
    base: ArmDynamics | None = None
    """What is drawn around, and has the values that are not drawn; None for the nominal arm."""
    every_episodes: int = EVERY_EPISODES
    entries: tuple[Entry, ...] = ()
    correlated: tuple[CorrelatedEntry, ...] = ()

    @classmethod
    def from_mapping(
        cls,
        content: Mapping[str, object],
        robot: RobotModel,
        source: str = "randomisation",
        base: ArmDynamics | None = None,
    ) -> Randomisation:
        """Build from what a file holds; factors are on the values of the arm that is drawn around.

        Raises:
            ConfigError: for the first mistake, naming the source and the entry.
        """
        _refuse_unknown(content, ("every_episodes", "parameters", "correlated"), source)
        every = content.get("every_episodes", EVERY_EPISODES)
        if type(every) is not int or every < 1:
            raise ConfigError(f"{source}: every_episodes is {every!r}: expected a number from 1 up")
        nominal = nominal_values(robot) if base is None else base.values(robot)
        entries = tuple(
            _entry(str(label), value, nominal, source)
            for label, value in _mapping(
                content.get("parameters", {}), source, "parameters"
            ).items()
        )
        groups = content.get("correlated", [])
        if not isinstance(groups, list):
            raise ConfigError(f"{source}: correlated is {groups!r}: expected a list")
        correlated = tuple(
            _correlated(group, nominal, f"{source}: correlated[{i}]")
            for i, group in enumerate(groups)
        )
        made = cls(
            robot=robot, base=base, every_episodes=every, entries=entries, correlated=correlated
        )
        _refuse_repeated(made, source)
        return made

    def draw(self, seed: int) -> ArmDynamics:
        """Return the copy that a seed stands for."""
        return ArmDynamics.from_values(self.robot, self.draw_values(seed), base=self.base)

    def base_values(self) -> dict[str, float]:
        """Return every value of the arm that is drawn around, by its name."""
        return nominal_values(self.robot) if self.base is None else self.base.values(self.robot)

    def draw_values(self, seed: int) -> dict[str, float]:
        """Return what the file names of that copy, in the order of the file.

        Links whose shape is drawn are drawn again until they can exist.

        Raises:
            ConfigError: they never can.
        """
        rng = np.random.default_rng([seed, _DRAW_STREAM])
        base = self.base_values()
        for _ in range(_MOST_DRAWS):
            values = self._sample(rng, base)
            shaped = [name for name in values if name.partition("/")[0] in SHAPE]
            if not shaped or _can_exist(self.robot, {**base, **values}):
                return values
        raise ConfigError(
            f"randomisation: none of {_MOST_DRAWS} draws of {shaped[0]} and so on gives links that "
            "can exist: narrow the ranges"
        )

    def _sample(self, rng: np.random.Generator, nominal: Mapping[str, float]) -> dict[str, float]:
        values: dict[str, float] = {}
        for entry in self.entries:
            shared = entry.distribution.sample(rng) if entry.together else None
            for name in entry.names:
                drawn = entry.distribution.sample(rng) if shared is None else shared
                values[name] = drawn * nominal[name] if entry.scale else drawn
        for group in self.correlated:
            sample = group.distribution.sample(rng).tolist()
            for name, drawn in zip(group.names, sample, strict=True):
                values[name] = drawn * nominal[name] if group.scale else drawn
        return values

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Return the least and the largest value of each name that the file gives."""
        nominal = self.base_values()
        bounds: dict[str, tuple[float, float]] = {}
        for entry in self.entries:
            for name in entry.names:
                factor = nominal[name] if entry.scale else 1.0
                low, high = entry.distribution.low, entry.distribution.high
                bounds[name] = _ordered(low * factor, high * factor)
        for group in self.correlated:
            lows, highs = group.distribution.low.tolist(), group.distribution.high.tolist()
            for name, low, high in zip(group.names, lows, highs, strict=True):
                factor = nominal[name] if group.scale else 1.0
                bounds[name] = _ordered(low * factor, high * factor)
        return bounds

    def to_mapping(self) -> dict[str, object]:
        """Return what a file of it holds; `from_mapping` makes the same of it."""
        parameters = {
            e.label: {
                **e.distribution.to_mapping(),
                "as": _AS[e.scale],
                **({"together": True} if e.together else {}),
            }
            for e in self.entries
        }
        groups = [
            {"names": list(g.names), **g.distribution.to_mapping(), "as": _AS[g.scale]}
            for g in self.correlated
        ]
        return {
            "every_episodes": self.every_episodes,
            "parameters": parameters,
            "correlated": groups,
        }


def read_randomisation(
    path: Path, robot: RobotModel, base: ArmDynamics | None = None
) -> Randomisation:
    """Read a randomisation of a robot, or around another copy of it, from a YAML file.

    Raises:
        ConfigError: for every mistake, naming the file.
    """
    content = read_mapping(path, ("every_episodes", "parameters", "correlated", DESCRIPTION))
    description = content.pop(DESCRIPTION, None)
    made = Randomisation.from_mapping(content, robot, str(path), base)
    loaded = any(name.startswith("payload/") for name in made.bounds())
    check_description(description, robot, path, payload=loaded)
    return made


def _can_exist(robot: RobotModel, values: Mapping[str, float]) -> bool:
    try:
        read_shapes(values, carrying_links(robot), "")
    except ConfigError:
        return False
    return True


def _ordered(low: float, high: float) -> tuple[float, float]:
    """Return bounds in order: a factor on a negative value turns them round."""
    return min(low, high), max(low, high)


def _entry(label: str, value: object, nominal: Mapping[str, float], source: str) -> Entry:
    names = tuple(matching_names(label, nominal, source))
    where = f"{source}: {label}"
    given = dict(_mapping(value, source, label))
    scale, together = _scale(given, where), given.pop("together", False)
    if type(together) is not bool:
        raise ConfigError(f"{where}: together is {together!r}: expected true or false")
    kind = str(given.pop("distribution", ""))
    if kind not in _KINDS:
        raise ConfigError(f"{where}: distribution is '{kind}': {suggest(kind, _KINDS)}")
    made, keys = _KINDS[kind]
    _refuse_unknown(given, keys, where)
    missing = [key for key in keys if key not in given]
    if missing:
        raise ConfigError(f"{where}: {kind} lacks {' and '.join(missing)}: add it")
    numbers = {key: _number(given[key], f"{where}: {key}") for key in keys}
    try:
        distribution = made(**numbers)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    for name in names:
        _check_allowed(name, distribution.low, distribution.high, scale, nominal, source)
    return Entry(
        label=label, names=names, distribution=distribution, scale=scale, together=together
    )


def _correlated(value: object, nominal: Mapping[str, float], source: str) -> CorrelatedEntry:
    given = dict(_mapping(value, source, "entry"))
    scale = _scale(given, source)
    _refuse_unknown(given, ("names", "mean", "covariance", "low", "high"), source)
    names = given.get("names")
    if not isinstance(names, list) or len(names) < 2:
        raise ConfigError(f"{source}: names is {names!r}: expected a list of two or more")
    for name in names:
        if matching_names(str(name), nominal, source) != [name]:
            raise ConfigError(f"{source}: '{name}' is not one name: write each of them")
    mean = _numbers(given.get("mean"), len(names), f"{source}: mean")
    rows = given.get("covariance")
    if not isinstance(rows, list) or len(rows) != len(names):
        raise ConfigError(f"{source}: covariance needs {len(names)} rows, one for each name")
    covariance = np.array([_numbers(r, len(names), f"{source}: covariance") for r in rows])
    spread = _SIGMAS * np.sqrt(np.maximum(np.diag(covariance), 0.0))
    low = _numbers(given.get("low", (mean - spread).tolist()), len(names), f"{source}: low")
    high = _numbers(given.get("high", (mean + spread).tolist()), len(names), f"{source}: high")
    try:
        distribution = CorrelatedNormal(mean=mean, covariance=covariance, low=low, high=high)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
    for name, least, most in zip(names, low.tolist(), high.tolist(), strict=True):
        _check_allowed(name, least, most, scale, nominal, source)
    return CorrelatedEntry(names=tuple(names), distribution=distribution, scale=scale)


def _scale(given: dict[str, object], where: str) -> bool:
    kind = given.pop("as", "value")
    if kind not in _AS:
        raise ConfigError(f"{where}: as is '{kind}': {suggest(str(kind), _AS)}")
    return kind == "scale"


def _check_allowed(
    name: str, low: float, high: float, scale: bool, nominal: Mapping[str, float], source: str
) -> None:
    if scale and nominal[name] == 0.0:
        raise ConfigError(
            f"{source}: {name} is nominally 0, which no factor changes: write as: value"
        )
    factor = nominal[name] if scale else 1.0
    for bound in (low, high):
        checked_value(name, bound * factor, source)


def _refuse_repeated(made: Randomisation, source: str) -> None:
    seen: set[str] = set()
    for names in [*(e.names for e in made.entries), *(g.names for g in made.correlated)]:
        for name in names:
            if name in seen:
                raise ConfigError(f"{source}: {name} is given twice: keep one entry for it")
            seen.add(name)


def _refuse_unknown(given: Mapping[str, object], known: Sequence[str], where: str) -> None:
    for key in given:
        if key not in known:
            raise ConfigError(f"{where}: unknown key '{key}': {suggest(str(key), known)}")


def _mapping(value: object, source: str, what: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{source}: {what} is {value!r}: expected names with values below them")
    return value


def _number(value: object, where: str) -> float:
    return float(_numbers([value], 1, where)[0])


def _numbers(value: object, count: int, where: str) -> Array:
    numbers = as_numbers(value)
    if numbers is None or len(numbers) != count or not np.isfinite(numbers).all():
        raise ConfigError(f"{where} is {value!r}: expected {count} finite number{'s'[: count - 1]}")
    return np.array(numbers)
