"""The filter of effort commands for one arm, in plain Python floats: what the safety node runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sinew_core.robots.dynamics import dynamics_rows
from sinew_core.safety.closest_effort import N_MATRICES, N_VECTORS
from sinew_core.safety.constants import effort_constants
from sinew_core.safety.effort_cycle import predict_state, reset_effort, step_effort
from sinew_core.safety.effort_equations import (
    COMMAND,
    LATENESS,
    N_STATE,
    REST_RAD_S,
    UNSEEN,
)
from sinew_core.safety.filter import ArmFilter, FilterResult
from sinew_core.safety.parameters import SafetyParameters

if TYPE_CHECKING:
    from sinew_core.robots.model import RobotModel


class EffortFilter(ArmFilter):
    """Change efforts so that the arm keeps its limits: best effort.

    Unlike the other filters it has to trust the measured velocity, and the masses of the robot's
    description. The equations are in `effort_equations`.
    """

    def __init__(
        self,
        robot: RobotModel,
        parameters: SafetyParameters,
        period_s: float,
        *,
        gravity_compensation: bool,
    ) -> None:
        """Prepare for one arm.

        Args:
            robot: its limits and its masses.
            parameters: assumptions about the measurements, and how much of the limits is used.
            period_s: of the filter.
            gravity_compensation: whether the arm's controller adds the gravity effort of the
                measured position to what is commanded.

        Raises:
            ConfigError: if limits, parameters and period do not fit each other.
            RobotError: if a joint carries no mass.
        """
        joints, model = effort_constants(
            robot.limits, parameters, period_s, gravity_compensation=gravity_compensation
        )
        super().__init__(joints, model, 1, step_effort)
        n = self.n_joints
        self._arm = dynamics_rows(robot)
        self._state = [[0.0] * n for _ in range(N_STATE)]
        self._vectors = [[0.0] * n for _ in range(N_VECTORS)]
        self._matrices = [[0.0] * (n * max(n, 10)) for _ in range(N_MATRICES)]
        self._bound_codes = [[0] * n for _ in range(2)]
        self._resting = False

    @property
    def command(self) -> tuple[float, ...]:
        """The last published efforts (n_joints,) N m."""
        return tuple(self._state[COMMAND])

    @property
    def at_rest(self) -> bool:
        """Whether the last cycle measured every joint, and at rest: where braking may end.

        The command is no sign of it: holding takes an effort.
        """
        return self._state[UNSEEN][0] == 0.0 and self._resting

    def reset(
        self,
        position_rad: Sequence[float],
        velocity_rad_s: Sequence[float] | None = None,
        effort_nm: Sequence[float] | None = None,
    ) -> None:
        """Start from a measured state (n_joints,), by default at rest.

        Args:
            position_rad: measured.
            velocity_rad_s: measured.
            effort_nm: the command in force, from which the rate counts; by default the one that
                holds the arm at rest.

        Raises:
            ValueError: if a length does not match or a value is not finite.
        """
        position = self._finite(position_rad, "position_rad")
        velocity = (
            self._zeros
            if velocity_rad_s is None
            else self._finite(velocity_rad_s, "velocity_rad_s")
        )
        effort = None if effort_nm is None else self._finite(effort_nm, "effort_nm")
        reset_effort(
            self._joints,
            self._model,
            *self._arm,
            self._state,
            self._vectors,
            self._matrices,
            position,
            velocity,
        )
        if effort is not None:
            self._state[COMMAND][:] = effort
        self._resting = all(abs(v) <= REST_RAD_S for v in velocity)
        self._start()

    def step(
        self,
        desired: Sequence[float],
        measured_position_rad: Sequence[float] | None,
        measured_velocity_rad_s: Sequence[float] | None = None,
    ) -> FilterResult:
        """Observe, bound and choose the closest effort; call once per period.

        Args:
            desired: efforts (n_joints,) N m.
            measured_position_rad: (n_joints,), not older than the declared latency; None if none
                arrived in this period.
            measured_velocity_rad_s: (n_joints,), of the same time; None if none arrived.
        """
        return self._cycle(
            self._floats(desired), measured_position_rad, measured_velocity_rad_s, self._latched
        )

    def brake(
        self,
        measured_position_rad: Sequence[float] | None,
        measured_velocity_rad_s: Sequence[float] | None = None,
    ) -> FilterResult:
        """Decelerate to rest and hold there, instead of `step`; call once per period."""
        return self._cycle(self._zeros, measured_position_rad, measured_velocity_rad_s, True)

    def hold(self, periods: int) -> None:
        """Account for periods in which nothing was published and the driver held the last effort.

        The state is predicted over them; where they are more than the declared latency, the arm
        brakes until it is measured. What lies further back is only counted: however long the pause
        was, braking is not to wait for a prediction that nothing is built on.
        """
        predicted = min(periods, int(self._model[LATENESS]) + 1)
        for _ in range(predicted):
            predict_state(self._model, *self._arm, self._state, self._vectors, self._matrices)
        self._state[UNSEEN][0] += periods - predicted

    def _cycle(
        self,
        desired: list[float],
        position: Sequence[float] | None,
        velocity: Sequence[float] | None,
        brake: bool,
    ) -> FilterResult:
        if not self._ready:
            raise RuntimeError("the filter was not reset: call reset() first")
        fresh = position is not None and velocity is not None
        speeds = self._zeros if velocity is None else self._floats(velocity)
        code = step_effort(
            self._joints,
            self._model,
            *self._arm,
            self._state,
            self._vectors,
            self._matrices,
            self._bound_codes,
            desired,
            self._zeros if position is None else self._floats(position),
            speeds,
            fresh,
            brake,
            self._out,
            self._codes,
        )
        self._resting = all(abs(v) <= REST_RAD_S for v in speeds)
        return self._result(code)
