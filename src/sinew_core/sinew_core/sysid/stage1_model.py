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
from sinew_core.sysid.regressor import PER_BODY, constants_jacobian, constants_of

GROUPS = ("links", "control", "balance")


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupRows:
    """One group's equations.

    Attributes:
        name: of the group.
        residual_nm: (T, n).
        jacobian: (T, n, p), derivatives of the residuals.
        usable: (T, n) 1 where the equation holds, else 0.
    """

    name: str
    residual_nm: Array
    jacobian: Array
    usable: Array


class EffortModel:
    """The equations of one recording for one parametrisation."""

    def __init__(self, rows: Sequence[PieceRows], parametrisation: Parametrisation) -> None:
        """Prepare."""
        self._rows, self._fit = rows, parametrisation
        self._delay = parametrisation.index("delay_s")
        measured = rows[0].links_nm is not None
        commanded = rows[0].commands is not None
        names = {"links": measured, "control": measured and commanded,
                 "balance": commanded and not measured}  # fmt: skip
        self.groups = tuple(name for name in GROUPS if names[name])

    def evaluate(self, theta: Array, groups: Sequence[str] | None = None) -> list[GroupRows]:
        """Return residuals and derivatives at coordinates (p,), for all groups or some."""
        params = self._fit.params(theta)
        slopes = constants_jacobian(self._fit, theta)
        constants = constants_of(self._fit.robot, params)
        return [
            self._group(name, params, constants, slopes)
            for name in (self.groups if groups is None else groups)
        ]

    def _group(self, name: str, params: SimParams, constants: Array, slopes: Array) -> GroupRows:
        parts = [self._piece(name, rows, params, constants, slopes) for rows in self._rows]
        residual, jacobian, usable = (np.concatenate(part) for part in zip(*parts, strict=True))
        return GroupRows(name=name, residual_nm=residual, jacobian=jacobian, usable=usable)

    def _piece(
        self, name: str, rows: PieceRows, params: SimParams, constants: Array, slopes: Array
    ) -> tuple[Array, Array, Array]:
        usable = np.ones_like(rows.moving)
        residual = np.zeros_like(rows.position_rad)
        jacobian = np.zeros((*residual.shape, self._fit.size))
        if name != "control":
            efforts, change = _arm_efforts(rows, constants, slopes)
            residual, jacobian, usable = residual - efforts, jacobian - change, rows.moving
        if name == "links":
            assert rows.links_nm is not None
            return residual + rows.links_nm, jacobian, usable
        efforts, change = self._control(rows, params)
        if name == "balance":
            residual, jacobian = residual + efforts, jacobian + change
        else:
            assert rows.control_nm is not None
            residual, jacobian = rows.control_nm - efforts, -change
        if params.controller is not None and params.controller.mode == "velocity":
            # Its integral starts from what nobody knows.
            weights = usable * rows.unsaturated
            share = weights / np.maximum(weights.sum(axis=0), 1.0)
            share = share * self._integrating(params)
            residual = residual - (share * residual).sum(axis=0)
            jacobian = jacobian - (share[:, :, None] * jacobian).sum(axis=0)
        return residual, jacobian, usable * rows.unsaturated

    def _integrating(self, params: SimParams) -> Array:
        """Return 1 for joints (n,) whose velocity loop has an integral, or may have one."""
        assert params.controller is not None
        names = self._fit.robot.joint_names
        fitted = [self._fit.index(f"ki_v/{joint}") is not None for joint in names]
        return ((params.controller.gains["ki_v"] > 0.0) | fitted).astype(np.float64)

    def _control(self, rows: PieceRows, params: SimParams) -> tuple[Array, Array]:
        """Return the controllers' efforts (T, n) and their derivatives (T, n, p)."""
        assert rows.commands is not None
        assert params.controller is not None
        gains, mode = params.controller.gains, params.controller.mode
        at_s = rows.time_s - params.dynamics.delay_s
        value, slope = rows.commands.value(at_s), rows.commands.slope(at_s)
        if mode == "position":
            columns = {"kp": value - rows.position_rad, "kd": -rows.velocity_rad_s}
            by_time = gains["kp"] * slope
        elif mode == "velocity":
            columns = {
                "kp_v": value - rows.velocity_rad_s,
                "ki_v": rows.commands.integral(at_s) - rows.position_rad,
            }
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


def _arm_efforts(rows: PieceRows, constants: Array, slopes: Array) -> tuple[Array, Array]:
    """Return the efforts (T, n) that the motion takes, and their derivatives (T, n, p)."""
    n = rows.position_rad.shape[1]
    bodies = PER_BODY * n
    efforts = rows.regressor @ constants[:bodies]
    change = rows.regressor @ slopes[:bodies]
    by_joint, slopes_by_joint = constants[bodies:].reshape(3, n), slopes[bodies:].reshape(3, n, -1)
    for column, value, slope in zip(rows.columns, by_joint, slopes_by_joint, strict=True):
        efforts = efforts + column * value
        change = change + column[:, :, None] * slope
    return efforts, change
