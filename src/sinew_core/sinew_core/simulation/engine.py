"""What every physics engine offers to the environment and to the simulated driver."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sinew_core.errors import ConfigError
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel

STOP_CORRECTION = 0.2
"""Share of a joint's way into its stop that is corrected per physics step, in every engine."""


class Engine(Protocol):
    """One arm, fixed to its base, under gravity.

    Unless `set_dynamics` says otherwise it is the nominal one: without friction, with ideal drives.
    With a tabletop there is an object on a table, and a ball at the tool touches it; nothing else
    touches anything.

    Physics advances in steps of 1 / physics_rate_hz by semi-implicit Euler. Position limits are
    physical stops. The same calls give bit-equal states, and after `reset` the future depends on
    the reset state alone.
    """

    robot: RobotModel
    physics_rate_hz: int

    def set_dynamics(
        self,
        dynamics: ArmDynamics | None,
        controller: ArmController | None = None,
        command_period_s: float = 0.0,
    ) -> None:
        """Simulate another copy of the arm, or the nominal one again; `reset` has to follow.

        Masses, payload, friction, armature and motor strength take effect. What is said below of
        drives and efforts holds for commands; the drive gives its share of them. The gravity effort
        stays that of the nominal arm, since no controller knows better.

        With a controller the arm has joint controllers of its own, which run at the physics rate
        and get commands `delay_s` after they were sent; what is sent otherwise has no delay here. A
        linear hold goes from one command to the next in the command period.

        Raises:
            ConfigError: the controller's gains are wrong, or too high for the physics rate.
        """

    def reset(self, position_rad: Array, velocity_rad_s: Array | None = None) -> None:
        """Place the arm at (n,) rad, moving at (n,) rad/s or at rest, with the command to halt.

        An arm with controllers of its own is held by them: at its position, at no velocity, or
        without effort, and the integral of a velocity loop holds its weight.
        """

    def command_velocity(self, velocity_rad_s: Array) -> None:
        """Hold (n,) rad/s by an ideal velocity drive that saturates at `limits.effort_nm`.

        Raises:
            ConfigError: a value is not finite.
        """

    def command_effort(self, effort_nm: Array, *, gravity_compensation: bool) -> None:
        """Hold (n,) N m, clipped to `limits.effort_nm`, by torque-controlled motors.

        With gravity compensation every `step` call adds the gravity effort of the configuration at
        its start, which is then held over the call; the sum is clipped.

        Raises:
            ConfigError: a value is not finite.
        """

    def command_controllers(self, command: Array, *, after_s: float = 0.0) -> None:
        """Send a command (n,) in the mode of the arm's own controllers.

        It counts as sent so long after the beginning of the next physics step, before which it may
        lie too. The controllers drive the arm until another kind of command takes over, and from
        the arrival of one that is sent after that on.

        Raises:
            ConfigError: a value is not finite, or the arm has no controllers.
        """

    def step(self, n_steps: int) -> None:
        """Advance by `n_steps` physics steps under the held command."""

    def read_state(self, position_out: Array, velocity_out: Array, effort_out: Array) -> None:
        """Write (n,) rad, rad/s and the motors' effort in the last physics step, N m."""

    def gravity_effort(self, position_rad: Array) -> Array:
        """Return the (n,) N m that hold the nominal arm still at (n,) rad."""

    def tool_position(self) -> Array:
        """Return the (3,) m of the tool in the base frame by the engine's own kinematics."""

    def place_object(
        self, position_m: Array, heading_rad: float, velocity_m_s: Array | None = None
    ) -> None:
        """Place the object, its centre at (3,) m in the base frame, turned about z.

        It moves at (3,) m/s or is at rest. Every `reset` of an engine with a tabletop needs one.
        """

    def object_pose(self) -> tuple[float, ...]:
        """Return centre (x, y, z) m and unit quaternion (w, x, y, z) of the object, base frame."""

    def render(
        self, width: int, height: int, target_m: Array | Sequence[float] | None = None
    ) -> NDArray[np.uint8]:
        """Return a (height, width, 3) picture, with a target sphere at (3,) m if one is given.

        Every engine draws with PyBullet's software renderer, which needs no graphics driver.

        Raises:
            ConfigError: PyBullet is not installed.
        """

    def close(self) -> None:
        """Release the engine; it must not be used afterwards."""


def finite_list(robot: RobotModel, what: str, values: Array) -> list[float]:
    """Return a command as floats.

    Raises:
        ConfigError: the length is wrong or a value is not finite; the message names the joint.
    """
    numbers: list[float] = np.asarray(values, dtype=np.float64).tolist()
    if len(numbers) != robot.n_joints:
        raise ConfigError(f"{what} has {len(numbers)} values: {robot.name} has {robot.n_joints}")
    if not math.isfinite(sum(numbers)):
        for name, number in zip(robot.joint_names, numbers, strict=True):
            if not math.isfinite(number):
                raise ConfigError(f"{what} of joint '{name}' is {number}: expected a finite number")
    return numbers
