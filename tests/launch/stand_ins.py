"""An ament prefix whose executables stand in for the nodes: they say what they were given."""

import json
import stat
import sys
from pathlib import Path

import yaml

from sinew_bringup.launch_file import LaunchFile

ROOT = Path(__file__).resolve().parents[2]
LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.yaml"))

# The last node of each file has a task that ends, here when all have been started; the others run
# until they are asked to end.
_SCRIPT = """#!{python}
import json, pathlib, signal, sys, time, yaml
words = sys.argv[sys.argv.index("--ros-args") + 1:]
name, remaps, values = "", [], {{}}
for flag, word in zip(words[::2], words[1::2]):
    if flag == "--params-file":
        for section, content in yaml.safe_load(open(word)).items():
            if section == "/**" or section.rsplit("/", 1)[-1] == name:
                values.update(content["ros__parameters"])
    elif word.startswith("__node:="):
        name = word.partition(":=")[2]
    else:
        remaps.append(word)
ended = []
signal.signal(signal.SIGINT, lambda *_: ended.append(True))
print("GIVEN " + json.dumps([{package!r}, {executable!r}, name, remaps, values]), flush=True)
pathlib.Path({started!r}, name).touch()
deadline_s = time.monotonic() + 60
while not ended and time.monotonic() < deadline_s:
    if {ends} and len(list(pathlib.Path({started!r}).iterdir())) == {n_nodes}:
        sys.exit(0)
    time.sleep(0.01)
sys.exit(0 if ended else 9)
"""


def make_prefix(folder: Path, launch_file: Path, **given: str) -> Path:
    described = LaunchFile(launch_file)
    needed = {a.name: "" for a in described.arguments if a.default is None and not a.conditions}
    nodes = described.nodes(needed | given)
    (folder / "started").mkdir(parents=True)
    for node in nodes:
        script = folder / "lib" / node.package / node.executable
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(
            _SCRIPT.format(
                python=sys.executable,
                package=node.package,
                executable=node.executable,
                started=str(folder / "started"),
                n_nodes=len(nodes),
                ends=node is nodes[-1],
            )
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        marker = folder / "share/ament_index/resource_index/packages" / node.package
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    return folder


def what_was_given(output: str) -> dict[str, list[object]]:
    """What each node of a launch said, by its name."""
    lines = [line.partition("GIVEN ")[2] for line in output.splitlines() if "GIVEN " in line]
    return {given[2]: given for given in map(json.loads, lines)}


def read_sections(path: Path) -> dict[str, dict[str, object]]:
    """The parameters of a parameter file by node name."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {
        section.rpartition("/")[2]: content["ros__parameters"]
        for section, content in document.items()
    }
