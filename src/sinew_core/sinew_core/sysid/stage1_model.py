"""Residuals of stage 1's equations, and their derivatives by a fit's coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sinew_core.robots.arm_controller import GAINS
from sinew_core.robots.arrays import Array
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.equations import PieceRows
from sinew_core.sysid.parametrisation import Parametrisation
from sinew_core.sysid.regressor import PER_BODY, constants_jacobian, constants_of, places_of_arm


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupRows:
    """One group's equations.

    Attributes:
        name: of the group.
        residual_nm: (T, n).
        jacobian: (T, n, p), derivatives of the residuals.
        usable: (T, n) 1 where the equation holds, else 0.
        apart_nm: (T, n) half the difference of two readings' residuals, whose mean is above; None
            where there is one reading, or where they differ by more than noise.
        jacobian_apart: (T, n, p) likewise.
    """

    name: str
    residual_nm: Array
    jacobian: Array
    usable: Array
    apart_nm: Array | None = None
    jacobian_apart: Array | None = None


class EffortModel:
    """The equations of one recording for one parametrisation."""

    def __init__(
        self, readings: Sequence[Sequence[PieceRows]], parametrisation: Parametrisation
    ) -> None:
        """Prepare for the pieces of one or two readings."""
        self._readings, self._fit = readings, parametrisation
        rows = readings[0]
        self._delay = parametrisation.index("delay_s")
        self.measured = rows[0].links_nm is not None
        self.commanded = rows[0].commands is not None
        self._linear = not places_of_arm(parametrisation, curved=True)
        self._constant_slopes: Array | None = None
        self._slopes: list[list[Array]] = []

    def evaluate(
        self, theta: Array, groups: Sequence[str], *, stamped: bool = True
    ) -> list[GroupRows]:
        """Return residuals and derivatives of groups at coordinates (p,).

        Without `stamped` the controllers' efforts are means, which is quicker, and smooth in time.
        """
        params = self._fit.params(theta)
        constants = constants_of(self._fit.robot, params)
        slopes = self._arm_slopes(theta)
        result = []
        for name in groups:
            read = [
                self._reading(name, rows, params, constants, by_piece, stamped)
                for rows, by_piece in zip(self._readings, slopes, strict=True)
            ]
            result.append(read[0] if len(read) == 1 else _together(*read))
        return result

    def _arm_slopes(self, theta: Array) -> list[list[Array]]:
        """Return the derivatives (T, n, p) of each piece's efforts, which mostly are constant."""
        if not (self._slopes and self._linear):
            slopes = constants_jacobian(self._fit, theta, self._constant_slopes)
            self._constant_slopes = slopes
            self._slopes = [[_through(rows, slopes) for rows in read] for read in self._readings]
        return self._slopes

    def _reading(
        self,
        name: str,
        pieces: Sequence[PieceRows],
        params: SimParams,
        constants: Array,
        slopes: Sequence[Array],
        stamped: bool,
    ) -> GroupRows:
        parts = [
            self._piece(name, rows, params, constants, by_piece, stamped)
            for rows, by_piece in zip(pieces, slopes, strict=True)
        ]
        residual, jacobian, usable = (np.concatenate(part) for part in zip(*parts, strict=True))
        return GroupRows(name=name, residual_nm=residual, jacobian=jacobian, usable=usable)

    def _piece(
        self,
        name: str,
        rows: PieceRows,
        params: SimParams,
        constants: Array,
        slopes: Array,
        stamped: bool,
    ) -> tuple[Array, Array, Array]:
        if name == "links":
            assert rows.links_nm is not None
            return rows.links_nm - _through(rows, constants), -slopes, rows.moving
        efforts, change = self._control(rows, params, stamped and name == "control")
        if name == "balance":
            usable = rows.moving * rows.unsaturated
            residual, jacobian = efforts - _through(rows, constants), change - slopes
            if not self.measured:
                residual, jacobian = self._by_stiffness(residual, jacobian, params)
        else:
            assert rows.control_nm is not None
            usable, residual, jacobian = rows.unsaturated, rows.control_nm - efforts, -change
        if params.controller is not None and params.controller.mode == "velocity":
            # Its integral starts from what nobody knows.
            share = usable / np.maximum(usable.sum(axis=0), 1.0) * self._integrating(params)
            residual = residual - (share * residual).sum(axis=0)
            jacobian = jacobian - np.einsum("tj,tjp->jp", share, jacobian)
        return residual, jacobian, usable

    def _by_stiffness(
        self, residual: Array, jacobian: Array, params: SimParams
    ) -> tuple[Array, Array]:
        """Return the same relative to each joint's first gain over its start, where that is fitted.

        Without efforts, equations with unknown gains are all met by an arm and gains of nothing;
        relative to the gains they are as far from it as positions are.
        """
        assert params.controller is not None
        gain = next(iter(params.controller.gains), "")
        for joint, name in enumerate(self._fit.robot.joint_names):
            place = self._fit.index(f"{gain}/{name}")
            if place is None:
                continue
            value = max(float(params.controller.gains[gain][joint]), 1e-9)
            share = float(self._fit.start[place]) / value
            residual[:, joint] *= share
            jacobian[:, joint] *= share
            jacobian[:, joint, place] -= residual[:, joint] / value
        return residual, jacobian

    def _integrating(self, params: SimParams) -> Array:
        """Return 1 for joints (n,) whose velocity loop has an integral, or may have one."""
        assert params.controller is not None
        names = self._fit.robot.joint_names
        fitted = [self._fit.index(f"ki_v/{joint}") is not None for joint in names]
        return ((params.controller.gains["ki_v"] > 0.0) | fitted).astype(np.float64)

    def _control(self, rows: PieceRows, params: SimParams, stamped: bool) -> tuple[Array, Array]:
        """Return the controllers' efforts (T, n) and their derivatives (T, n, p).

        Those at a stamp are of the state one drive period before.
        """
        assert rows.commands is not None
        assert params.controller is not None
        gains, mode = params.controller.gains, params.controller.mode
        h, delay_s = rows.drive_period_s, params.dynamics.delay_s
        late_s = h if stamped else 0.0
        at_s = rows.time_s - late_s + 0.5 * h - delay_s
        value, slope = rows.commands.value(at_s), rows.commands.slope(at_s)
        if stamped:
            # Of no use to a fit where stamps and commands are in step, and then to be seen as such.
            value, slope = rows.commands.in_force(delay_s, h)
        position = rows.position_rad - late_s * rows.velocity_rad_s
        velocity = rows.velocity_rad_s - (late_s + 0.5 * h) * rows.acceleration_rad_s2
        if mode == "position":
            columns = {"kp": value - position, "kd": -velocity}
            by_time = gains["kp"] * slope
        elif mode == "velocity":
            # The loop takes in an error before it acts on it.
            way = rows.commands.integral(at_s + 0.5 * h) - position
            columns = {"kp_v": value - velocity, "ki_v": way}
            by_time = gains["kp_v"] * slope + gains["ki_v"] * value
        else:
            columns, by_time = {}, slope
        strength = params.dynamics.motor_strength
        commanded = rows.weight_nm + (value if mode == "effort" else 0.0)
        for gain in GAINS[mode]:
            commanded = commanded + gains[gain] * columns[gain]
        change = np.zeros((*commanded.shape, self._fit.size))
        for joint, joint_name in enumerate(self._fit.robot.joint_names):
            place = self._fit.index(f"motor_strength/{joint_name}")
            if place is not None:
                change[:, joint, place] = commanded[:, joint]
            for gain in GAINS[mode]:
                place = self._fit.index(f"{gain}/{joint_name}")
                if place is not None:
                    change[:, joint, place] = strength[joint] * columns[gain][:, joint]
        if self._delay is not None:
            change[:, :, self._delay] = -strength * by_time
        return strength * commanded, change


def _together(one: GroupRows, other: GroupRows) -> GroupRows:
    """Return two readings as their mean, and how far they are from it.

    Published efforts are points of a sawtooth, at which even and odd samples may differ by more
    than noise: there the difference tells nothing.
    """
    apart = one.name != "control"
    return GroupRows(
        name=one.name,
        residual_nm=0.5 * (one.residual_nm + other.residual_nm),
        jacobian=0.5 * (one.jacobian + other.jacobian),
        usable=one.usable * other.usable,
        apart_nm=0.5 * (one.residual_nm - other.residual_nm) if apart else None,
        jacobian_apart=0.5 * (one.jacobian - other.jacobian) if apart else None,
    )


def _through(rows: PieceRows, constants: Array) -> Array:
    """Return the efforts (T, n, ...) of constants (13 n, ...), or of derivatives of them."""
    n = rows.position_rad.shape[1]
    bodies = PER_BODY * n
    efforts = np.empty((*rows.position_rad.shape, *constants.shape[1:]))
    by_joint = constants[bodies:].reshape(3, n, *constants.shape[1:])
    for joint in range(n):
        carried = slice(PER_BODY * joint, bodies)
        efforts[:, joint] = rows.regressor[:, joint, carried] @ constants[carried]
        efforts[:, joint] += np.tensordot(rows.columns[:, :, joint], by_joint[:, joint], (0, 0))
    return efforts
