"""The jobs behind the system_id and gap nodes: what a user can get wrong."""

from __future__ import annotations

import dataclasses
import json

import pytest
import yaml

import report_samples as samples
from sinew_core.bags.efforts import holding_efforts
from sinew_core.bags.reader import read_recording
from sinew_core.errors import (
    BagError,
    ConfigError,
    IdentificationError,
    RobotError,
    RunError,
    SinewError,
)
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import write_sim_params
from sinew_core.sysid.described import described_robot
from sinew_core.sysid.jobs import JOBS
from sinew_core.sysid.parameters import SystemIdParameters


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bags") / "arm"
    samples.write_bag(samples.record(samples.TRUE, 2.5, seed=3), folder)
    return str(folder)


def run(job, tmp_path, **given):
    told = []
    JOBS[job]({"output": str(tmp_path / "out"), **given}, told.append)
    return told


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"bag": "/no/such/bag"}, "/no/such/bag"),
        ({"controller": "/no/such.yaml"}, "/no/such.yaml"),
        ({"robot": "iiwa14"}, "joint"),
        ({"state_topic": "states"}, "states"),
        ({"command_topic": "/elsewhere"}, "/elsewhere"),
        ({"urdf": "/no/such.urdf"}, "/no/such.urdf"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(bag, tmp_path, job, given, match):
    with pytest.raises(SinewError, match=match):
        run(job, tmp_path, **{"bag": bag, **given})
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_refused_before_the_bag_is_read(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(RunError, match="exists"):
        run("gap", tmp_path, bag="/no/such/bag")


def test_what_cannot_be_fitted_is_named(bag, tmp_path):
    with pytest.raises(ConfigError, match="masses"):
        run("system_id", tmp_path, bag=bag, fit="masses/*")


def test_a_replay_needs_every_gain(bag, tmp_path):
    path = tmp_path / "controller.yaml"
    path.write_text("mode: position\nkp: 600\n")
    with pytest.raises(ConfigError, match=r"kd/panda_joint1.*sim_params:=FILE"):
        run("gap", tmp_path, bag=bag, controller=str(path))


def test_the_controller_may_be_below_the_home_as_the_bag(bag, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "controller.yaml").write_text("mode: position\nkp: 600\n")
    with pytest.raises(ConfigError, match="kd/panda_joint1"):
        run("gap", tmp_path, bag=bag, controller="~/controller.yaml")


@pytest.mark.parametrize("job", JOBS)
def test_a_mode_of_the_controller_that_the_topic_denies_is_refused(bag, tmp_path, job):
    path = tmp_path / "controller.yaml"
    path.write_text("mode: velocity\n")
    with pytest.raises(BagError, match=r"is of position commands by its name.*`mode`"):
        run(job, tmp_path, bag=bag, controller=str(path))


def test_a_known_controller_without_commands_is_no_replay_of_efforts(tmp_path):
    recording = samples.record(samples.TRUE, 2.5, seed=3)
    other = dataclasses.replace(
        recording.commands, values=recording.commands.values[:, :1], topic="/gripper/commands"
    )
    samples.write_bag(dataclasses.replace(recording, commands=other), tmp_path / "bag")
    path = tmp_path / "controller.yaml"
    path.write_text("mode: position\n")
    told = r"no position commands for its controller.*/gripper/commands.*command_topic:="
    with pytest.raises(IdentificationError, match=told):
        run("system_id", tmp_path, bag=str(tmp_path / "bag"), controller=str(path))


def test_the_gap_of_the_true_arm_is_the_noise(bag, tmp_path):
    path = tmp_path / "sim_params.yaml"
    path.write_text(write_sim_params(samples.arm(samples.TRUE), samples.robot()))
    told = run("gap", tmp_path, bag=bag, sim_params=str(path))
    gap = json.loads((tmp_path / "out" / "report.json").read_text())["gap"]
    assert gap["identified"]["rmse_rad"] == pytest.approx(samples.NOISE_RAD, rel=0.1)
    assert gap["nominal"]["rmse_rad"] > 20.0 * samples.NOISE_RAD
    assert told[-1]["done"] == str(tmp_path / "out")
    stages = [t["progress"]["stage"] for t in told if "progress" in t]
    assert stages[0] == "reading"


def test_a_controller_file_stands_for_the_nominal_arm(bag, tmp_path):
    path = tmp_path / "controller.yaml"
    known = {"mode": "position", "kp": samples.KP, "kd": samples.KD, "gravity_compensation": True}
    path.write_text(yaml.safe_dump(known))
    run("gap", tmp_path, bag=bag, controller=str(path))
    gap = json.loads((tmp_path / "out" / "report.json").read_text())["gap"]
    assert set(gap) == {"nominal"}


def test_ctrl_c_after_the_fit_keeps_its_result(bag, tmp_path):
    controller = tmp_path / "controller.yaml"
    known = {"mode": "position", "kp": samples.KP, "kd": samples.KD, "gravity_compensation": True}
    controller.write_text(yaml.safe_dump(known))

    def tell(told):
        if told.get("progress", {}).get("stage") == "report":
            raise KeyboardInterrupt

    given = {"bag": bag, "controller": str(controller), "fit": "payload/mass delay_s"}
    JOBS["system_id"]({"output": str(tmp_path / "out"), **given}, tell)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["parameters"]["payload/mass"]["identifiable"]


def test_that_nothing_absolute_can_be_known_is_said_before_the_fit(bag, tmp_path):
    given = {"bag": bag, "use_effort": False, "fit": "delay_s", "max_steps": 1}
    told = run("system_id", tmp_path, **given)
    (said,) = (i for i, t in enumerate(told) if "controller:=" in t.get("say", ""))
    begun = min(i for i, t in enumerate(told) if t.get("progress", {}).get("stage") == "fit")
    assert said < begun


def test_what_is_fitted_is_not_held_out(bag, tmp_path):
    for held_out in (bag, f"{bag}/../arm", f"{bag}/arm.mcap"):
        with pytest.raises(ConfigError, match="which is fitted: give a bag of other motion"):
            run("system_id", tmp_path, bag=bag, held_out=held_out)
    one, other = f"{bag}/arm_0.mcap", f"{bag}/arm_1.mcap"
    assert SystemIdParameters(bag=one, held_out=other, output="out").held_out == other


class TestDescribedRobot:
    def read(self, description):
        base = samples.record({}, 0.1)
        return lambda robot: dataclasses.replace(base, robot_description=description)

    def test_the_description_in_the_bag_wins_over_the_robots_own(self):
        lighter = samples.robot().urdf_text.replace('value="4.970684"', 'value="4.5"')
        assert lighter != samples.robot().urdf_text
        robot, _ = described_robot("panda", "", self.read(lighter))
        assert 'value="4.5"' in robot.urdf_text

    def test_efforts_are_judged_by_the_description_in_the_bag(self, tmp_path):
        mount = '<joint name="mount" type="fixed"><origin rpy="3.14159265 0 0"/>'
        mount += '<parent link="ceiling"/><child link="panda_link0"/></joint><link name="ceiling"/>'
        hanging = samples.robot().urdf_text.replace("</robot>", f"{mount}</robot>")
        path = tmp_path / "hanging.urdf"
        path.write_text(hanging)
        base = samples.record({}, 2.5)
        effort = holding_efforts(load_robot("panda", urdf=str(path)), base.position_rad)
        samples.write_bag(dataclasses.replace(base, effort_nm=effort), tmp_path / "bag")

        def read(robot):
            found = read_recording(tmp_path / "bag", robot.joint_names, robot=robot)
            return dataclasses.replace(found, robot_description=hanging)

        _, recording = described_robot("panda", "", read)
        assert recording.effort_nm is not None
        assert "effort_sign" not in {defect.kind for defect in recording.defects}

    def test_without_one_the_robot_is_that_of_the_catalogue(self):
        robot, _ = described_robot("panda", "", self.read(""))
        assert robot.urdf_text == samples.robot().urdf_text

    def test_one_that_cannot_be_used_is_named_with_the_remedy(self):
        with pytest.raises(RobotError, match=r"robot_description in bags/.*urdf:=FILE"):
            described_robot("panda", "", self.read("<robot"))
