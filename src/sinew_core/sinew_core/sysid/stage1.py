"""Start values of an identification, in about a second: least squares of efforts, without motion.

Efforts are linear in most of what is asked for, so no simulation is needed, and no start. What is
found is biased by noise in positions and by what the filter leaves; stage 2 removes that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sinew_core.bags.recording import Recording
from sinew_core.errors import BagError
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.controller_file import KnownController
from sinew_core.sysid.equations import DRIVE_PERIOD_S, MAX_DELAY_S, make_rows
from sinew_core.sysid.parametrisation import Parametrisation
from sinew_core.sysid.regressor import shapes_efforts
from sinew_core.sysid.robust_fit import (
    RobustFit,
    judge,
    noise_of,
    prior_information,
    robust_fit,
    sizes_of,
)
from sinew_core.sysid.stage1_model import EffortModel, GroupRows

_DELAY_STEP_S = 4e-3
_THINNING = 3
_TURNS = 2
_SETTLED_S = 2e-5
_LAWLESS_SHARE = 0.5
"""Of an effort's deviation: what controllers do not explain, noise of the sensor included."""
_LARGEST_SIGMA = 0.5
"""Of a coordinate, or its typical size: what the data leave less certain they do not fix."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage1:
    """What least squares of efforts tells of p values.

    Attributes:
        theta: (p,) coordinates to start from.
        covariance: (p, p) of them, by data and priors.
        information: (p, p) of the data alone.
        fixed: (p,) whether the data alone fix each coordinate.
        delay_s: from a command to the drive; the assumed one where it is not fitted.
        delay_sigma_s: its standard deviation, inf where the data do not tell, 0 where not fitted.
        residual_nm: (n,) root mean square of what the arm's efforts leave unexplained; nan without
            equations.
        noise_nm: (n,) standard deviation of its core, without outliers.
        groups: which equations there were, see `equations`.
        findings: sentences on what could not be determined.
    """

    theta: Array
    covariance: Array
    information: Array
    fixed: tuple[bool, ...]
    delay_s: float
    delay_sigma_s: float
    residual_nm: Array
    noise_nm: Array
    groups: tuple[str, ...]
    findings: tuple[str, ...]


def start_values(
    recording: Recording,
    robot: RobotModel,
    known: KnownController,
    parametrisation: Parametrisation,
    *,
    cutoff_hz: float | None = None,
    drive_period_s: float = DRIVE_PERIOD_S,
    max_delay_s: float = MAX_DELAY_S,
) -> Stage1:
    """Return start values of what a parametrisation asks for.

    Args:
        recording: of the robot.
        robot: nominal.
        known: of its controllers.
        parametrisation: of the robot, with the same controllers.
        cutoff_hz: of the filter over both sides of the equations; None for what suits the motion.
        drive_period_s: of the joint controllers; see `equations`.
        max_delay_s: the largest delay that is tried.

    Raises:
        BagError: the recording has neither efforts nor commands, commands of another mode, or no
            piece that is long enough.
    """
    _check(recording, known)
    rows = make_rows(
        recording, robot, known,
        cutoff_hz=cutoff_hz, drive_period_s=drive_period_s, max_delay_s=max_delay_s,
    )  # fmt: skip
    model = EffortModel(rows, parametrisation)
    start = np.clip(parametrisation.start, parametrisation.lower, parametrisation.upper)
    start = _with_delay(model, parametrisation, start, max_delay_s)
    if not model.commanded:
        groups: tuple[str, ...] = ("links",)
        found = robust_fit(_evaluate(model, groups), parametrisation, start)
        return _result(model, parametrisation, found, groups, [])
    groups = ("control", "balance") if model.measured else ("balance",)
    found = _fit_with_commands(model, parametrisation, start, groups)
    remarks = _unlawful(model, found.theta, recording) if model.measured else []
    if remarks:
        groups = ("control", "links")
        found = _fit_with_commands(model, parametrisation, start, groups)
    return _result(model, parametrisation, found, groups, remarks)


def _fit_with_commands(
    model: EffortModel, fit: Parametrisation, start: Array, groups: tuple[str, ...]
) -> RobustFit:
    """Return the fit of what drives the arm by published efforts, and of the arm by mean ones.

    Published efforts are noisy points of a sawtooth: they tell gains, and the motion, which is
    better explained by the controllers' mean efforts, the rest, the delay included. Both in turn:
    together the equations would be met best by gains of nothing.
    """
    if groups[0] != "control":
        return robust_fit(_evaluate(model, groups), fit, start)
    drives = np.array([not shapes_efforts(name) and name != "delay_s" for name in fit.names])
    arm = ~drives
    place = fit.index("delay_s")
    if groups[1] == "links" and place is not None:
        arm[place], drives[place] = False, True
    theta = start
    for _ in range(_TURNS if drives.any() else 1):
        delay_s = fit.params(theta).dynamics.delay_s
        if drives.any():
            theta = robust_fit(_evaluate(model, groups[:1]), fit, theta, drives).theta
        theta = robust_fit(_evaluate(model, groups[1:]), fit, theta, arm).theta
        if abs(fit.params(theta).dynamics.delay_s - delay_s) < _SETTLED_S:
            break
    told = model.evaluate(theta, groups)
    if place is not None and not drives[place]:
        # What was in force at a stamp changes by leaps, whose slopes tell nothing of the delay.
        told[0].jacobian[:, :, place] = 0.0
    return judge(told, theta)


def _evaluate(model: EffortModel, groups: tuple[str, ...]) -> Callable[[Array], list[GroupRows]]:
    return lambda theta: model.evaluate(theta, groups)


def _unlawful(model: EffortModel, theta: Array, recording: Recording) -> list[str]:
    """Return a sentence when efforts are not those of the controllers that are known."""
    assert recording.effort_nm is not None
    (control,) = model.evaluate(theta, ("control",))
    size = np.std(recording.effort_nm, axis=0)
    share = noise_of(control) / np.maximum(size, 1e-9)
    worst = int(np.argmax(share))
    if np.median(share) < _LAWLESS_SHARE:
        return []
    return [
        f"The efforts do not follow the controllers that the file describes: {share[worst]:.0%} of "
        f"{recording.joint_names[worst]}'s are unexplained; masses and frictions go by the efforts "
        "alone. Correct the controller file, above all gains, hold and gravity_compensation."
    ]


def _check(recording: Recording, known: KnownController) -> None:
    if recording.effort_nm is None and recording.commands is None:
        raise BagError(
            f"{recording.source}: neither efforts nor commands: record one of them beside "
            "joint_states; positions alone tell nothing of masses or friction"
        )
    commands = recording.commands
    if commands is not None and commands.mode != known.mode:
        raise BagError(
            f"{recording.source}: {commands.topic} has commands of mode '{commands.mode}', but the "
            f"controller is said to take '{known.mode}': correct 'mode:' or name another topic"
        )


def _with_delay(
    model: EffortModel, fit: Parametrisation, start: Array, max_delay_s: float
) -> Array:
    """Return the start (p,) with the delay of a grid whose equations leave the least.

    At each delay the rest is solved for in one linear step, on every third row.
    """
    place = fit.index("delay_s")
    if place is None or not model.commanded:
        return start
    groups = ("control",) if model.measured else ("balance",)
    highest = min(max_delay_s, float(fit.upper[place]))
    delays = np.arange(float(fit.lower[place]), highest, _DELAY_STEP_S)
    costs = []
    for delay_s in delays:
        trial = start.copy()
        trial[place] = delay_s
        costs.append(_linear_cost(model.evaluate(trial, groups, stamped=False), fit, place))
    result: Array = start.copy()
    result[place] = delays[int(np.argmin(costs))]
    return result


def _linear_cost(groups: Sequence[GroupRows], fit: Parametrisation, left_out: int) -> float:
    """Return what one linear step, with one coordinate held, leaves of each joint's residuals.

    The product of the joints' sums of squares, as a logarithm: the likelihood of noise of unknown
    size in each.
    """
    p = fit.size
    sizes = sizes_of(fit)
    keep = np.arange(p) != left_out
    cost = 0.0
    for group in groups:
        residual, usable = group.residual_nm[::_THINNING], group.usable[::_THINNING]
        scale = 1.0 / np.maximum(np.sqrt((usable * residual**2).mean(axis=0)), 1e-9)
        weights = usable * scale
        rows = (weights[:, :, None] * group.jacobian[::_THINNING] * sizes).reshape(-1, p)[:, keep]
        target = (weights * residual).ravel()
        normal = rows.T @ rows
        normal += 1e-9 * max(float(np.trace(normal)), 1e-30) * np.eye(len(normal))
        left = target - rows @ np.linalg.solve(normal, rows.T @ target)
        squares = (left.reshape(residual.shape) / scale) ** 2
        cost += float(np.log(np.maximum(squares.sum(axis=0), 1e-30)).sum())
    return cost


def _result(
    model: EffortModel,
    fit: Parametrisation,
    found: RobustFit,
    groups: tuple[str, ...],
    remarks: Sequence[str],
) -> Stage1:
    sizes = sizes_of(fit)
    scaled = found.information * np.outer(sizes, sizes)
    sigmas = data_sigmas(scaled)
    covariance = np.linalg.inv(
        scaled + np.diag(prior_information(fit) * sizes**2) + 1e-9 * np.eye(fit.size)
    ) * np.outer(sizes, sizes)
    large = np.maximum(1.0, np.abs(found.theta) / sizes)
    fixed = tuple((sigmas < _LARGEST_SIGMA * large).tolist())
    place = fit.index("delay_s")
    delay_sigma_s = 0.0
    if place is not None:
        delay_sigma_s = float(sigmas[place] * sizes[place]) if fixed[place] else np.inf
    name = "links" if "links" in groups else "balance"
    nothing = np.full(fit.robot.n_joints, np.nan)
    return Stage1(
        theta=found.theta,
        covariance=covariance,
        information=found.information,
        fixed=fixed,
        delay_s=fit.params(found.theta).dynamics.delay_s,
        delay_sigma_s=delay_sigma_s,
        residual_nm=found.residual_nm.get(name, nothing),
        noise_nm=found.noise_nm.get(name, nothing),
        groups=groups,
        findings=(*remarks, *_findings(model, fit, fixed)),
    )


def data_sigmas(information: Array) -> Array:
    """Return the standard deviations (p,) that an information (p, p) leaves, inf for no end.

    Directions of which the data tell nothing within rounding make all that they touch infinite.
    """
    values, vectors = np.linalg.eigh(information)
    least = max(float(values[-1]), 1e-300) * len(values) * np.finfo(float).eps * 10.0
    silent = values <= least
    variances = (vectors[:, ~silent] ** 2) @ (1.0 / values[~silent])
    touched = (vectors[:, silent] ** 2).sum(axis=1) > 1e-9
    sigmas: Array = np.where(touched, np.inf, np.sqrt(variances))
    return sigmas


def _findings(model: EffortModel, fit: Parametrisation, fixed: Sequence[bool]) -> tuple[str, ...]:
    """Return sentences on what the recording lacks, and on what its motion does not tell."""
    findings = []
    if not model.measured:
        findings.append(
            "No efforts were recorded: masses, frictions and gains are only as true as the gains "
            "that the controller file gives."
        )
    elif not model.commanded:
        findings.append("No commands were recorded: delay and gains cannot be determined.")
    open_names = [name for name, good in zip(fit.names, fixed, strict=True) if not good]
    gains = [name for name in open_names if name.partition("/")[0] in ("kp", "kd", "kp_v", "ki_v")]
    if gains and not model.measured:
        findings.append(
            f"Without efforts {', '.join(gains)} and the arm's own values scale with each other: "
            "give the gains in the controller file, or record efforts."
        )
    rest = [name for name in open_names if name not in gains or model.measured]
    if rest:
        findings.append(
            f"The efforts of this motion do not fix {', '.join(rest)}: they stay near what was "
            "assumed; move those joints more, or fit less."
        )
    return tuple(findings)
