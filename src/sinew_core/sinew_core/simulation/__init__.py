"""Physics engines behind one small interface; an engine's library is imported when it is made."""

from __future__ import annotations

from sinew_core.errors import ConfigError, suggest
from sinew_core.robots.model import RobotModel
from sinew_core.simulation.engine import Engine
from sinew_core.simulation.tabletop import Tabletop

__all__ = ["ENGINE_NAMES", "Engine", "make_engine"]

ENGINE_NAMES = ("pybullet", "mujoco")


def make_engine(
    name: str, robot: RobotModel, physics_rate_hz: int, tabletop: Tabletop | None = None
) -> Engine:
    """Start the engine called `name` with one arm in it, and what stands before the arm.

    Raises:
        ConfigError: the name is unknown, or the engine's library is not installed.
    """
    if physics_rate_hz <= 0:
        raise ConfigError(f"physics_rate_hz is {physics_rate_hz}: expected a positive number")
    try:
        if name == "pybullet":
            from sinew_core.simulation.pybullet_engine import PyBulletEngine

            return PyBulletEngine(robot, physics_rate_hz, tabletop)
        if name == "mujoco":
            from sinew_core.simulation.mujoco_engine import MujocoEngine

            return MujocoEngine(robot, physics_rate_hz, tabletop)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("sinew"):
            raise
        other = "mujoco" if name == "pybullet" else "pybullet"
        raise ConfigError(
            f"engine '{name}' needs the Python module '{error.name}', which is not installed: "
            f"install it or choose engine '{other}'"
        ) from error
    raise ConfigError(f"engine is '{name}': {suggest(name, ENGINE_NAMES)}")
