"""An arm's joint controllers in an engine: what they make of commands, step by step."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence

import numba
import numpy as np

from sinew_core.robots import dynamics
from sinew_core.robots.arm_controller import MODES, ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.robots.reach import work_postures
from sinew_core.robots.sim_params import SimParams
from sinew_core.simulation import arm_control, joint_equations
from sinew_core.simulation.arm_control import (
    LONG_AGO_S,
    Signal,
    check_stability,
    control_rows,
    resting_integral,
)
from sinew_core.simulation.compiling import register_dynamics, sources_hash
from sinew_core.simulation.joint_equations import matrix, tuple_of, vector

_LENGTH = 64
"""Commands that are kept: at the beginning, and more of them where more are on their way."""


class ControllerLaw:
    """The controllers of one copy of an arm, with the commands that are on their way to them."""

    def __init__(
        self,
        robot: RobotModel,
        arm: ArmDynamics,
        controller: ArmController,
        physics_rate_hz: int,
        command_period_s: float,
    ) -> None:
        """Prepare for one copy; a linear hold takes the command period from one to the next.

        Raises:
            ConfigError: for wrong gains, or gains too high for the physics rate.
        """
        self._robot, self._params = robot, SimParams(dynamics=arm, controller=controller)
        self._rows = control_rows(robot, controller, arm)
        check_stability(robot, arm, self._rows, physics_rate_hz, work_postures(robot))
        self._mode = MODES.index(controller.mode)
        self._compensated = controller.gravity_compensation
        nominal = (np.array(row) for row in dynamics.dynamics_rows(robot))
        self._model = (*nominal, self._rows, self._mode, self._compensated)
        self._period_s = 1.0 / physics_rate_hz
        self._rise_s = command_period_s if controller.hold == "linear" else 0.0
        self._delay_s = arm.delay_s
        self._signal = _empty_signal(_LENGTH, robot.n_joints)
        self._integral = np.zeros(robot.n_joints)
        self._kernel = _kernel()
        self._count = self._index = self._steps = 0
        self._in_force = True
        self.reset(robot.home_rad)

    def reset(self, position_rad: Array) -> None:
        """Rest at (n,) rad, as `Plant.roll_out` does, without a command on its way."""
        self._steps = 0
        self._in_force = True
        self._rest(position_rad)

    def send(self, command: Sequence[float] | Array, after_s: float = 0.0) -> None:
        """Take a command (n,), sent so long after the beginning of the step that is next."""
        times, starts, ends, rises = self._signal
        if self._count == times.size:
            self._make_room()
            times, starts, ends, rises = self._signal
        k = self._count
        times[k] = max(self._steps * self._period_s + after_s, times[k - 1])
        risen = rises[k - 1]
        share = min(1.0, (times[k] - times[k - 1]) / risen) if risen else 1.0
        starts[k] = starts[k - 1] + share * (ends[k - 1] - starts[k - 1])
        ends[k], rises[k] = command, self._rise_s
        self._count += 1

    def take_over(self) -> None:
        """Let something else drive the arm until a command arrives; those on their way are lost."""
        self._in_force = False
        self._count = 1

    def drives(self, position_rad: Array) -> bool:
        """Tell whether the controllers drive the arm, at (n,) rad, in the step that is next.

        Where they do not, that step goes by; where they do, `write_efforts` has to follow.
        """
        if self._in_force:
            return True
        end_s = (self._steps + 1) * self._period_s - self._delay_s
        if self._count > 1 and self._signal[0][1] < end_s:
            self._in_force = True
            self._rest(position_rad, self._count)
            return True
        self._steps += 1
        return False

    def write_efforts(self, position: Array, velocity: Array, out: Array) -> None:
        """Write the motors' efforts (n,) N m of the step that is next, and go on to the one after.

        Args:
            position: (n,) rad at its beginning.
            velocity: (n,) rad/s.
            out: written.
        """
        self._index = self._kernel(
            *self._model,
            self._signal,
            self._count,
            self._index,
            self._steps * self._period_s - self._delay_s,
            self._period_s,
            position,
            velocity,
            self._integral,
            out,
        )
        self._steps += 1

    def _rest(self, position_rad: Array, count: int = 1) -> None:
        """Rest at (n,) rad until a command arrives, of which `count` less one are on their way."""
        times, starts, ends, rises = self._signal
        times[0], rises[0] = LONG_AGO_S, 0.0
        starts[0] = ends[0] = position_rad if self._mode == arm_control.POSITION else 0.0
        self._count, self._index = count, 0
        if count > 1:
            starts[1] = ends[0]
        if self._mode == arm_control.VELOCITY:
            self._integral[:] = resting_integral(
                self._robot, self._params, self._rows, position_rad
            )

    def _make_room(self) -> None:
        """Drop the commands that have done their work, or keep more."""
        if self._index > 0:
            left = slice(self._index, self._count)
            for values in self._signal:
                values[: self._count - self._index] = values[left].copy()
            self._count, self._index = self._count - self._index, 0
            return
        longer = _empty_signal(2 * self._count, self._robot.n_joints)
        for values, more in zip(self._signal, longer, strict=True):
            more[: self._count] = values
        self._signal = longer


def _empty_signal(length: int, n: int) -> Signal:
    return np.zeros(length), np.zeros((length, n)), np.zeros((length, n)), np.zeros(length)


_SIGNATURE = numba.intp(
    *[vector, vector, vector, matrix, numba.intp, numba.boolean],
    *[tuple_of((vector, matrix, matrix, vector)), numba.intp, numba.intp],
    *[numba.float64, numba.float64, vector, vector, vector, vector],
)


@functools.cache
def _kernel() -> Callable[..., int]:
    """Compile the controllers with all that they call, whose files numba's cache does not know."""
    register_dynamics()
    sources = sources_hash(arm_control, joint_equations, sys.modules[__name__])
    commanded, write_weight = arm_control.commanded_efforts, joint_equations.write_weight

    def control(
        chain: Array, bodies: Array, gravity: Array, rows: Array, mode: int, compensated: bool,
        signal: Signal, count: int, index: int, begin_s: float, period_s: float,
        position: Array, velocity: Array, integral: Array, motor: Array,
    ) -> int:  # fmt: skip
        sources  # noqa: B018 - see above
        n = position.size
        weight, wanted = np.zeros(n), np.empty(n)
        if compensated:
            write_weight(chain, bodies, gravity, position, weight)
        return commanded(
            mode, rows, signal, count, index, begin_s, period_s, position, velocity, weight,
            integral, wanted, motor,
        )  # fmt: skip

    kernel: Callable[..., int] = numba.njit(_SIGNATURE, cache=True)(control)
    return kernel
