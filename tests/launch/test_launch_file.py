from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_bringup.launch_file import LaunchFile, substitute
from sinew_core.errors import ConfigError

GOOD = """
launch:
  - arg: {name: speed, default: "1.5", description: How fast.}
  - arg:
      name: pace
      default: lockstep
      description: Which clock.
      choice: [{value: lockstep}, {value: realtime}]
  - arg: {name: bundle, description: Which policy.}
  - node:
      pkg: sinew_sim
      exec: sim_driver
      name: driver
      namespace: left
      output: screen
      on_exit: shutdown
      param:
        - {from: $(dirname)/../config/sim.yaml}
        - {name: speed, value: $(var speed), type: float}
        - {name: bundle, value: $(var bundle), type: str}
        - {name: plain, value: 7}
        - {name: guessed, value: $(var speed)}
      remap:
        - {from: joint_states, to: $(var pace)/joint_states}
"""


def launch_file(folder, text):
    path = folder / "some.launch.yaml"
    path.write_text(text)
    return LaunchFile(path)


def test_a_node_gets_its_arguments_parameters_and_remaps(tmp_path):
    node = launch_file(tmp_path, GOOD).nodes({"bundle": "007", "speed": "2"})[0]
    assert (node.package, node.executable) == ("sinew_sim", "sim_driver")
    assert (node.name, node.namespace, node.required) == ("driver", "left", True)
    assert node.remaps == (("joint_states", "lockstep/joint_states"),)
    assert node.parameters == (
        Path(f"{tmp_path}/../config/sim.yaml"),
        ("speed", 2.0),
        ("bundle", "007"),
        ("plain", 7),
        ("guessed", 2),
    )
    assert [type(entry[1]) for entry in node.parameters[1:]] == [float, str, int, int]


@pytest.mark.parametrize(
    ("value", "started"), [("true", True), ("1", True), ("False", False), ("0", False)]
)
def test_a_node_with_a_condition_is_started_where_it_holds(tmp_path, value, started):
    text = GOOD.replace("      pkg: sinew_sim\n", "      pkg: sinew_sim\n      if: $(var bundle)\n")
    assert len(launch_file(tmp_path, text).nodes({"bundle": value})) == started


def test_a_condition_that_is_neither_true_nor_false_is_refused(tmp_path):
    text = GOOD.replace("      pkg: sinew_sim\n", "      pkg: sinew_sim\n      if: $(var bundle)\n")
    with pytest.raises(ConfigError, match="if is 'perhaps': allowed are true and false"):
        launch_file(tmp_path, text).nodes({"bundle": "perhaps"})


CONDITIONAL = """
launch:
  - arg: {name: real, description: Which arm., choice: [{value: "true"}, {value: "false"}]}
  - arg: {name: reset, if: $(var real), default: home, description: Real., choice: [{value: home}]}
  - arg: {name: reset, unless: $(var real), default: teleport, description: Not.}
  - node: {pkg: a, exec: real, if: $(var real), param: [{name: reset, value: $(var reset)}]}
  - node: {pkg: a, exec: other, unless: $(var real), param: [{name: reset, value: $(var reset)}]}
"""


@pytest.mark.parametrize(
    ("real", "executable", "reset"), [("true", "real", "home"), ("false", "other", "teleport")]
)
def test_of_two_arguments_of_one_name_that_counts_whose_condition_holds(
    tmp_path, real, executable, reset
):
    (node,) = launch_file(tmp_path, CONDITIONAL).nodes({"real": real})
    assert (node.executable, node.parameters) == (executable, (("reset", reset),))


def test_choices_are_those_of_the_argument_that_counts(tmp_path):
    file = launch_file(tmp_path, CONDITIONAL)
    assert file.values({"real": "false", "reset": "none"})["reset"] == "none"
    with pytest.raises(ConfigError, match="argument reset is 'none': choose one of home"):
        file.values({"real": "true", "reset": "none"})


def test_a_wrong_argument_that_a_condition_asks_for_is_named(tmp_path):
    file = launch_file(tmp_path, CONDITIONAL)
    with pytest.raises(ConfigError, match="argument real is 'yes': choose one of"):
        file.values({"real": "yes"})
    with pytest.raises(ConfigError, match="argument 'real' is missing"):
        file.values({})


def test_a_wrong_argument_name_is_refused_with_a_suggestion(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown argument 'sped': did you mean 'speed'\?"):
        launch_file(tmp_path, GOOD).nodes({"bundle": "b", "sped": "2"})


def test_a_missing_argument_is_named_with_its_description(tmp_path):
    with pytest.raises(ConfigError, match=r"argument 'bundle' is missing: Which policy\."):
        launch_file(tmp_path, GOOD).nodes({})


def test_a_value_that_is_no_choice_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"pace is 'lockstop': did you mean 'lockstep'\?"):
        launch_file(tmp_path, GOOD).nodes({"bundle": "b", "pace": "lockstop"})


def test_a_value_of_the_wrong_type_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="driver': speed is 'fast': expected float"):
        launch_file(tmp_path, GOOD).nodes({"bundle": "b", "speed": "fast"})


def test_all_wrong_arguments_are_reported_at_once(tmp_path):
    with pytest.raises(ConfigError, match=r"'sped'.*pace is 'x'.*'bundle' is missing"):
        launch_file(tmp_path, GOOD).nodes({"sped": "2", "pace": "x"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("launch: [{include: {file: x}}]", "action 'include' is not supported"),
        ("launch: [{node: {pkg: a, exec: b, respawn: true}}]", "'respawn' is not supported"),
        ("launch: [{node: {pkg: a, exec: b, machine: c}}]", "'machine' is not supported"),
        ("launch: [{node: {pkg: a, exec: b, output: log}}]", "allowed is 'screen'"),
        ("launch: [{arg: {name: a}}]", "'description' is missing"),
        ("launch: [{arg: {name: a, description: b, value: c}}]", "'value' is not supported"),
        ("launch: {arg: {name: a}}", "expected a list of mappings"),
        ("launch: [{node: {pkg: a, exec: b, param: [{name: c, param: []}]}}]", "'param' is not"),
        ("nodes: []", "expected one key 'launch'"),
        ("launch: [", "cannot be read as a launch file"),
    ],
)
def test_what_the_launcher_does_not_know_is_refused_by_name(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        launch_file(tmp_path, text)


def test_a_file_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read as a launch file"):
        LaunchFile(tmp_path / "none.launch.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$(env HOME)", r"\$\(env HOME\) is not supported"),
        ("$(var b)", "unknown argument 'b'"),
        ("$(var $(var a))", "cannot read the substitution"),
        ("$(var a", "cannot read the substitution"),
    ],
)
def test_other_substitutions_are_refused_by_name(text, message):
    with pytest.raises(ConfigError, match=message):
        substitute(text, {"a": "1"}, "folder", "here")


@given(st.text(max_size=20))
def test_a_value_passes_through_unchanged_whatever_it_holds(value):
    assert substitute("<$(var a)|$(dirname)>", {"a": value}, "/d", "here") == f"<{value}|/d>"


NAMED = """
launch:
  - arg: {name: space, default: "", description: Which namespace.}
  - arg: {name: states, default: "~/states", description: Which topic.}
  - node:
      pkg: sinew_sim
      exec: sim_driver
      namespace: $(var space)
      remap: [{from: joint_states, to: $(var states)}]
"""


@pytest.mark.parametrize(
    ("given", "found"),
    [("", "/"), ("/", "/"), ("lbr", "lbr"), ("/lbr/", "/lbr"), ("a1/_b2", "a1/_b2")],
)
def test_a_slash_at_the_end_of_a_namespace_is_no_part_of_it(tmp_path, given, found):
    assert launch_file(tmp_path, NAMED).nodes({"space": given})[0].namespace == found


@pytest.mark.parametrize(
    ("argument", "value", "place"),
    [
        ("space", "my arm", "namespace"),
        ("space", "1x", "namespace"),
        ("space", "a//b", "namespace"),
        ("states", "", "remap to"),
        ("states", "/", "remap to"),
        ("states", "franka/joint-states", "remap to"),
    ],
)
def test_what_cannot_be_a_name_in_ros_is_refused(tmp_path, argument, value, place):
    with pytest.raises(ConfigError, match=f"{place} is '{value}': expected a name of letters"):
        launch_file(tmp_path, NAMED).nodes({argument: value})
