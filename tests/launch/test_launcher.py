import os
import subprocess
import sys

import pytest
import yaml

from sinew_bringup.launcher import main

NODE = """
import sys, yaml
arguments = sys.argv[sys.argv.index("--ros-args") + 1:]
values = {}
for flag, word in zip(arguments[::2], arguments[1::2]):
    if flag == "--params-file":
        for section, content in yaml.safe_load(open(word)).items():
            values.update({f"{section} {k}": v for k, v in content["ros__parameters"].items()})
    else:
        values[flag] = values.get(flag, []) + [word]
print(sorted(values.items()), flush=True)
sys.exit(values.get("/** code", 0))
"""


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Launch actions that may run the module `probe.node`; return status and output."""
    package = tmp_path / "probe"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "node.py").write_text(NODE)
    search_path = os.pathsep.join([str(tmp_path), *sys.path])
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    file = tmp_path / "probe.launch.yaml"

    def run(actions, *arguments):
        file.write_text(yaml.safe_dump({"launch": actions}))
        done = subprocess.run(
            [sys.executable, "-m", "sinew_bringup.launcher", str(file), *arguments],
            env={**os.environ, "PYTHONPATH": search_path},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    return run


CODE = {"arg": {"name": "code", "default": "0", "description": "How it ends."}}
PROBE = {
    "pkg": "probe",
    "exec": "node",
    "name": "me",
    "param": [{"name": "code", "value": "$(var code)", "type": "int"}],
    "remap": [{"from": "a", "to": "b"}],
    "on_exit": "shutdown",
}


def test_a_node_of_the_checkout_runs_with_its_parameters_and_remaps(launch):
    status, output = launch([CODE, {"node": PROBE}])
    assert status == 0
    assert "[me-1] [('-r', ['__node:=me', 'a:=b']), ('/** code', 0)]" in output


def test_values_are_for_the_node_alone_when_it_has_a_namespace(launch):
    _, output = launch([CODE, {"node": {**PROBE, "namespace": "left"}}])
    assert "('-r', ['__node:=me', '__ns:=/left', 'a:=b']), ('/left/me code', 0)" in output


def test_a_required_node_that_fails_makes_the_exit_status_nonzero(launch):
    status, output = launch([CODE, {"node": PROBE}], "code:=5")
    assert status == 1
    assert "[me-1] ended with exit status 5" in output


def test_a_wrong_argument_name_starts_nothing(launch):
    status, output = launch([CODE, {"node": PROBE}], "cod:=5")
    assert status == 2
    assert output == ("launch: probe.launch.yaml: unknown argument 'cod': did you mean 'code'?\n")


def test_a_node_that_does_not_exist_is_named(launch):
    status, output = launch([{"node": {"pkg": "probe", "exec": "nod"}}])
    assert status == 2
    assert "no executable 'nod' in package 'probe'" in output


def test_a_parameter_file_that_does_not_exist_is_named(launch):
    param = [{"from": "$(dirname)/none.yaml"}]
    status, output = launch([{"node": {"pkg": "probe", "exec": "node", "param": param}}])
    assert status == 2
    assert "none.yaml does not exist" in output


def test_show_args_lists_every_argument(launch):
    choice = {"name": "pace", "description": "Which clock.", "choice": [{"value": "slow"}]}
    status, output = launch([CODE, {"arg": choice}], "--show-args")
    assert status == 0
    assert "'code':\n        How it ends.\n        (default: '0')" in output
    assert "'pace':\n        Which clock.\n        one of: slow\n        (required)" in output


def test_an_unknown_launch_file_is_refused(capsys):
    assert main(["no_such_file"]) == 2
    assert "no launch file 'no_such_file'" in capsys.readouterr().err
