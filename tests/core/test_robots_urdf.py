import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.errors import RobotError
from sinew_core.robots.urdf import chain_between, parse_urdf, rotation_from_rpy

# Two hinges about z and y with a bent fixed link between them, and a gripper behind the tool.
ARM = """
<robot name="arm">
  <link name="base"/> <link name="upper"/> <link name="bend"/> <link name="lower"/>
  <link name="tool"/> <link name="finger"/>
  <joint name="turn" type="revolute">
    <parent link="base"/> <child link="upper"/> <origin xyz="0 0 1"/> <axis xyz="0 0 1"/>
    <limit lower="-1" upper="2" velocity="3" effort="4"/>
  </joint>
  <joint name="elbow_mount" type="fixed">
    <parent link="upper"/> <child link="bend"/>
    <origin xyz="0.5 0 0" rpy="0 0 1.5707963267948966"/>
  </joint>
  <joint name="elbow" type="continuous">
    <parent link="bend"/> <child link="lower"/> <axis xyz="0 2 0"/>
  </joint>
  <joint name="mount" type="fixed">
    <parent link="lower"/> <child link="tool"/> <origin xyz="0.25 0 0"/>
  </joint>
  <joint name="grip" type="prismatic">
    <parent link="tool"/> <child link="finger"/> <axis xyz="1 0 0"/>
    <limit lower="0" upper="0.1" velocity="1" effort="1"/>
  </joint>
</robot>
"""


def chain_of(text, base="base", tool="tool"):
    return chain_between(parse_urdf(text, "arm.urdf"), base, tool)


def test_fixed_joints_are_folded_into_the_chain():
    chain, joints = chain_of(ARM)
    assert [joint.name for joint in joints] == ["turn", "elbow"]
    # From (0, 0, 1): 0.5 along x, then turned by 90 degrees: 0.25 along y.
    assert chain.tool_position([0.0, 0.0]) == pytest.approx([0.5, 0.25, 1.0])
    # The elbow's axis y points along -x of the base: by 90 degrees its x goes down.
    assert chain.tool_position([0.0, math.pi / 2]) == pytest.approx([0.5, 0.0, 0.75])
    # The first joint turns all of it: (0.5, 0.25) becomes (-0.25, 0.5).
    assert chain.tool_position([math.pi / 2, 0.0]) == pytest.approx([-0.25, 0.5, 1.0])


def test_axes_are_made_unit_vectors():
    chain, _ = chain_of(ARM)
    assert chain.axes.tolist() == [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]


def test_a_joint_without_axis_turns_about_x_as_urdf_says():
    chain, _ = chain_of(ARM.replace('<axis xyz="0 2 0"/>', ""))
    assert chain.axes[1].tolist() == [1.0, 0.0, 0.0]


def test_limits_are_those_the_file_gives():
    _, joints = chain_of(ARM)
    assert joints[0].limits == {"lower": -1.0, "upper": 2.0, "velocity": 3.0, "effort": 4.0}
    assert joints[1].limits == {}


def test_roll_pitch_yaw_turn_about_fixed_axes_in_that_order():
    # Roll takes y to z; pitch takes z to x; yaw takes x to y: so y comes back to y.
    quarter = math.pi / 2
    turned = rotation_from_rpy((quarter, quarter, quarter)) @ np.array([0.0, 1.0, 0.0])
    assert turned == pytest.approx([0.0, 1.0, 0.0])


def test_root_and_leaf_are_found_where_they_are_unique():
    urdf = parse_urdf(ARM, "arm.urdf")
    assert (urdf.root(), urdf.leaf()) == ("base", "finger")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</robot>", "", r"arm.urdf does not parse as XML .* give a URDF file"),
        ('<robot name="arm">', "<robot>", None),
        ("robot", "model", r"root element <model>: expected <robot>"),
        ('child link="tool"', 'child link="tol"', r"unknown link 'tol': did you mean 'tool'\?"),
        ('child link="tool"', 'child link="upper"', r"'upper' hangs from two joints"),
        ('link name="bend"', 'link name="upper"', r"link names used twice: upper"),
        ('name="elbow"', 'name="turn"', r"joint names used twice: turn"),
        ('type="continuous"', 'type="floating"', r"joint 'elbow' is floating: expected revolute"),
        ('xyz="0 2 0"', 'xyz="0 0 0"', r"joint 'elbow': axis \[0.0, 0.0, 0.0\]"),
        ('xyz="0 2 0"', 'xyz="0 2"', r"axis xyz is '0 2': expected three numbers"),
        ('xyz="0.25 0 0"', 'xyz="0.25 nan 0"', r"origin xyz is 'nan': expected a finite number"),
        ('xyz="0.25 0 0"', 'xyz="250 0 0"', r"offset of 250 m: allowed up to 100"),
        ('lower="-1"', 'lower="${x}"', r"limit lower is '\$\{x\}': expected a finite number"),
        (
            '<axis xyz="0 2 0"/>',
            '<mimic joint="turn"/>',
            r"'elbow' mimics another: .* make it fixed",
        ),
        ('<parent link="bend"/>', "", r"joint 'elbow' has no <parent link=...>: add it"),
    ],
)
def test_a_broken_file_is_refused_by_name_or_harmless(old, new, message):
    assert old in ARM
    text = ARM.replace(old, new)
    if message is None:
        assert chain_of(text)[0].n_joints == 2
        return
    with pytest.raises(RobotError, match=message):
        chain_of(text)


@pytest.mark.parametrize(
    ("base", "tool", "message"),
    [
        ("bse", "tool", r"base_link 'bse' is no link: did you mean 'base'\?"),
        ("base", "toll", r"tool_link 'toll' is no link: did you mean 'tool'\?"),
        ("tool", "base", r"no serial chain from 'tool' to 'base'.*choose a base_link above"),
        ("lower", "tool", r"no joint moves between 'lower' and 'tool'"),
        ("base", "base", r"no joint moves between 'base' and 'base'"),
        ("base", "finger", r"joint 'grip' is prismatic: .*choose a tool_link before it"),
    ],
)
def test_a_chain_that_cannot_be_driven_is_refused(base, tool, message):
    with pytest.raises(RobotError, match=message):
        chain_of(ARM, base, tool)


def test_a_loop_of_links_is_refused_not_followed_for_ever():
    loop = ARM.replace('<parent link="base"/>', '<parent link="lower"/>')
    with pytest.raises(RobotError, match="no serial chain"):
        chain_of(loop)


def test_several_leaves_ask_for_the_tool_link():
    two = ARM.replace('<parent link="tool"/>', '<parent link="lower"/>')
    with pytest.raises(RobotError, match="tool_link is needed: choose one of tool, finger"):
        parse_urdf(two, "arm.urdf").leaf()


@given(text=st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_arbitrary_text_raises_nothing_but_robot_error(text):
    with pytest.raises(RobotError, match=r"^arm.urdf"):
        parse_urdf(text, "arm.urdf")


def outcome(call):
    """Return (result, "") or (None, the message of the RobotError); let every other error pass."""
    try:
        return call(), ""
    except RobotError as error:
        return None, str(error)


GARBAGE = st.text(max_size=6) | st.floats().map(str) | st.sampled_from(["0 0 0", "1e308 1e308 1"])


@given(data=st.data())
def test_a_file_with_attributes_changed_or_removed_is_read_or_refused(data):
    root = ET.fromstring(ARM)
    elements = list(root.iter())
    for _ in range(data.draw(st.integers(1, 3))):
        element = data.draw(st.sampled_from(elements))
        if element.attrib:
            key = data.draw(st.sampled_from(sorted(element.attrib)))
            value = data.draw(st.none() | GARBAGE)
            element.attrib.pop(key)
            element.attrib.update({} if value is None else {key: value})
        else:
            element.tag = "other"
    result, message = outcome(lambda: chain_of(ET.tostring(root, encoding="unicode")))
    assert "\n" not in message
    if result is None:
        return
    chain, _ = result
    assert np.isfinite(chain.tool_position([0.3, 0.4])).all()
