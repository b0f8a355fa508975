"""Parameters as frozen dataclasses whose fields carry unit, range and description.

ROS parameters, their descriptors and the tables of the README derive from these classes, so that a
parameter is declared exactly once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from sinew_core.errors import ConfigError, suggest

Value = bool | int | float | str | tuple[float, ...] | tuple[str, ...]
P = TypeVar("P", bound="Parameters")
V = TypeVar("V", bool, int, float, str, tuple[float, ...], tuple[str, ...])

_ELEMENT = {tuple[float, ...]: float, tuple[str, ...]: str}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FieldInfo:
    """What one field of a parameter class declares beside its type and default."""

    description: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    settable: bool = False
    path: bool = False


def parameter(
    default: V,
    description: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[str] = (),
    settable: bool = False,
    path: bool = False,
) -> V:
    """Declare a field of a `Parameters` class with its unit, inclusive range and description.

    A field that is `settable` may be changed while the node runs, where the node has agreed to it.
    One that is a `path` may begin with ~, which a shell does not see behind `name:=`.
    """
    info = FieldInfo(
        description=description,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        choices=tuple(choices),
        settable=settable,
        path=path,
    )
    return dataclasses.field(default=default, metadata={"info": info})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameters:
    """Base of every parameter class: validates itself and reports all violations at once."""

    def __post_init__(self) -> None:
        """Expand paths; name every violated type, range and cross-field rule in a `ConfigError`."""
        problems: list[str] = []
        for name, info, kind in describe(type(self)):
            value = getattr(self, name)
            if info.path and isinstance(value, str) and value.startswith("~"):
                with contextlib.suppress(RuntimeError):  # of nobody here: the file is missed later
                    object.__setattr__(self, name, str(Path(value).expanduser()))
            problems.extend(_violations(name, value, kind, info))
        if not problems:
            problems = self.check()
        if problems:
            raise ConfigError("; ".join(problems))

    def check(self) -> list[str]:
        """Return the violated cross-field rules, one sentence each (none by default)."""
        return []

    @classmethod
    def from_mapping(cls: type[P], mapping: Mapping[str, object], source: str = "parameters") -> P:
        """Build from plain values, as YAML gives them; unknown names are refused with a suggestion.

        Raises:
            ConfigError: for unknown names, and for every violation, with `source` in front.
        """
        kinds = {name: kind for name, _, kind in describe(cls)}
        unknown = [
            f"unknown parameter '{k}': {suggest(k, kinds)}" for k in mapping if k not in kinds
        ]
        if unknown:
            raise ConfigError(f"{source}: " + "; ".join(unknown))
        try:
            return cls(**{k: _coerce(v, kinds[k]) for k, v in mapping.items()})
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None

    def to_mapping(self) -> dict[str, object]:
        """Return plain values that YAML and JSON can hold, in the order of declaration."""
        values = {name: getattr(self, name) for name, _, _ in describe(type(self))}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def describe(cls: type[Parameters]) -> list[tuple[str, FieldInfo, object]]:
    """Return (name, information, type) of every field, in the order of declaration."""
    kinds = typing.get_type_hints(cls)
    return [(f.name, f.metadata["info"], kinds[f.name]) for f in dataclasses.fields(cls)]


def table(cls: type[Parameters]) -> str:
    """Return the Markdown table of a parameter class for the README."""
    rows = ["| parameter | default | unit | allowed | meaning |", "|---|---|---|---|---|"]
    defaults = {f.name: f.default for f in dataclasses.fields(cls)}
    for name, info, _ in describe(cls):
        default = _shown(defaults[name])
        meaning = info.description + ("; settable while running" if info.settable else "")
        rows.append(f"| `{name}` | {default} | {info.unit} | {_allowed(info)} | {meaning} |")
    return "\n".join(rows)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(v) for v in value) + "]"
    return f"`{value}`" if value != "" else "empty"


def _allowed(info: FieldInfo) -> str:
    if info.choices:
        return ", ".join(info.choices)
    if info.minimum is not None and info.maximum is not None:
        return f"{info.minimum:g} to {info.maximum:g}"
    if info.minimum is not None:
        return f"≥ {info.minimum:g}"
    return f"≤ {info.maximum:g}" if info.maximum is not None else ""


def _coerce(value: object, kind: object) -> object:
    """Turn YAML's integers into floats and lists into tuples; leave the rest to validation."""
    if isinstance(value, list | tuple) and kind in _ELEMENT:
        return tuple(_coerce(v, _ELEMENT[kind]) for v in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return float(value)
    return value


def _violations(name: str, value: object, kind: object, info: FieldInfo) -> list[str]:
    if kind in _ELEMENT:
        if not isinstance(value, tuple):
            return [f"{name} is {value!r}: expected a list"]
        return [
            p
            for i, v in enumerate(value)
            for p in _violations(f"{name}[{i}]", v, _ELEMENT[kind], info)
        ]
    wrong_type = type(value) is not kind
    if wrong_type:
        expected = getattr(kind, "__name__", kind)
        return [f"{name} is {value!r}: expected {expected}"]
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{name} is {value}: expected a finite number"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        low = info.minimum is not None and value < info.minimum
        high = info.maximum is not None and value > info.maximum
        if low or high:
            return [f"{name} is {value}: allowed {_allowed(info)}"]
    if info.choices and value not in info.choices:
        return [f"{name} is '{value}': {suggest(str(value), info.choices)}"]
    return []
