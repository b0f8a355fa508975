"""Which of the model's parameters a fit left out, and which of them its residuals show.

| group | what |
|---|---|
| `payload` | mass and first moments of a point at the tool, its place where its mass is fitted |
| `motor_strength/*`, `mass/*`, `coulomb/*`, `viscous/*`, `armature/*` | those of them not fitted |
| `stribeck/stiction` | the rise of friction towards rest, over the nominal speed |
| `delay_s` | from a command to the drive |
| `kp/*`, `kd/*`, `kp_v/*`, `ki_v/*` | gains that the controller file gives |

Each parameter costs one more roll-out, of a one-sided difference; `score_test` does the rest. What
is significant may still be too small to matter: of 10⁵ samples a simulation's own inexactness is.
So a group counts as shown only where some value, its own or a fitted one, is off by more than the
deviation that counts as known (`identifiable`), and by three of the step's own; or where there is
no such one to name though the residuals are beyond the noise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sinew_core.robots.arm_controller import GAINS, ArmController
from sinew_core.robots.arm_dynamics import PER_JOINT, PER_LINK, ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.inertia import carrying_links
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.confidence import MISMATCH, correlation_samples
from sinew_core.sysid.controller_file import KnownController
from sinew_core.sysid.elimination import Block, eliminate
from sinew_core.sysid.fitting import FARTHEST, Fitted, IdentifyProgress
from sinew_core.sysid.identifiable import accepted_sigma
from sinew_core.sysid.identification import LeftOut, StandIn
from sinew_core.sysid.least_squares import ENDED_EARLY
from sinew_core.sysid.parameter_names import PAYLOAD, Parameter, describe
from sinew_core.sysid.parametrisation import STEP_SHARE, Parametrisation
from sinew_core.sysid.score_test import Enlarged, LinearFit, Score
from sinew_core.sysid.weighting import rows_of

_PROBE_KG, _PROBE_M = 0.05, 0.05
"""Of the payload by which first moments are probed."""
_SIGMAS = 3.0
_STAND_INS = 4
_ALIKE = 0.5
_MOMENT_KG = 0.25
"""By which what counts as known of a payload's place becomes that of its moment."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Column:
    """One parameter that was not fitted: where it is, how to move it, and what counts as known."""

    parameter: Parameter
    offset: float
    moved: SimParams
    reference: SimParams | None = None


def look_for(
    fitted: Fitted,
    parametrisation: Parametrisation,
    progress: Callable[[IdentifyProgress], None] | None = None,
) -> tuple[LeftOut, ...] | None:
    """Return what the data say of all that was not fitted, what they show first; None: not told.

    A fit that ended early is not judged by its residuals, unless they are down to the noise.
    """
    if fitted.fit.ended in ENDED_EARLY and fitted.chi2_per_sample > MISMATCH:
        return None
    if progress:
        progress(IdentifyProgress(stage="left out"))
    groups = _groups(fitted, parametrisation)
    columns = [column for members in groups.values() for column in members]
    places: dict[str, list[int]] = {}
    for name, members in groups.items():
        first = sum(len(p) for p in places.values())
        places[name] = list(range(first, first + len(members)))
    problem = _linear(fitted, columns)
    alone, shown = problem.select(places)
    steps = _Steps(fitted, parametrisation, problem, columns)
    told: list[LeftOut] = []
    taken: list[int] = []
    for name in shown:
        told.append(steps.group(name, alone[name], taken, places[name]))
        taken += places[name]
    if fitted.chi2_per_sample > MISMATCH and not any(group.shown for group in told):
        told = [dataclasses.replace(group, shown=True) for group in told]
    told = [group for group in told if group.shown]
    rest = [name for name in groups if name not in {group.name for group in told}]
    told += [LeftOut(name=name, score=alone[name]) for name in rest]
    return tuple(dataclasses.replace(g, imitated=steps.imitated(places[g.name])) for g in told)


def _groups(fitted: Fitted, parametrisation: Parametrisation) -> dict[str, list[_Column]]:
    """Return the columns of each group that was left out."""
    robot, params = parametrisation.robot, fitted.params
    controller, replays = params.controller, fitted.problem.pieces[0].replays
    kinds = [*PER_LINK, *PER_JOINT]
    if replays:
        kinds.remove("motor_strength")
    whole = {carrying_links(robot)[i] for i in parametrisation.whole_links}
    names = params.dynamics.values(robot)
    groups: dict[str, list[str]] = {f"{kind}/*": [] for kind in kinds}
    for name in names:
        kind, _, place = name.partition("/")
        free = name not in parametrisation.names and place not in whole
        if kind in kinds and free:
            groups[f"{kind}/*"].append(name)
    single = ["stribeck/stiction"] if replays else ["stribeck/stiction", "delay_s"]
    groups.update({name: [name] for name in single if name not in parametrisation.names})
    if controller is not None and not replays:
        for gain in GAINS[controller.mode]:
            rows = [f"{gain}/{joint}" for joint in robot.joint_names]
            groups[f"{gain}/*"] = [n for n in rows if n not in parametrisation.names]
    known = _known(controller)
    found = {"payload": _payload(fitted, parametrisation)}
    for group, members in groups.items():
        described = describe(members, robot, known, params.dynamics)
        found[group] = [_column(robot, params, parameter) for parameter in described]
    return {name: members for name, members in found.items() if members}


def _known(controller: ArmController | None) -> KnownController:
    if controller is None:
        return KnownController(mode="effort", gains={})
    return KnownController(mode=controller.mode, gains=dict(controller.gains))


def _column(robot: RobotModel, params: SimParams, parameter: Parameter) -> _Column:
    """Return a parameter with the arm in which it is one step further."""
    step = STEP_SHARE * parameter.size
    offset = step if parameter.start + step <= parameter.upper else -step
    value = parameter.start + offset
    return _Column(
        parameter=parameter, offset=offset, moved=_with(robot, params, {parameter.name: value})
    )


def _with(robot: RobotModel, params: SimParams, values: dict[str, float]) -> SimParams:
    """Return an arm with other values, of its dynamics or its gains."""
    controller, dynamics = params.controller, dict(values)
    if controller is not None:
        gains = {name: np.array(row) for name, row in controller.gains.items()}
        for name in values:
            kind, _, joint = name.partition("/")
            if kind in gains:
                gains[kind][robot.joint_names.index(joint)] = dynamics.pop(name)
        controller = dataclasses.replace(controller, gains=gains)
    moved = ArmDynamics.from_values(robot, dynamics, base=params.dynamics)
    return SimParams(dynamics=moved, controller=controller)


def _payload(fitted: Fitted, parametrisation: Parametrisation) -> list[_Column]:
    """Return mass and moments of a payload, or only its place where its mass was fitted."""
    robot, params = parametrisation.robot, fitted.params
    described = describe(PAYLOAD, robot, _known(params.controller), params.dynamics)
    free = [p for p in described if p.name not in parametrisation.names]
    if "payload/mass" in parametrisation.names:
        return [_column(robot, params, parameter) for parameter in free]
    arm = params.dynamics
    mass = dataclasses.replace(described[0], start=arm.payload_mass_kg)
    first = _column(robot, params, mass)
    probe = {"payload/mass": arm.payload_mass_kg + _PROBE_KG}
    reference = _with(robot, params, probe)
    values = arm.values(robot)
    moments = [
        _Column(
            parameter=p,
            offset=_PROBE_KG * _PROBE_M,
            moved=_with(robot, params, {**probe, p.name: values[p.name] + _PROBE_M}),
            reference=reference,
        )
        for p in free[1:]
    ]
    return [first, *moments]


def _linear(fitted: Fitted, columns: Sequence[_Column]) -> LinearFit:
    """Return the fit's end with the left-out columns, pieces' own unknowns eliminated."""
    problem, fit = fitted.problem, fitted.fit
    references = [c.reference for c in columns if c.reference is not None][:1]
    arms = [fitted.params, *references, *(column.moved for column in columns)]
    here, *simulated = problem.residuals_of(arms, fit.own, rough=True)
    if here is None:  # coarse steps are too coarse for these gains
        here, *simulated = problem.residuals_of(arms, fit.own)
    probe = simulated[0] if references else None
    rows = []
    for i, block in enumerate(fit.blocks):
        added = np.zeros((block.residual.size, len(columns)))
        for j, (column, moved) in enumerate(
            zip(columns, simulated[len(references) :], strict=True)
        ):
            still = here if column.reference is None else probe
            if moved is not None and still is not None:
                added[:, j] = (moved[i] - still[i]) / column.offset
        both = np.hstack([block.shared, added])
        part = eliminate(Block(residual=block.residual, shared=both, own=block.own))
        rows.append(np.column_stack([part.shared, part.residual]))
    table, p = np.asarray(np.linalg.qr(np.vstack(rows), mode="r")), fit.shared.size
    return LinearFit(
        residual=table[:, -1],
        fitted=table[:, :p],
        added=table[:, p:-1],
        dispersion=_dispersion(fitted),
        samples=sum(block.residual.size for block in fit.blocks),
    )


def _dispersion(fitted: Fitted) -> float:
    """Return by how much residuals exceed their weights, and how many go together."""
    problem, fit = fitted.problem, fitted.fit
    square = float(np.mean(rows_of(problem, fit) ** 2))
    pieces = [problem.channels(block.residual, i) for i, block in enumerate(fit.blocks)]
    together = [correlation_samples(piece) for piece in pieces]
    lengths = [piece.shape[0] for piece in pieces]
    return max(1.0, square) * max(1.0, float(np.average(together, weights=lengths)))


class _Steps:
    """Steps to fits with more in them, and what they move."""

    def __init__(
        self,
        fitted: Fitted,
        parametrisation: Parametrisation,
        problem: LinearFit,
        columns: Sequence[_Column],
    ) -> None:
        self._fitted, self._parametrisation = fitted, parametrisation
        self._problem, self._columns = problem, columns
        theta, box = fitted.fit.shared, fitted.box
        added = FARTHEST * np.array([c.parameter.size for c in columns])
        self._prior = 1.0 / np.concatenate([box.prior_sigma, added])
        off = np.concatenate([theta - box.prior_mean, np.zeros(len(columns))])
        self._prior_residual = off * self._prior
        self._jacobian = parametrisation.values_jacobian(theta)
        names = [column.parameter.name for column in columns]
        starts = np.array([column.parameter.start for column in columns])
        moments = np.array([column.reference is not None for column in columns])
        accepted = accepted_sigma(parametrisation.robot, names, starts)
        self._accepted = accepted * np.where(moments, _MOMENT_KG, 1.0)

    def _step(self, places: Sequence[int]) -> Enlarged:
        return self._problem.enlarged(places, self._prior, self._prior_residual)

    def group(
        self, name: str, score: Score, taken: Sequence[int], places: Sequence[int]
    ) -> LeftOut:
        """Return a group beside others that were taken before, with what it moves."""
        before, after = self._step(taken), self._step([*taken, *places])
        steps, sigmas = after.added[len(taken) :], after.added_sigma[len(taken) :]
        accepted = self._accepted[list(places)]
        shift = self._jacobian @ (after.fitted - before.fitted)
        spread = np.sqrt(self._jacobian**2 @ after.fitted_sigma**2)
        moved = np.minimum(
            np.abs(shift) / self._fitted.accepted,
            np.abs(shift) / (_SIGMAS * np.maximum(spread, 1e-300)),
        )
        own = np.minimum(np.abs(steps) / accepted, np.abs(steps) / (_SIGMAS * sigmas))
        values = self._values(places, steps, own)
        known = [self._columns[i].parameter for i in places]
        return LeftOut(
            name=name,
            score=score,
            shown=bool(max(moved.max(initial=0.0), own.max(initial=0.0)) >= 1.0),
            values=values,
            units={parameter.name: parameter.unit for parameter in known},
            possible=all(p.lower <= values.get(p.name, p.start) <= p.upper for p in known),
            stand_ins=self._stand_ins(shift),
        )

    def imitated(self, places: Sequence[int]) -> dict[str, float]:
        """Return the fitted values whose effect some left-out columns have for the most part."""
        names = self._parametrisation.names
        shares = {name: self._problem.imitated(i, places) for i, name in enumerate(names)}
        return {name: share for name, share in shares.items() if share > _ALIKE}

    def _values(self, places: Sequence[int], steps: Array, matter: Array) -> dict[str, float]:
        """Return what those parameters would be about that matter; moments as places of a mass."""
        columns = [self._columns[i] for i in places]
        moments = any(column.reference is not None for column in columns)
        least = min(1.0, float(matter.max()))
        mass, values = float(steps[0]), {}
        for column, step, share in zip(columns, steps.tolist(), matter.tolist(), strict=True):
            parameter = column.parameter
            if column.reference is not None and mass > 0.0:
                values[parameter.name] = parameter.start + step / mass
            elif column.reference is None and (moments or share >= least):
                values[parameter.name] = parameter.start + step
        return values

    def _stand_ins(self, shift: Array) -> tuple[StandIn, ...]:
        """Return the fitted values that move by more than their deviation, the farthest first."""
        sigma = self._fitted.confidence.sigma
        ratio = np.where(np.isfinite(sigma), shift / np.maximum(sigma, 1e-300), 0.0)
        order = np.argsort(-np.abs(ratio))[:_STAND_INS]
        return tuple(
            StandIn(
                name=self._parametrisation.names[i],
                shift=float(shift[i]),
                sigmas=float(ratio[i]),
            )
            for i in order.tolist()
            if abs(ratio[i]) > _SIGMAS
        )
