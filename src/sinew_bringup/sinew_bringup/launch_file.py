"""Read a ROS 2 YAML launch file: the arguments, nodes and substitutions that our files use.

Everything else of the `launch_yaml` front end is refused by name, so that no file means one thing
here and another under `ros2 launch`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from sinew_core.errors import ConfigError, suggest

_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
_PART = r"[A-Za-z_{][\w{}]*"
_ROS_NAME = re.compile(rf"(?:/|~/)?{_PART}(?:/{_PART})*", re.ASCII)
_TRUE, _FALSE = ("true", "1"), ("false", "0")
_CONDITIONS = {"if": True, "unless": False}
Scalar = bool | int | float | str


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One `arg` of a launch file; without a default it must be given.

    Two may have one name, where `if` and `unless` see to it that one of them counts.
    """

    name: str
    default: str | None
    description: str
    choices: tuple[str, ...]
    conditions: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class NodeLaunch:
    """One `node` with all substitutions done.

    `parameters` holds, in the order of the file, paths of parameter files and single values.
    """

    package: str
    executable: str
    name: str
    namespace: str
    parameters: tuple[Path | tuple[str, Scalar], ...]
    remaps: tuple[tuple[str, str], ...]
    required: bool


class LaunchFile:
    """A launch file whose structure is checked; `nodes` fills in the arguments."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            ConfigError: it cannot be read, or uses what this launcher does not support.
        """
        self.path = path
        self._folder = str(path.resolve().parent)
        self.arguments: list[Argument] = []
        self._nodes: list[dict[str, object]] = []
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"{path}: cannot be read as a launch file: {reason}") from None
        if not isinstance(document, dict) or list(document) != ["launch"]:
            raise ConfigError(f"{path}: expected one key 'launch' with a list of actions")
        actions = {"arg": self._add_argument, "node": self._add_node}
        for entry in _entries(document["launch"], f"{path}: launch"):
            kind, attributes = _action(entry, actions, str(path))
            actions[kind](attributes)

    def _add_argument(self, attributes: dict[str, object]) -> None:
        where = f"{self.path}: arg '{attributes.get('name', '')}'"
        _check_keys(attributes, ("name", "default", "description", "choice", *_CONDITIONS), where)
        default = attributes.get("default")
        choices = [
            _text(choice, "value", where)
            for choice in _entries(attributes.get("choice", []), f"{where}: choice")
        ]
        self.arguments.append(
            Argument(
                name=_text(attributes, "name", where),
                default=None if default is None else str(default),
                description=_text(attributes, "description", where),
                choices=tuple(choices),
                conditions={key: attributes[key] for key in _CONDITIONS if key in attributes},
            )
        )

    def _add_node(self, attributes: dict[str, object]) -> None:
        where = f"{self.path}: node '{attributes.get('name', attributes.get('exec', ''))}'"
        allowed = ("pkg", "exec", "name", "namespace", "param", "remap", "output", "on_exit")
        _check_keys(attributes, (*allowed, *_CONDITIONS), where)
        for key, value in (("output", "screen"), ("on_exit", "shutdown")):
            if attributes.get(key, value) != value:
                raise ConfigError(f"{where}: {key} is {attributes[key]!r}: allowed is '{value}'")
        for entry in _entries(attributes.get("param", []), f"{where}: param"):
            _check_keys(entry, ("from",) if "from" in entry else ("name", "value", "type"), where)
        for entry in _entries(attributes.get("remap", []), f"{where}: remap"):
            _check_keys(entry, ("from", "to"), where)
        self._nodes.append(attributes)

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the value of every argument.

        Raises:
            ConfigError: a given name is unknown, a value is not a choice, or one is missing.
        """
        names = [argument.name for argument in self.arguments]
        problems = [
            f"unknown argument '{name}': {suggest(name, names)}"
            for name in given
            if name not in names
        ]
        values: dict[str, str] = {}
        for argument in self.arguments:
            where = f"{self.path}: arg '{argument.name}'"
            if argument.conditions and problems:
                break  # what the condition asks for may be among them
            if not _is_wanted(argument.conditions, values, self._folder, where):
                continue
            value = given.get(argument.name)
            if value is None and argument.default is not None:
                value = substitute(argument.default, values, self._folder, where)
            if value is None:
                problems.append(f"argument '{argument.name}' is missing: {argument.description}")
            elif argument.choices and value not in argument.choices:
                remedy = suggest(value, argument.choices)
                problems.append(f"argument {argument.name} is '{value}': {remedy}")
            else:
                values[argument.name] = value
        if problems:
            raise ConfigError(f"{self.path.name}: " + "; ".join(problems))
        return values

    def nodes(self, given: Mapping[str, str]) -> list[NodeLaunch]:
        """Return the nodes whose conditions hold, with the given arguments filled in.

        Raises:
            ConfigError: as `values`, or a substitution, a condition or a typed value is wrong.
        """
        values, path = self.values(given), str(self.path)
        return [
            _resolve(node, values, self._folder, path)
            for node in self._nodes
            if _is_wanted(node, values, self._folder, _place(node, path))
        ]


def _is_wanted(
    attributes: Mapping[str, object], values: Mapping[str, str], folder: str, where: str
) -> bool:
    """Tell whether the conditions of an action hold."""
    for key, wanted in _CONDITIONS.items():
        if key not in attributes:
            continue
        text = substitute(str(attributes[key]), values, folder, f"{where}: {key}")
        try:
            if _boolean(text) is not wanted:
                return False
        except ValueError:
            raise ConfigError(f"{where}: {key} is '{text}': allowed are true and false") from None
    return True


def _place(node: Mapping[str, object], path: str) -> str:
    return f"{path}: node '{node.get('name', node.get('exec', ''))}'"


def _resolve(
    node: Mapping[str, object], values: Mapping[str, str], folder: str, path: str
) -> NodeLaunch:
    """Do the substitutions of one node."""
    where = _place(node, path)

    def text(attributes: Mapping[str, object], key: str, default: str | None = None) -> str:
        return substitute(_text(attributes, key, where, default), values, folder, where)

    parameters: list[Path | tuple[str, Scalar]] = []
    for entry in _entries(node.get("param", []), where):
        if "from" in entry:
            parameters.append(Path(text(entry, "from")))
        else:
            name, kind = text(entry, "name"), entry.get("type")
            value = entry.get("value")
            done = substitute(value, values, folder, where) if isinstance(value, str) else value
            parameters.append((name, _typed(done, kind, f"{where}: {name}")))
    remaps = _entries(node.get("remap", []), where)
    return NodeLaunch(
        package=text(node, "pkg"),
        executable=text(node, "exec"),
        name=text(node, "name", ""),
        namespace=_namespace(text(node, "namespace"), where) if "namespace" in node else "",
        parameters=tuple(parameters),
        remaps=tuple(
            (text(remap, "from"), _ros_name(text(remap, "to"), f"{where}: remap to"))
            for remap in remaps
        ),
        required="on_exit" in node,
    )


def _namespace(text: str, where: str) -> str:
    """Return a namespace without the slash at its end; an empty one is the root, as for ROS."""
    name = text.rstrip("/")
    return _ros_name(name, f"{where}: namespace") if name else "/"


def _ros_name(name: str, where: str) -> str:
    if not _ROS_NAME.fullmatch(name):
        allowed = "a name of letters, digits, '_' and '/', no part of it beginning with a digit"
        raise ConfigError(f"{where} is '{name}': expected {allowed}")
    return name


def substitute(text: str, values: Mapping[str, str], folder: str, where: str) -> str:
    """Replace `$(var name)` and `$(dirname)` in a text.

    Raises:
        ConfigError: for any other substitution, and for the name of an unknown argument.
    """

    def replace(match: re.Match[str]) -> str:
        kind, _, argument = match[1].strip().partition(" ")
        if kind == "dirname" and not argument:
            return folder
        if kind != "var":
            raise ConfigError(f"{where}: {match[0]} is not supported: use $(var) or $(dirname)")
        name = argument.strip()
        if name not in values:
            raise ConfigError(f"{where}: unknown argument '{name}': {suggest(name, values)}")
        return values[name]

    result = _SUBSTITUTION.sub(replace, text)
    # What is left open is nested or malformed; a value may well contain the two characters.
    if "$(" in _SUBSTITUTION.sub("", text):
        raise ConfigError(f"{where}: cannot read the substitution in {text!r}: close or unnest it")
    return result


def _typed(value: object, kind: object, where: str) -> Scalar:
    """Give a parameter value the type that `launch_ros` gives it."""
    readers: dict[str, Callable[[str], Scalar]] = {
        "bool": _boolean,
        "float": float,
        "int": int,
        "str": str,
    }
    if kind is None:
        try:
            parsed = yaml.safe_load(value) if isinstance(value, str) and value else value
        except yaml.YAMLError:
            raise ConfigError(f"{where} is {value!r}: quote it, or give it a type") from None
        if isinstance(parsed, bool | int | float | str):
            return parsed
        raise ConfigError(f"{where} is {value!r}: allowed are a bool, int, float or str")
    if not isinstance(kind, str) or kind not in readers:
        raise ConfigError(f"{where}: type is {kind!r}: {suggest(str(kind), readers)}")
    try:
        return readers[kind](str(value))
    except ValueError:
        raise ConfigError(f"{where} is {value!r}: expected {kind}") from None


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError(text)
    return text.lower() in _TRUE


def _entries(value: object, where: str) -> list[dict[str, object]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ConfigError(f"{where}: expected a list of mappings, found {value!r}")
    return value


def _action(
    entry: Mapping[str, object], allowed: Iterable[str], where: str
) -> tuple[str, dict[str, object]]:
    kind = next(iter(entry)) if len(entry) == 1 else ", ".join(map(str, entry))
    if kind not in allowed:
        known = " and ".join(sorted(allowed))
        raise ConfigError(
            f"{where}: action '{kind}' is not supported by this launcher, which knows {known}: "
            "run the file with ros2 launch"
        )
    attributes = entry[kind]
    if not isinstance(attributes, dict):
        raise ConfigError(f"{where}: {kind}: expected a mapping, found {attributes!r}")
    return kind, attributes


def _check_keys(attributes: Mapping[str, object], allowed: Iterable[str], where: str) -> None:
    for key in attributes:
        if key not in allowed:
            raise ConfigError(
                f"{where}: '{key}' is not supported by this launcher: {suggest(str(key), allowed)}"
            )


def _text(
    attributes: Mapping[str, object], key: str, where: str, default: str | None = None
) -> str:
    value = attributes.get(key, default)
    if value is None:
        raise ConfigError(f"{where}: '{key}' is missing")
    return str(value)
