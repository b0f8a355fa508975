"""Whether a bundle may drive a robot at given rates: every reason why not, at once."""

from __future__ import annotations

import dataclasses
import math

from sinew_core.bundle.reader import Bundle
from sinew_core.errors import BundleError
from sinew_core.robots.limits import LIMIT_NAMES
from sinew_core.robots.model import RobotModel

_ROUNDING = 1e-9
"""Relative difference of limits that counts as equal: degrees in a file, radians in another."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """Result of a comparison, one sentence per item.

    Attributes:
        problems: Forbid deployment.
        remarks: Differences that are safe but may cost performance.
    """

    problems: tuple[str, ...]
    remarks: tuple[str, ...]


def check_fits(
    bundle: Bundle, robot: RobotModel, *, control_rate_hz: int, filter_rate_hz: int, mode: str
) -> Fit:
    """Compare a bundle with the robot, the rates and the command mode that it would run at.

    Joints must be the same in the same order. A limit wider than trained under is a problem, since
    the arm could reach states that the policy never met; a narrower one is a remark. The control
    rate and what is commanded must be the trained ones; a faster filter is only smoother, a slower
    one a problem.
    """
    problems = _joint_problems(bundle, robot)
    remarks: list[str] = []
    if not problems:
        wider, narrower = _limit_differences(bundle, robot)
        problems += wider
        remarks += narrower
    trained = bundle.specification.rates
    if control_rate_hz != trained.control_rate_hz:
        problems.append(
            f"control_rate_hz: expected {trained.control_rate_hz}, found {control_rate_hz}: "
            "run at the trained rate or train at this one"
        )
    if filter_rate_hz < trained.filter_rate_hz:
        problems.append(
            f"filter_rate_hz: expected at least {trained.filter_rate_hz}, found {filter_rate_hz}: "
            "run the filter faster or train at this rate"
        )
    elif filter_rate_hz > trained.filter_rate_hz:
        remarks.append(f"filter_rate_hz {filter_rate_hz} is above {trained.filter_rate_hz}")
    expected = bundle.specification.action.command_mode
    if mode != expected:
        problems.append(
            f"mode: expected {expected}, found {mode}: give driver, filter and policy "
            f"mode:={expected}"
        )
    if robot.name != bundle.manifest.robot:
        remarks.append(f"robot is '{robot.name}', trained on '{bundle.manifest.robot}'")
    return Fit(problems=tuple(problems), remarks=tuple(remarks))


def require_fit(
    bundle: Bundle, robot: RobotModel, *, control_rate_hz: int, filter_rate_hz: int, mode: str
) -> tuple[str, ...]:
    """Return the remarks of a bundle that fits.

    Raises:
        BundleError: with all problems, in one line.
    """
    fit = check_fits(
        bundle,
        robot,
        control_rate_hz=control_rate_hz,
        filter_rate_hz=filter_rate_hz,
        mode=mode,
    )
    if fit.problems:
        reasons = "; ".join(fit.problems)
        raise BundleError(f"bundle {bundle.folder} does not fit robot '{robot.name}': {reasons}")
    return fit.remarks


def _joint_problems(bundle: Bundle, robot: RobotModel) -> list[str]:
    trained, found = bundle.manifest.joint_names, robot.joint_names
    if trained == found:
        return []
    missing = [name for name in trained if name not in found]
    extra = [name for name in found if name not in trained]
    detail = [f"missing {', '.join(missing)}"] if missing else []
    detail += [f"extra {', '.join(extra)}"] if extra else []
    return [
        f"joint_names: expected {', '.join(trained)}, found {', '.join(found)} "
        f"({'; '.join(detail) or 'another order'}): use the robot trained on"
    ]


def _limit_differences(bundle: Bundle, robot: RobotModel) -> tuple[list[str], list[str]]:
    """Return the limits that are (wider, narrower) than trained under."""
    wider: list[str] = []
    narrower: list[str] = []
    for field in LIMIT_NAMES:
        trained = getattr(bundle.specification.limits, field)
        deployed = getattr(robot.limits, field)
        for joint, expected, found in zip(robot.joint_names, trained, deployed, strict=True):
            if math.isclose(expected, found, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
                continue
            is_wider = found < expected if field == "position_lower_rad" else found > expected
            comparison = f"{field} of {joint}: expected {expected:g}, found {found:g}"
            if is_wider:
                wider.append(f"{comparison}: narrow it to the trained limit or train again")
            else:
                narrower.append(comparison)
    return wider, narrower
