import xml.etree.ElementTree as ET

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.errors import RobotError
from sinew_core.robots import Box, load_robot, robot_names
from sinew_core.robots.catalogue import parse_robot_file
from sinew_core.robots.reach import solve_position
from sinew_core.simulation.description import dynamics_of

NAMES = ("fr3", "gen3", "iiwa14", "iiwa7", "panda", "ur5e", "xarm7")

MASSES_KG = {
    # Panda: links 1 to 7 of the identified set 16.06, link 0 2.40, hand and fingers 0.71.
    "panda": 19.17,
    # Links 1 to 7 of franka_description 15.50, link 0 and hand as the Panda.
    "fr3": 18.60,
    "iiwa14": 29.9,
    "iiwa7": 23.90,
    # Base 4, arm 3.761 + 8.058 + 2.846 + 1.37 + 1.3 + 0.365.
    "ur5e": 21.70,
    # Base 0.886, then 2.382, 1.869, 1.638, 1.727, 1.320, 1.325 and 0.17.
    "xarm7": 11.32,
    # Base 1.697, then 1.377, 1.164, 1.164, 0.930, 0.678, 0.678 and 0.364.
    "gen3": 8.05,
}


def inertias(robot):
    """Yield (link, mass, inertia (3, 3)) of every link that has an inertial."""
    for link in ET.fromstring(robot.urdf_text).iter("link"):
        inertial = link.find("inertial")
        if inertial is not None:
            v = {k: float(x) for k, x in inertial.find("inertia").attrib.items()}
            xy, xz, yz = v["ixy"], v["ixz"], v["iyz"]
            matrix = [[v["ixx"], xy, xz], [xy, v["iyy"], yz], [xz, yz, v["izz"]]]
            yield link.get("name"), float(inertial.find("mass").get("value")), np.array(matrix)


def test_the_names_of_known_robots_are_listed():
    assert robot_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_known_robot_has_its_joints_and_its_home_well_inside_the_limits(name):
    robot = load_robot(name)
    assert robot.n_joints == (6 if name == "ur5e" else 7)
    assert (robot.home_rad > robot.limits.position_lower_rad + 0.3).all()
    assert (robot.home_rad < robot.limits.position_upper_rad - 0.3).all()
    assert robot.assumed_limits == ()


def test_panda_has_the_vendors_limits():
    limits = load_robot("panda").limits
    assert limits.position_lower_rad[3] == -3.0718
    assert limits.position_upper_rad[5] == 3.7525
    assert limits.velocity_rad_s.tolist() == [2.175] * 4 + [2.61] * 3
    assert limits.acceleration_rad_s2.tolist() == [15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0]
    assert limits.effort_nm.tolist() == [87.0] * 4 + [12.0] * 3


def test_iiwa14_has_the_vendors_limits():
    limits = load_robot("iiwa14").limits
    degrees = np.degrees(limits.position_upper_rad)
    assert degrees == pytest.approx([170, 120, 170, 120, 170, 120, 175])
    assert (limits.position_lower_rad == -limits.position_upper_rad).all()
    assert np.degrees(limits.velocity_rad_s) == pytest.approx([85, 85, 100, 75, 130, 135, 135])
    assert limits.effort_nm.tolist() == [320, 320, 176, 176, 110, 40, 40]


def test_iiwa7_has_the_vendors_limits():
    limits = load_robot("iiwa7").limits
    degrees = np.degrees(limits.position_upper_rad)
    assert degrees == pytest.approx([170, 120, 170, 120, 170, 120, 175])
    assert (limits.position_lower_rad == -limits.position_upper_rad).all()
    assert np.degrees(limits.velocity_rad_s) == pytest.approx([98, 98, 100, 130, 140, 180, 180])
    assert limits.effort_nm.tolist() == [176, 176, 110, 110, 110, 40, 40]


def test_ur5e_has_the_vendors_limits():
    limits = load_robot("ur5e").limits
    assert np.degrees(limits.position_upper_rad) == pytest.approx([360, 360, 180, 360, 360, 360])
    assert (limits.position_lower_rad == -limits.position_upper_rad).all()
    assert np.degrees(limits.velocity_rad_s) == pytest.approx([180] * 6)
    assert limits.effort_nm.tolist() == [150] * 3 + [28] * 3


def test_xarm7_has_the_vendors_limits():
    limits = load_robot("xarm7").limits
    degrees = np.degrees([limits.position_lower_rad, limits.position_upper_rad])
    assert degrees[0] == pytest.approx([-360, -118, -360, -11, -360, -97, -360], abs=0.05)
    assert degrees[1] == pytest.approx([360, 120, 360, 225, 360, 180, 360], abs=0.05)
    assert (np.degrees(limits.velocity_rad_s) < 180).all()
    assert (limits.acceleration_rad_s2 < 20.0).all()
    assert limits.effort_nm.tolist() == [50, 50, 30, 30, 30, 20, 20]


def test_fr3_stays_under_the_vendors_speeds_near_the_ends_of_its_range():
    # Franka Control Interface, "Limits for Franka Research 3": each joint's range and greatest
    # speed, which the rectangle of positions and speeds of the robot file lies within.
    limits = load_robot("fr3").limits
    lower = np.array([-2.7437, -1.7837, -2.9007, -3.0421, -2.8065, 0.5445, -3.0159])
    upper = np.array([2.7437, 1.7837, 2.9007, -0.1518, 2.8065, 4.5169, 3.0159])
    assert (limits.position_lower_rad > lower + 0.25).all()
    assert (limits.position_upper_rad < upper - 0.25).all()
    assert (limits.velocity_rad_s < [2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26]).all()
    assert (limits.acceleration_rad_s2 == 10.0).all()
    assert (limits.jerk_rad_s3 == 5000.0).all()


def test_gen3s_endless_joints_stay_within_the_turn_that_its_driver_reports():
    # A position is reported within -pi to pi; between two states at 100 Hz a joint turns by up to
    # 1.3963 / 100 = 0.014 rad, so that not even one that overshoots by that much jumps by a turn.
    limits = load_robot("gen3").limits
    for joint in (0, 2, 4, 6):
        assert limits.position_upper_rad[joint] == -limits.position_lower_rad[joint]
        assert limits.position_upper_rad[joint] + limits.velocity_rad_s[joint] / 100.0 < np.pi
    degrees = np.degrees(limits.position_upper_rad[[1, 3, 5]])
    assert degrees == pytest.approx([128.9, 147.8, 120.3], abs=0.6)
    assert np.degrees(limits.velocity_rad_s) == pytest.approx([80] * 4 + [70] * 3, abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_urdf_and_robot_file_give_the_same_limits(name, tmp_path):
    robot = load_robot(name)
    path = tmp_path / "robot.urdf"
    path.write_text(robot.urdf_text)
    bare = load_robot("custom", urdf=str(path), tool_link=robot.tool_link)
    for field in ("position_lower_rad", "position_upper_rad", "velocity_rad_s", "effort_nm"):
        ours, theirs = getattr(robot.limits, field), getattr(bare.limits, field)
        assert ours == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_every_inertia_belongs_to_a_rigid_body(name):
    found = list(inertias(load_robot(name)))
    assert len(found) > load_robot(name).n_joints
    for link, mass, matrix in found:
        least, middle, largest = np.linalg.eigvalsh(matrix)
        assert mass > 0.0, link
        assert least > 0.0, link
        assert largest <= least + middle, link


@pytest.mark.parametrize(("name", "mass_kg"), MASSES_KG.items())
def test_masses_add_up_to_the_published_ones(name, mass_kg):
    assert sum(mass for _, mass, _ in inertias(load_robot(name))) == pytest.approx(
        mass_kg, abs=0.01
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_point_of_the_reach_box_is_reachable_from_home(name):
    robot = load_robot(name)
    box = robot.reach_box
    grid = np.stack(np.meshgrid(*np.linspace(box.lower_m, box.upper_m, 5).T), axis=-1).reshape(
        -1, 3
    )
    rng = np.random.default_rng(7)
    for target in [*grid, *(box.sample(rng) for _ in range(100))]:
        q = solve_position(robot.chain, robot.limits, target, robot.home_rad, margin_rad=0.05)
        assert q is not None, target
        assert np.linalg.norm(robot.chain.tool_position(q) - target) <= 1e-3
        assert (q >= robot.limits.position_lower_rad + 0.05 - 1e-12).all()
        assert (q <= robot.limits.position_upper_rad - 0.05 + 1e-12).all()


def test_a_point_out_of_reach_has_no_solution():
    robot = load_robot("panda")
    target = np.array([1.5, 0.0, 0.3])
    assert solve_position(robot.chain, robot.limits, target, robot.home_rad) is None


def test_a_box_contains_its_samples_and_its_faces_but_nothing_outside():
    box = Box(lower_m=np.array([0.0, -1.0, 2.0]), upper_m=np.array([1.0, 1.0, 3.0]))
    rng = np.random.default_rng(0)
    assert all(box.contains(box.sample(rng)) for _ in range(100))
    assert box.contains([0.0, 1.0, 3.0])
    assert not box.contains([0.5, 0.0, 3.001])


def test_an_unknown_robot_is_refused_with_the_closest_name():
    with pytest.raises(RobotError, match=r"unknown robot 'pandas': did you mean 'panda'\?"):
        load_robot("pandas")


# A turret and an elbow, 1 m up and 0.6 m out, with one limit that does not contain 0.
URDF = """<robot name="two">
  <link name="base"/> <link name="upper"/> <link name="tip"/> <link name="tool"/>
  <joint name="one" type="revolute"> <parent link="base"/> <child link="upper"/>
    <origin xyz="0 0 1"/> <axis xyz="0 0 1"/> <limit lower="-2" upper="3" velocity="1" effort="10"/>
  </joint>
  <joint name="two" type="revolute"> <parent link="upper"/> <child link="tip"/>
    <origin xyz="0.3 0 0"/> <axis xyz="0 1 0"/> <limit lower="1" upper="2" velocity="2" effort="5"/>
  </joint>
  <joint name="end" type="fixed"> <parent link="tip"/> <child link="tool"/>
    <origin xyz="0.3 0 0"/>
  </joint>
</robot>"""
BOX = {"lower": [0.1, 0.1, 0.1], "upper": [0.2, 0.2, 0.2]}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "two.urdf").write_text(URDF)
    return tmp_path


def robot_file(folder, **content):
    path = folder / "two.yaml"
    path.write_text(
        yaml.safe_dump({"name": "two", "urdf": "two.urdf", "reach_box_m": BOX} | content)
    )
    return str(path)


def test_a_robot_file_takes_what_it_lacks_from_the_urdf_and_says_what_is_assumed(folder):
    robot = load_robot(robot_file(folder, limits={"jerk_rad_s3": [7.0, 8.0]}))
    assert robot.joint_names == ("one", "two")
    assert (robot.base_link, robot.tool_link) == ("base", "tool")
    assert robot.limits.velocity_rad_s.tolist() == [1.0, 2.0]
    assert robot.limits.jerk_rad_s3.tolist() == [7.0, 8.0]
    # Full speed in 0.5 s, full effort in 0.1 s.
    assert robot.limits.acceleration_rad_s2.tolist() == [2.0, 4.0]
    assert robot.limits.effort_rate_nm_s.tolist() == [100.0, 50.0]
    assert robot.assumed_limits == ("acceleration_rad_s2", "effort_rate_nm_s")


def test_home_is_zero_where_the_limits_allow_it_and_else_their_middle(folder):
    assert load_robot(robot_file(folder)).home_rad.tolist() == [0.0, 1.5]


def test_a_urdf_replaces_the_robot_files_own(folder, tmp_path):
    other = tmp_path / "longer.urdf"
    other.write_text(URDF.replace('xyz="0 0 1"', 'xyz="0 0 2"', 1))
    robot = load_robot(robot_file(folder), urdf=str(other))
    assert robot.chain.origins[0, 2, 3] == 2.0
    assert robot.name == "two"


def test_a_robot_that_only_a_urdf_describes_gets_a_box_it_can_reach(tmp_path):
    path = tmp_path / "arm.urdf"
    path.write_text(load_robot("iiwa14").urdf_text)
    robot = load_robot("custom", urdf=str(path))
    assert robot.tool_link == "lbr_link_ee"
    start = robot.home_rad + 0.3
    rng = np.random.default_rng(3)
    for _ in range(30):
        target = robot.reach_box.sample(rng)
        assert solve_position(robot.chain, robot.limits, target, start) is not None, target


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"jonts": ["one"]}, r"unknown key 'jonts': did you mean 'joints'\?"),
        ({"name": ""}, "name is missing"),
        ({"urdf": ""}, "urdf is missing"),
        ({"urdf": "none.urdf"}, "URDF .*none.urdf cannot be read .*check the path"),
        ({"joints": ["two", "one"]}, "joints from 'base' to 'tool' are one, two: .*lists two, one"),
        ({"joints": "one"}, "joints is 'one': expected a list of names"),
        ({"home_rad": [0.0]}, "2 joints .* but home_rad for 1"),
        ({"home_rad": [0.0, 0.5]}, "home_rad of two is 0.5: allowed 1 to 2"),
        (
            {"limits": {"velocity": [1.0]}},
            r"unknown limit 'velocity': did you mean 'velocity_rad_s'",
        ),
        ({"limits": {"velocity_rad_s": None}}, "velocity_rad_s is None: expected a list"),
        ({"reach_box_m": {"lower": [0, 0, 0]}}, "reach_box_m is .*expected a mapping with lower"),
        ({"reach_box_m": BOX | {"lower": [1, 1, 1]}}, "box from .* the lower below the upper"),
        ({"tool_link": "tol"}, r"tool_link 'tol' is no link: did you mean 'tool'\?"),
    ],
)
def test_a_robot_file_with_a_mistake_is_refused_with_a_remedy(folder, content, message):
    with pytest.raises(RobotError, match=message):
        load_robot(robot_file(folder, **content))


def test_limits_that_nobody_gives_are_asked_for(folder):
    text = URDF.replace('type="revolute"', 'type="continuous"', 1)
    (folder / "two.urdf").write_text(text)
    with pytest.raises(RobotError, match=r"no lower limit for one: .*robot .yaml with limits: pos"):
        load_robot("custom", urdf=str(folder / "two.urdf"))


def test_a_continuous_joint_has_the_range_of_the_robot_file_in_the_engines_too(folder):
    mass = '<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/>'
    text = URDF.replace('type="revolute"', 'type="continuous"', 1)
    for link in ("upper", "tip"):
        text = text.replace(
            f'<link name="{link}"/>', f'<link name="{link}">{mass}</inertial></link>'
        )
    (folder / "two.urdf").write_text(text)
    limits = {"position_lower_rad": [-3.0, 1.0], "position_upper_rad": [3.0, 2.0]}
    robot = load_robot(robot_file(folder, limits=limits))
    assert robot.limits.position_lower_rad.tolist() == [-3.0, 1.0]
    joint = ET.fromstring(dynamics_of(robot).urdf_text).find("joint")
    assert joint.get("type") == "revolute"
    assert (joint.find("limit").get("lower"), joint.find("limit").get("upper")) == ("-3.0", "3.0")


def test_custom_without_a_urdf_is_refused():
    with pytest.raises(RobotError, match="'custom' needs a URDF"):
        load_robot("custom")


def test_an_arm_with_no_box_to_reach_asks_for_one(folder):
    # Two joints move the tool on a surface: no box has all its points on it.
    with pytest.raises(RobotError, match="give reach_box_m"):
        load_robot("custom", urdf=str(folder / "two.urdf"))


@given(text=st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_an_arbitrary_robot_file_raises_nothing_but_robot_error(text):
    with pytest.raises(RobotError, match=r"^a file"):
        parse_robot_file(text, "a file")


def outcome(call):
    """Return (result, "") or (None, the message of the RobotError); let every other error pass."""
    try:
        return call(), ""
    except RobotError as error:
        return None, str(error)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=4), SCALARS)
KEYS = ("name", "urdf", "base_link", "tool_link", "joints", "home_rad", "limits", "reach_box_m")


@given(content=st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1))
def test_a_robot_file_with_arbitrary_values_is_read_or_refused(content):
    file, message = outcome(lambda: parse_robot_file(yaml.safe_dump(content), "a file"))
    if file is None:
        assert message.startswith("a file")
    else:
        assert file.name == content["name"]
