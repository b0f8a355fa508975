"""A small arm whose distances are computed by hand, and parameters for collision tests."""

import math

import numpy as np

from sinew_core.robots import load_robot
from sinew_core.safety.parameters import SafetyParameters

# A planar arm, both axes along y: a ball at the base, shoulder 0.5 m above it, a ball 0.2 m up the
# first link, the elbow 0.4 m up, and a box 0.3 m up the second link, whose tool is 0.5 m up.
BALL = '<collision><geometry><sphere radius="0.1"/></geometry></collision>'
SMALL_BALL = (
    '<collision><origin xyz="0 0 0.2"/><geometry><sphere radius="0.05"/></geometry></collision>'
)
BRICK = '<origin xyz="0 0 0.3"/><geometry><box size="0.1 0.2 0.3"/></geometry>'
ARM = """<robot name="arm">
<link name="base">{base}</link>
<joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/>
  <origin xyz="0 0 0.5"/><axis xyz="0 1 0"/>
  <limit lower="-3.2" upper="3.2" velocity="1" effort="1"/></joint>
<link name="upper">{upper}</link>
<joint name="elbow" type="revolute"><parent link="upper"/><child link="lower"/>
  <origin xyz="0 0 0.4"/><axis xyz="0 1 0"/>
  <limit lower="-3.2" upper="3.2" velocity="1" effort="1"/></joint>
<link name="lower">{lower}</link>
<joint name="flange" type="fixed"><parent link="lower"/><child link="tool"/>
  <origin xyz="0 0 0.5"/></joint>
<link name="tool"/>
{more}</robot>"""
FINGER = """<joint name="grip" type="prismatic"><parent link="lower"/><child link="finger"/>
  <origin xyz="0 0 0.5"/><axis xyz="0 1 0"/></joint>
<link name="finger"><collision><geometry><sphere radius="0.05"/></geometry></collision></link>"""
ACROSS = (math.pi / 2, 0.0)
"""The arm along x, half a metre above the floor."""


def arm(folder, base=BALL, upper=SMALL_BALL, lower=f"<collision>{BRICK}</collision>", more=""):
    text = ARM.format(base=base, upper=upper, lower=lower, more=more)
    (folder / "arm.urdf").write_text(text)
    box = "{lower: [0.2, -0.1, 0.2], upper: [0.4, 0.1, 0.4]}"
    (folder / "arm.yaml").write_text(
        f"name: arm\nurdf: arm.urdf\ntool_link: tool\nreach_box_m: {box}\n"
    )
    return load_robot(str(folder / "arm.yaml"))


def only(**wanted):
    return SafetyParameters(**{"self_collision": False, "floor": False, **wanted})


def everything(**wanted):
    return SafetyParameters(
        workspace_lower_m=(-0.5, -0.6, 0.0),
        workspace_upper_m=(0.8, 0.7, 1.1),
        forbidden_boxes_m=(0.5, -1.0, 0.0, 1.0, -0.3, 0.4, -1.0, 0.5, 0.2, -0.3, 0.9, 0.8),
        **wanted,
    )


def postures(robot, n, seed):
    rng = np.random.default_rng(seed)
    lower, upper = robot.limits.position_lower_rad, robot.limits.position_upper_rad
    return rng.uniform(lower, upper, (n, robot.n_joints)).tolist()
