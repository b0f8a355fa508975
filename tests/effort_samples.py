"""An arm of one joint whose dynamics are known by heart, and arms under efforts."""

from __future__ import annotations

import numpy as np

from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.limits import JointLimits
from sinew_core.robots.model import Box, RobotModel
from sinew_core.robots.urdf import chain_between, parse_urdf
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.simulation import make_engine

PHYSICS_RATE_HZ = 500
INERTIA = 2.0
WHEEL = """<robot name="wheel"><link name="base"/><link name="wheel"><inertial><mass value="1"/>
<inertia ixx="1" iyy="1" izz="2" ixy="0" ixz="0" iyz="0"/></inertial></link>
<joint name="turn" type="revolute"><parent link="base"/><child link="wheel"/><axis xyz="0 0 1"/>
<limit lower="-1" upper="1" velocity="1" effort="100"/></joint></robot>"""


def wheel(effort_nm=100.0, effort_rate_nm_s=1e4) -> RobotModel:
    """Return a wheel of 2 kg m² about the vertical: effort = 2 kg m² x acceleration."""
    limits = JointLimits(
        position_lower_rad=[-1.0],
        position_upper_rad=[1.0],
        velocity_rad_s=[1.0],
        acceleration_rad_s2=[10.0],
        jerk_rad_s3=[1e4],
        effort_nm=[effort_nm],
        effort_rate_nm_s=[effort_rate_nm_s],
    )
    return RobotModel(
        name="wheel",
        joint_names=("turn",),
        limits=limits,
        home_rad=np.zeros(1),
        base_link="base",
        tool_link="wheel",
        urdf_text=WHEEL,
        chain=chain_between(parse_urdf(WHEEL, "wheel"), "base", "wheel")[0],
        reach_box=Box(lower_m=[-1, -1, -1], upper_m=[1, 1, 1]),
    )


EXACT = SafetyParameters(margin_rad=0.0, noise_rad=0.0, acceleration_scale=0.5)


class SimulatedArm:
    """An arm in an engine under efforts that are held for a filter period."""

    def __init__(self, engine_name, robot_name, rate_hz, gravity_compensation):
        self.robot = load_robot(robot_name)
        self.engine = make_engine(engine_name, self.robot, PHYSICS_RATE_HZ)
        self.steps = PHYSICS_RATE_HZ // rate_hz
        self.compensation = gravity_compensation
        self.position, self.velocity, self.effort = (
            np.zeros(self.robot.n_joints) for _ in range(3)
        )
        self.engine.reset(self.robot.home_rad)
        self.engine.read_state(self.position, self.velocity, self.effort)

    def move(self, effort):
        self.engine.command_effort(np.asarray(effort), gravity_compensation=self.compensation)
        self.engine.step(self.steps)
        self.engine.read_state(self.position, self.velocity, self.effort)

    def state(self):
        return self.position.tolist(), self.velocity.tolist()


def wishes(limits, rate_hz, cycles, style, seed):
    """Yield desired efforts (n,): held for 40 ms at random, or pushed hard with few turns."""
    rng = np.random.default_rng(seed)
    limit = limits.effort_nm
    wish, sign = np.zeros(limit.size), rng.choice([-1.0, 1.0], limit.size)
    for cycle in range(cycles):
        if style == "push":
            sign = np.where(rng.random(limit.size) < 2.0 / rate_hz, -sign, sign)
            wish = sign * limit
        elif cycle % (rate_hz // 25) == 0:
            wish = rng.uniform(-1.0, 1.0, limit.size) * limit
        yield wish
