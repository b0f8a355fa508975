"""Run a launch file where `launch_ros` is not at hand: `launcher FILE [name:=value ...]`."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from sinew_bringup.launch_file import LaunchFile, NodeLaunch
from sinew_bringup.processes import Command, System, to_stdout
from sinew_core.arguments import split_arguments
from sinew_core.errors import ConfigError, SinewError, suggest
from sinew_core.start import start

_SUFFIX = ".launch.yaml"
_USAGE = "usage: launch FILE [--show-args] [name:=value ...]"


class _Quoting(yaml.SafeDumper):
    """Quotes every text: PyYAML leaves bare what ROS reads as a number or a bool, as 0908 and y."""


_Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    try:
        return run(list(sys.argv[1:] if argv is None else argv))
    except SinewError as error:
        sys.stderr.write(f"launch: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def run(argv: list[str]) -> int:
    """Launch the file that the arguments name, or show what it takes.

    Raises:
        ConfigError: the file, an argument or a value is wrong.
    """
    options = [word for word in argv if word.startswith("-")]
    words = [word for word in argv if not word.startswith("-")]
    if not words or "-h" in options or "--help" in options:
        names = ", ".join(launch_file_names())
        _show(f"{_USAGE}\nFILE is a path or one of {names}\n")
        return 0 if options else 2
    for option in options:
        if option not in ("-s", "--show-args", "--show-arguments"):
            raise ConfigError(f"unknown option '{option}': {suggest(option, ['--show-args'])}")
    file = LaunchFile(find_launch_file(words[0]))
    if options:
        _show(describe_arguments(file))
        return 0
    nodes = file.nodes(split_arguments(words[1:]))
    with tempfile.TemporaryDirectory(prefix="sinew-launch-") as folder:
        commands = [command(node, i + 1, Path(folder)) for i, node in enumerate(nodes)]
        return System(commands, to_stdout).run()


def _show(text: str) -> None:
    """Print a text; whoever stops reading it, such as `head`, ends this process without a word."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    to_stdout(text)


def launch_folder() -> Path:
    """Return the folder of the launch files, in a checkout or in an installation."""
    beside = Path(__file__).resolve().parents[1] / "launch"
    if beside.is_dir():
        return beside
    from ament_index_python.packages import get_package_share_directory

    return Path(get_package_share_directory("sinew_bringup")) / "launch"


def launch_file_names() -> list[str]:
    """Return the names under which the launch files can be launched."""
    return sorted(path.name[: -len(_SUFFIX)] for path in launch_folder().glob(f"*{_SUFFIX}"))


def find_launch_file(name: str) -> Path:
    """Return the file at a path, or the one of our own that has the name.

    Raises:
        ConfigError: there is none.
    """
    path = Path(name)
    with contextlib.suppress(OSError):  # what cannot even be looked for is no file
        if path.is_file():
            return path
    short = name[: -len(_SUFFIX)] if name.endswith(_SUFFIX) else name
    if short in launch_file_names():
        return launch_folder() / f"{short}{_SUFFIX}"
    raise ConfigError(f"no launch file '{name}': {suggest(short, launch_file_names())}")


def describe_arguments(file: LaunchFile) -> str:
    """Return the list of all arguments with description, choices and default."""
    lines = ["Arguments (pass arguments as '<name>:=<value>'):\n"]
    for argument in file.arguments:
        lines.append(f"    '{argument.name}':\n        {argument.description}")
        if argument.choices:
            lines.append("        one of: " + ", ".join(argument.choices))
        default = "required" if argument.default is None else f"default: '{argument.default}'"
        lines.append(f"        ({default})\n")
    return "\n".join(lines)


def command(node: NodeLaunch, number: int, folder: Path) -> Command:
    """Return the process of a node; values go into files in `folder`, as `launch_ros` does it."""
    ros: list[str] = []
    if node.name:
        ros += ["-r", f"__node:={node.name}"]
    if node.namespace:
        ros += ["-r", f"__ns:=/{node.namespace.lstrip('/')}"]
    for index, parameter in enumerate(node.parameters):
        if isinstance(parameter, tuple):
            path = folder / f"{number}-{index}.yaml"
            section = f"/{node.namespace.strip('/')}/{node.name}".replace("//", "/")
            key = section if node.name and node.namespace else "/**"
            text = yaml.dump({key: {"ros__parameters": dict([parameter])}}, Dumper=_Quoting)
            path.write_text(text, encoding="utf-8")
        else:
            path = parameter
            if not path.is_file():
                raise ConfigError(
                    f"parameter file {path} does not exist: check what was given for it, "
                    "or for the argument that it is named after"
                )
        ros += ["--params-file", str(path)]
    for source, target in node.remaps:
        ros += ["-r", f"{source}:={target}"]
    words = [*executable(node.package, node.executable), *(["--ros-args", *ros] if ros else [])]
    return Command(
        label=f"{node.name or node.executable}-{number}",
        arguments=tuple(words),
        required=node.required,
    )


def executable(package: str, name: str) -> list[str]:
    """Return the words that start a node: the installed script, else the module.

    Raises:
        ConfigError: neither is there.
    """
    if os.environ.get("AMENT_PREFIX_PATH"):
        from ament_index_python.packages import PackageNotFoundError, get_package_prefix

        try:
            script = Path(get_package_prefix(package)) / "lib" / package / name
        except PackageNotFoundError:
            script = None
        if script is not None and os.access(script, os.X_OK):
            return [str(script)]
    try:
        found = importlib.util.find_spec(f"{package}.{name}")
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise ConfigError(
            f"no executable '{name}' in package '{package}': "
            "check pkg and exec; what is installed elsewhere runs with ros2 launch"
        )
    if package.startswith("sinew_"):  # another package need not have a `main`
        return start(f"{package}.{name}", node=True)
    return [sys.executable, "-m", f"{package}.{name}"]


if __name__ == "__main__":
    sys.exit(main())
