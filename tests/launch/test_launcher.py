import os
import subprocess
import sys

import pytest
import rclpy
import yaml

from sinew_bringup.launch_file import NodeLaunch
from sinew_bringup.launcher import command, main

NODE = r"""
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
sys.stdout.buffer.write("\u00b1\n".encode())
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

    def run(actions, *arguments, **environment):
        file.write_text(yaml.safe_dump({"launch": actions}))
        done = subprocess.run(
            [sys.executable, "-m", "sinew_bringup.launcher", str(file), *arguments],
            env={**os.environ, "PYTHONPATH": search_path, **environment},
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


@pytest.mark.parametrize("name", ["no_such_file", "no_such_file" * 99], ids=len)
def test_an_unknown_launch_file_is_refused(name, capsys):
    assert main([name]) == 2
    assert f"no launch file '{name}'" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["y", "1e3", "0908", "nan", "0x1p3", "a: 'b\" \u00e9 \U0001f600"])
def test_ros_reads_a_text_as_a_text_whatever_it_looks_like(text, tmp_path):
    node = NodeLaunch(
        package="sinew_sysid",
        executable="record",
        name="me",
        namespace="",
        parameters=(("value", text), ("number", 5)),
        remaps=(),
        required=True,
    )
    words = list(command(node, 1, tmp_path).arguments)
    context = rclpy.Context()
    rclpy.init(args=words[words.index("--ros-args") :], context=context)
    try:
        heard = rclpy.create_node(
            "me", context=context, automatically_declare_parameters_from_overrides=True
        )
        values = [heard.get_parameter(name).value for name in ("value", "number")]
    finally:
        rclpy.shutdown(context=context)
    assert values == [text, 5]


def test_output_that_the_terminal_cannot_show_is_shown_escaped(launch):
    status, output = launch([CODE, {"node": PROBE}], PYTHONIOENCODING="ascii")
    assert status == 0
    assert "[me-1] \\xb1\n" in output


def test_a_list_of_arguments_may_be_read_in_part():
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m sinew_bringup.launcher gap --show-args | true"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""


@pytest.mark.parametrize(
    "node",
    [
        {"pkg": "", "exec": "node"},
        {**PROBE, "param": [{"name": "v", "value": "["}]},
    ],
)
def test_what_cannot_be_read_in_a_node_is_one_line(launch, node):
    status, output = launch([CODE, {"node": node}])
    assert status == 2
    assert output.startswith("launch: ")
    assert output.count("\n") == 1
