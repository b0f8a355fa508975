import math
import subprocess
import sys

import mujoco
import numpy as np
import pybullet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sinew_core.errors import RobotError
from sinew_core.robots import KinematicChain, load_robot, robot_names
from sinew_core.robots.compiled import compiled_tool_position

ROBOTS = {name: load_robot(name) for name in robot_names()}
ANGLES = hnp.arrays(np.float64, 7, elements=st.floats(-3.1, 3.1))


def random_postures(robot, n):
    rng = np.random.default_rng(1)
    lower, upper = robot.limits.position_lower_rad, robot.limits.position_upper_rad
    return rng.uniform(lower, upper, size=(n, robot.n_joints))


def test_panda_stretched_out_is_as_tall_as_its_published_lengths():
    # Up 0.333 + 0.316 + 0.384; the flange hangs down 0.107 at x = 0.088, and the hand's TCP 0.1034
    # below it.
    tool = ROBOTS["panda"].chain.tool_position(np.zeros(7))
    assert tool == pytest.approx([0.088, 0.0, 1.033 - 0.107 - 0.1034], abs=1e-12)


def test_panda_hand_at_home_points_down_and_is_square_to_the_base():
    # q2 - q4 - q6 = -45 + 135 - 90 = 0 degrees keeps the hand vertical; q7's 45 degrees undo the
    # hand's -45, so its x axis is the base's.
    pose = ROBOTS["panda"].chain.tool_pose(ROBOTS["panda"].home_rad)
    assert pose[:3, :3] == pytest.approx(np.diag([1.0, -1.0, -1.0]), abs=1e-12)


def test_iiwa_stretched_out_is_as_tall_as_its_published_lengths():
    tool = ROBOTS["iiwa14"].chain.tool_position(np.zeros(7))
    assert tool == pytest.approx([0.0, 0.0, 0.36 + 0.42 + 0.4 + 0.126], abs=1e-12)


def test_iiwa_at_home_is_where_its_three_lengths_put_it():
    # Tilted by 25 degrees, the elbow bent by another 90, the flange pointing straight down.
    tilt, bend = math.radians(25.0), math.radians(115.0)
    x = 0.42 * math.sin(tilt) + 0.4 * math.sin(bend)
    z = 0.36 + 0.42 * math.cos(tilt) + 0.4 * math.cos(bend) - 0.126
    tool = ROBOTS["iiwa14"].chain.tool_position(ROBOTS["iiwa14"].home_rad)
    assert tool == pytest.approx([x, 0.0, z], abs=1e-12)


def test_iiwa7_stretched_out_is_as_tall_as_its_published_lengths():
    tool = ROBOTS["iiwa7"].chain.tool_position(np.zeros(7))
    assert tool == pytest.approx([0.0, 0.0, 0.34 + 0.4 + 0.4 + 0.126], abs=1e-12)


def test_fr3_stretched_out_is_as_tall_as_its_published_lengths():
    tool = ROBOTS["fr3"].chain.tool_position(np.zeros(7))
    assert tool == pytest.approx([0.088, 0.0, 1.033 - 0.107 - 0.1034], abs=1e-12)


def test_ur5e_at_zero_lies_along_x_as_its_published_parameters_say():
    # Upper and lower arm level, 0.0997 down to the flange, whose face looks along y.
    pose = ROBOTS["ur5e"].chain.tool_pose(np.zeros(6))
    expected = [0.425 + 0.3922, 0.1333 + 0.0996, 0.1625 - 0.0997]
    assert pose[:3, 3] == pytest.approx(expected, abs=1e-12)
    assert pose[:3, 2] == pytest.approx([0.0, 1.0, 0.0], abs=1e-12)


def test_ur5e_at_home_points_its_flange_down_ahead_of_the_base():
    pose = ROBOTS["ur5e"].chain.tool_pose(ROBOTS["ur5e"].home_rad)
    expected = [0.3922 + 0.0997, 0.1333, 0.1625 + 0.425 - 0.0996]
    assert pose[:3, 3] == pytest.approx(expected, abs=1e-12)
    assert pose[:3, 2] == pytest.approx([0.0, 0.0, -1.0], abs=1e-12)


def test_xarm7_at_zero_is_where_its_manual_says():
    # (206, 0, 120.5) mm: the flange hangs down from 0.267 + 0.293.
    pose = ROBOTS["xarm7"].chain.tool_pose(np.zeros(7))
    assert pose[:3, 3] == pytest.approx([0.206, 0.0, 0.1205], abs=1e-12)
    assert pose[:3, 2] == pytest.approx([0.0, 0.0, -1.0], abs=1e-12)


def test_gen3_stretched_out_is_as_tall_as_the_lengths_of_its_user_guide():
    pose = ROBOTS["gen3"].chain.tool_pose(np.zeros(7))
    height = 0.2848 + 0.4208 + 0.3144 + 0.1674
    assert pose[:3, 3] == pytest.approx([0.0, -0.0249, height], abs=2e-4)
    assert pose[:3, 2] == pytest.approx([0.0, 0.0, 1.0], abs=1e-9)


@pytest.mark.parametrize("name", ROBOTS)
def test_the_tool_points_down_at_home(name):
    chain = ROBOTS[name].chain
    assert chain.tool_pose(ROBOTS[name].home_rad)[2, 2] == pytest.approx(-1.0, abs=1e-12)


@pytest.mark.parametrize("name", ROBOTS)
def test_poses_agree_with_mujoco(name):
    robot = ROBOTS[name]
    options = '<mujoco><compiler fusestatic="false"/></mujoco>'
    model = mujoco.MjModel.from_xml_string(
        robot.urdf_text.replace("</robot>", options + "</robot>")
    )
    data = mujoco.MjData(model)
    for q in random_postures(robot, 20):
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        pose = robot.chain.tool_pose(q)
        assert pose[:3, 3] == pytest.approx(data.body(robot.tool_link).xpos, abs=1e-9)
        assert pose[:3, :3].ravel() == pytest.approx(data.body(robot.tool_link).xmat, abs=1e-9)


@pytest.fixture
def client():
    connection = pybullet.connect(pybullet.DIRECT)
    yield connection
    pybullet.disconnect(connection)


@pytest.mark.parametrize("name", ROBOTS)
def test_positions_agree_with_pybullet(name, client, tmp_path):
    robot = ROBOTS[name]
    path = tmp_path / "robot.urdf"
    path.write_text(robot.urdf_text)
    body = pybullet.loadURDF(str(path), useFixedBase=True, physicsClientId=client)
    infos = [
        pybullet.getJointInfo(body, j, client) for j in range(pybullet.getNumJoints(body, client))
    ]
    index = {info[1].decode(): info[0] for info in infos}
    tool = next(info[0] for info in infos if info[12].decode() == robot.tool_link)
    for q in random_postures(robot, 20):
        for joint, angle in zip(robot.joint_names, q, strict=True):
            pybullet.resetJointState(body, index[joint], angle, physicsClientId=client)
        state = pybullet.getLinkState(
            body, tool, computeForwardKinematics=True, physicsClientId=client
        )
        # PyBullet keeps the fixed transforms in single precision.
        assert robot.chain.tool_position(q) == pytest.approx(state[4], abs=1e-6)


@pytest.mark.parametrize("name", ROBOTS)
@given(q=ANGLES)
def test_position_and_pose_agree(name, q):
    chain = ROBOTS[name].chain
    q = q[: chain.n_joints]
    assert chain.tool_position(q) == pytest.approx(chain.tool_pose(q)[:3, 3], abs=1e-12)


@pytest.mark.parametrize("name", ROBOTS)
@given(q=ANGLES)
@settings(max_examples=20)
def test_jacobian_is_the_derivative_of_the_pose(name, q):
    chain = ROBOTS[name].chain
    q = q[: chain.n_joints]
    jacobian = chain.jacobian(q)
    h = 1e-6
    for j in range(chain.n_joints):
        step = np.zeros(chain.n_joints)
        step[j] = h
        ahead, behind = chain.tool_pose(q + step), chain.tool_pose(q - step)
        rate = (ahead - behind) / (2.0 * h)
        assert jacobian[:3, j] == pytest.approx(rate[:3, 3], abs=1e-8)
        # The skew matrix of the angular velocity is the rotation's derivative times its transpose.
        skew = rate[:3, :3] @ chain.tool_pose(q)[:3, :3].T
        assert jacobian[3:, j] == pytest.approx([skew[2, 1], skew[0, 2], skew[1, 0]], abs=1e-8)


@pytest.mark.parametrize("name", ROBOTS)
def test_compiled_positions_equal_plain_ones_to_the_last_bit(name):
    robot = ROBOTS[name]
    compiled = compiled_tool_position(robot.chain)
    out = np.empty(3)
    for q in random_postures(robot, 500):
        compiled(q, out)
        assert out.tolist() == list(robot.chain.tool_xyz(q.tolist()))


AXES = hnp.arrays(np.float64, 3, elements=st.floats(-1.0, 1.0)).filter(
    lambda axis: np.linalg.norm(axis) > 0.1
)


@given(axis=AXES, angle=st.floats(-3.0, 3.0))
def test_a_joint_about_any_axis_leaves_that_axis_where_it_is(axis, angle):
    tool = np.eye(4)
    tool[:3, 3] = axis
    chain = KinematicChain(origins=np.eye(4)[None], axes=axis[None], tool=tool)
    assert chain.tool_position([angle]) == pytest.approx(axis, abs=1e-12)
    assert chain.jacobian([angle])[3:, 0] == pytest.approx(axis / np.linalg.norm(axis), abs=1e-12)


def test_a_joint_about_minus_z_turns_clockwise():
    tool = np.eye(4)
    tool[0, 3] = 1.0
    chain = KinematicChain(origins=np.eye(4)[None], axes=np.array([[0.0, 0.0, -1.0]]), tool=tool)
    assert chain.tool_position([math.pi / 2]) == pytest.approx([0.0, -1.0, 0.0], abs=1e-15)


def test_a_wrong_number_of_joint_positions_is_refused():
    with pytest.raises(ValueError, match="6 joint positions: the chain has 7 joints"):
        ROBOTS["panda"].chain.tool_position(np.zeros(6))


@pytest.mark.parametrize("axis", [[0.0, 0.0, 0.0], [math.nan, 0.0, 1.0], [1.0, 0.0]])
def test_a_chain_with_an_impossible_axis_is_refused(axis):
    with pytest.raises(RobotError, match="kinematic chain"):
        KinematicChain(origins=np.eye(4)[None], axes=np.array([axis]), tool=np.eye(4))


def test_robots_load_with_numpy_and_yaml_alone():
    heavy = ("torch", "pybullet", "mujoco", "numba", "gymnasium", "scipy")
    code = (
        "import sys; from sinew_core.robots import load_robot; load_robot('panda');"
        f"sys.exit(','.join(m for m in {heavy} if m in sys.modules) or None)"
    )
    path = {"PYTHONPATH": ":".join(p for p in sys.path if p)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
