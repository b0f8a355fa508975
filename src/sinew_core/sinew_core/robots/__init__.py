"""Robots: limits, URDF, kinematics and the catalogue; needs NumPy and PyYAML only."""

from sinew_core.robots.catalogue import load_robot, robot_names
from sinew_core.robots.kinematics import KinematicChain
from sinew_core.robots.limits import JointLimits
from sinew_core.robots.model import Box, RobotModel

__all__ = ["Box", "JointLimits", "KinematicChain", "RobotModel", "load_robot", "robot_names"]
