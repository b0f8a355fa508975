"""Identified values are refused for a robot of another description, and taken for their own."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import yaml

import report_samples as samples
from sinew_core.errors import ConfigError
from sinew_core.randomisation import read_randomisation
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.described_by import DESCRIPTION, URDF_FILE, description_text
from sinew_core.robots.sim_params import load_sim_params
from sinew_core.sysid.described import described_robot
from sinew_core.sysid.outputs import identification_files, write_folder
from sinew_core.training.configuration import RunConfiguration
from sinew_core.training.environment import make_randomisation, make_sim_params

PANDA = load_robot("panda")
TOOL = """
  <link name="gripper"><inertial>
    <origin xyz="0 0 0.12"/><mass value="0.73"/>
    <inertia ixx="0.001" ixy="0" ixz="0" iyy="0.001" iyz="0" izz="0.001"/>
  </inertial></link>
  <joint name="gripper_mount" type="fixed">
    <parent link="panda_link7"/><child link="gripper"/><origin xyz="0 0 0.107"/>
  </joint>
</robot>"""
WITH_TOOL = PANDA.urdf_text.replace("</robot>", TOOL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What an identification of a Panda with a tool leaves."""
    place = tmp_path_factory.mktemp("identified")
    (place / "arm.urdf").write_text(WITH_TOOL)
    robot = load_robot("panda", urdf=str(place / "arm.urdf"))
    files = identification_files(samples.identification(), robot, [], date="2026-01-02 03:04 UTC")
    return write_folder(place / "out", files, overwrite=False)


def test_masses_of_an_arm_with_a_tool_are_not_given_to_one_without(folder):
    # 0.73 kg at 0.227 m add 0.166 kg m to the last joint's moment: the same mass with the centre
    # of the bare hand would be off by that much weight.
    remedy = rf"panda_link7 carries 2\.178 kg, not 1\.448 kg.*urdf:={folder}/robot\.urdf"
    with pytest.raises(ConfigError, match=remedy):
        load_sim_params(str(folder / "sim_params.yaml"), PANDA)
    with pytest.raises(ConfigError, match=remedy):
        read_randomisation(folder / "randomization.yaml", PANDA)


def test_the_remedy_works_and_gives_the_arm_that_was_identified(folder):
    robot = load_robot("panda", urdf=str(folder / URDF_FILE))
    params = load_sim_params(str(folder / "sim_params.yaml"), robot)
    found = samples.identification().params.dynamics
    assert params.dynamics.values(robot) == pytest.approx(found.values(robot))
    last, bare = found.bodies(robot)[-1], found.bodies(PANDA)[-1]
    assert np.abs(last.moment - bare.moment).max() > 0.03
    assert read_randomisation(folder / "randomization.yaml", robot).draw_values(0)


@pytest.mark.parametrize("given", [{}, {"urdf": "robot.urdf"}])
def test_training_takes_the_urdf_that_the_values_belong_to(folder, given):
    configuration = RunConfiguration.from_mapping(
        {
            "sim_params": str(folder / "sim_params.yaml"),
            "randomisation": str(folder / "randomization.yaml"),
            "action_mode": "joint_position",
            "rates": {"physics_rate_hz": 10_000},
            "safety": {"max_latency_periods": 19, "tracking_error_rad": 0.2, "noise_rad": 0.05},
            **{name: str(folder / file) for name, file in given.items()},
        }
    )
    robot = load_robot("panda", urdf=configuration.train.urdf)
    if given:
        assert make_sim_params(configuration, robot) is not None
        assert make_randomisation(configuration, robot) is not None
        return
    for make in (make_sim_params, make_randomisation):
        with pytest.raises(ConfigError, match="another description"):
            make(configuration, robot)


def rewritten(text):
    """The same description as another program writes it: in other order and fewer digits."""
    root = ET.fromstring(text)
    for element in root.iter():
        words = {k: v.split() for k, v in reversed(element.attrib.items())}
        element.attrib.clear()
        element.attrib.update({k: " ".join(map(rounded, w)) for k, w in words.items()})
    for link in root.findall("link"):
        for shape in [*link.findall("visual"), *link.findall("collision")]:
            link.remove(shape)
    return ET.tostring(root, encoding="unicode")


def rounded(word):
    try:
        return f"{float(word):.6g}"
    except ValueError:
        return word


def test_how_the_same_description_is_written_does_not_matter(folder, tmp_path):
    other = rewritten(WITH_TOOL)
    assert other != WITH_TOOL
    (tmp_path / "other.urdf").write_text(other)
    robot = load_robot("panda", urdf=str(tmp_path / "other.urdf"))
    assert load_sim_params(str(folder / "sim_params.yaml"), robot).controller is not None


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('<joint name="panda_joint4"', None, "panda_joint4 is in another place"),
        ('value="4.970684"', 'value="4.5"', "panda_link1 carries 4.971 kg, not 4.5 kg"),
        ("0.003875", "0.013875", "panda_link1 carries its 4.971 kg in another place"),
    ],
)
def test_each_part_that_a_simulation_takes_is_compared(tmp_path, old, new, match):
    text = PANDA.urdf_text
    assert old in text
    if new is None:  # the elbow is a centimetre further out
        head, _, tail = text.partition(old)
        text = head + old + tail.replace("0.0825", "0.0925", 1)
    else:
        text = text.replace(old, new, 1)
    (tmp_path / "changed.urdf").write_text(text)
    changed = load_robot("panda", urdf=str(tmp_path / "changed.urdf"))
    path = tmp_path / "sim_params.yaml"
    path.write_text("dynamics: {delay_s: 0.01}\n" + description_text(PANDA))
    assert load_sim_params(str(path), PANDA).dynamics.delay_s == 0.01
    with pytest.raises(ConfigError, match=match) as error:
        load_sim_params(str(path), changed)
    assert "robot.urdf that was written beside it" in str(error.value)


def test_another_tool_frame_matters_to_a_payload_only(tmp_path):
    elsewhere = load_robot("panda", tool_link="panda_link7")
    for mass, refused in ((0.0, False), (0.5, True)):
        path = tmp_path / "sim_params.yaml"
        path.write_text(f"dynamics: {{payload/mass: {mass}}}\n" + description_text(PANDA))
        if refused:
            with pytest.raises(ConfigError, match="tool is"):
                load_sim_params(str(path), elsewhere)
        else:
            load_sim_params(str(path), elsewhere)


def test_files_of_before_and_of_hand_are_read_as_ever(tmp_path):
    path = tmp_path / "sim_params.yaml"
    path.write_text("dynamics: {mass/panda_link7: 2.0}\n")
    assert load_sim_params(str(path), PANDA).dynamics.mass_kg[6] == 2.0
    path.write_text("dynamics: {}\ndescription: robot.urdf\n")
    with pytest.raises(ConfigError, match=r"description is 'robot\.urdf'"):
        load_sim_params(str(path), PANDA)


def test_the_files_name_the_urdf_that_is_beside_them(folder):
    assert (folder / URDF_FILE).read_text() == WITH_TOOL
    for name in ("sim_params.yaml", "randomization.yaml"):
        assert yaml.safe_load((folder / name).read_text())[DESCRIPTION]["urdf"] == URDF_FILE


@pytest.mark.parametrize(("text", "told"), [(WITH_TOOL, 1), (rewritten(PANDA.urdf_text), 0)])
def test_that_a_bag_is_of_another_arm_than_the_catalogues_is_said(text, told):
    said = []
    recording = dataclasses.replace(samples.record({}, 0.1), robot_description=text)
    described_robot("panda", "", lambda _: recording, said.append)
    assert len(said) == told
    assert all("panda_link7 carries 2.178 kg, not 1.448 kg" in sentence for sentence in said)
