"""From what is asked for to a plan: part by part, each of them tried in the real safety filter."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sinew_core.errors import ConfigError
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.safety.filter import Cause
from sinew_core.sysid.excitation.chirp import ChirpMotion
from sinew_core.sysid.excitation.feedforward import planned_commands
from sinew_core.sysid.excitation.fourier import FourierMotion
from sinew_core.sysid.excitation.limits import MotionLimits, motion_limits
from sinew_core.sysid.excitation.obstacles import Clearance
from sinew_core.sysid.excitation.optimiser import (
    FourierSearch,
    Problem,
    best_motion,
    log_det,
    random_motion,
)
from sinew_core.sysid.excitation.parameters import ExcitationParameters
from sinew_core.sysid.excitation.plan import Plan, Predicted
from sinew_core.sysid.excitation.reference import Reference, joined
from sinew_core.sysid.excitation.sensitivity import EffortSensitivity
from sinew_core.sysid.excitation.trial import FilterSetting, Trial, run_trial

Progress = Callable[[str], None]
Motion = FourierMotion | ChirpMotion

_PLACES = frozenset(
    (Cause.POSITION, Cause.RECOVERY, Cause.SELF_COLLISION, Cause.FLOOR, Cause.WORKSPACE,
     Cause.FORBIDDEN)
)  # fmt: skip
"""Causes that only another path avoids; all others are avoided by going along it more slowly."""
_SHRINK, _SLOW = 0.93, 1.05
_TRIES = 60
_INTERVENTIONS = 50
"""So many tell what is wrong with a motion; the rest of it need not be tried."""
_POSTURES_HZ = 10
_REACH_SHARE = 0.5
"""Of a joint's range around home, that a chirp uses where it is slow."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """One motion that has passed the filter; `random` is the log det that a search began with."""

    reference: Reference
    information: Array
    random: float
    evaluations: int
    complete: bool


class Planner:
    """Plans motions for one arm behind one safety filter.

    Attributes:
        model: of the arm's efforts.
        limits: that motions are planned within.
    """

    def __init__(
        self,
        robot: RobotModel,
        setting: FilterSetting,
        parameters: ExcitationParameters,
        arm: ArmDynamics | None = None,
        progress: Progress = lambda _: None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the robot and what is known of its dynamics.

        Args:
            robot: the arm.
            setting: of the safety filter.
            parameters: of the motion.
            arm: None for the description alone.
            progress: is told what has been planned.
            check: is called often; what it raises ends the planning.

        Raises:
            ConfigError: if parameters do not fit the robot.
            RobotError: if a collision shape cannot be used.
        """
        self._robot, self._setting, self._p = robot, setting, parameters
        self._progress, self._check = progress, check
        self._rate_hz = setting.rates.control_rate_hz
        self.model = EffortSensitivity(
            robot, arm or ArmDynamics.nominal(robot), parameters.identify
        )
        self.limits: MotionLimits = motion_limits(
            setting.mode,
            robot,
            setting.assumed,
            setting.rates.filter_period_s,
            parameters.limit_share,
        )
        self._problem = Problem(
            robot=robot,
            model=self.model,
            limits=self.limits,
            clearance=Clearance(robot, setting.safety),
            noise_nm=parameters.effort_noise_nm,
            rate_hz=self._rate_hz,
        )

    @property
    def whole_limits(self) -> MotionLimits:
        """Return all that the filter allows, of which motions use a share."""
        setting = self._setting
        return motion_limits(
            setting.mode, self._robot, setting.assumed, setting.rates.filter_period_s, 1.0
        )

    def plan(self) -> Plan:
        """Return a plan whose whole motion the safety filter lets pass unchanged.

        Raises:
            ConfigError: there is none around home.
        """
        p = self._p
        size = len(self.model.asked)
        parts: list[_Part] = []
        information = np.zeros((size, size))
        for part in self._parts():
            parts.append(part)
            information = information + part.information
        rest = Reference.resting(self._robot.home_rad, p.rest_s, self._rate_hz)
        whole = joined([rest, *(part.reference for part in parts), rest], self._rate_hz)
        trial = self.trial(whole)
        if not trial.passed:  # each part rests at both ends, so together they pass as well
            raise ConfigError(f"the safety filter changes the plan: {refusal(trial)}")
        return Plan(
            reference=whole,
            robot=self._robot.name,
            joint_names=self._robot.joint_names,
            mode=self._setting.mode,
            rate_hz=self._rate_hz,
            kind=p.kind,
            seed=p.seed,
            noise_nm=p.effort_noise_nm,
            log_det=log_det(information),
            random_log_det=parts[-1].random,
            evaluations=sum(part.evaluations for part in parts),
            repeatable=all(part.complete for part in parts),
            predicted=self._predict(information),
        )

    def commands(self, reference: Reference) -> Array:
        """Return the commands (N, n) of a motion."""
        return planned_commands(
            self._setting.mode,
            reference,
            self.model,
            gravity_compensation=self._setting.gravity_compensation,
        )

    def trial(self, reference: Reference, limit: int = 0) -> Trial:
        """Send a motion through the safety filter."""
        commands = self.commands(reference)
        return run_trial(self._robot, self._setting, reference, commands, limit)

    def _parts(self) -> Iterator[_Part]:
        size = len(self.model.asked)
        before = unoptimised = np.zeros((size, size))
        if self._p.kind in ("fourier", "both"):
            for part, random in self._fourier_parts():
                before, unoptimised = before + part.information, random
                yield part
        if self._p.kind in ("chirp", "both"):
            for motion in self._chirps():
                part = self._passed(motion)
                unoptimised = unoptimised + part.information
                yield _Part(
                    reference=part.reference,
                    information=part.information,
                    random=log_det(unoptimised),
                    evaluations=0,
                    complete=True,
                )

    def _fourier_parts(self) -> Iterator[tuple[_Part, Array]]:
        """Yield the parts, and the information of random ones as many."""
        p, size = self._p, len(self.model.asked)
        count = math.ceil(p.duration_s / p.period_s - 1e-9)
        period_s = max(round(p.duration_s / count * self._rate_hz), 2) / self._rate_hz
        began_s = time.monotonic()
        before = random = np.zeros((size, size))
        for i in range(count):
            search = FourierSearch(
                self._problem, period_s=period_s, harmonics=p.harmonics, before=before
            )
            seed = p.seed * 1000 + i
            start, _ = random_motion(search, np.random.default_rng(seed))
            random = random + self._information(start.reference(self._rate_hz))
            share = p.evaluations // count
            motion, _, tried = best_motion(
                search,
                seed=seed,
                evaluations=share,
                deadline_s=began_s + p.plan_s * (i + 1) / count,
                check=self._check,
            )
            part = self._passed(motion)
            before = before + part.information
            self._progress(
                f"part {i + 1} of {count}: {tried} motions tried, log det {log_det(before):.1f} "
                f"(random: {log_det(random):.1f})"
            )
            yield (
                _Part(
                    reference=part.reference,
                    information=part.information,
                    random=log_det(random),
                    evaluations=tried,
                    complete=tried >= share,
                ),
                random,
            )

    def _chirps(self) -> Iterator[ChirpMotion]:
        p, n, limits = self._p, self._robot.n_joints, self.limits
        shares = np.eye(n) if p.chirp_joints == "each" else np.ones((1, n))
        home = self._robot.home_rad
        room = np.minimum(limits.upper_rad - home, home - limits.lower_rad)
        duration_s = round(p.chirp_s * self._rate_hz) / self._rate_hz
        for share in shares:
            yield ChirpMotion(
                home_rad=home,
                reach_rad=_REACH_SHARE * room,
                velocity_rad_s=limits.velocity_rad_s,
                acceleration_rad_s2=limits.acceleration_rad_s2,
                share=share,
                from_hz=p.chirp_from_hz,
                to_hz=p.chirp_to_hz,
                duration_s=duration_s,
            )

    def _passed(self, motion: Motion) -> _Part:
        """Return a motion made smaller or slower until nothing of it is changed.

        Raises:
            ConfigError: nothing helps.
        """
        trial = None
        for _ in range(_TRIES):
            self._check()
            reference = motion.reference(self._rate_hz)
            if self._lacks_room(reference):
                motion = motion.scaled(_SHRINK)
                continue
            if self._too_strong(reference):
                motion = motion.slowed(_SLOW, self._rate_hz)
                continue
            trial = self.trial(reference, _INTERVENTIONS)
            if trial.passed:
                return _Part(
                    reference=reference,
                    information=self._information(reference),
                    random=0.0,
                    evaluations=0,
                    complete=True,
                )
            causes = {cause for counts in trial.interventions.values() for cause in counts}
            if causes & _PLACES:
                motion = motion.scaled(_SHRINK)
            else:
                motion = motion.slowed(_SLOW, self._rate_hz)
        reason = refusal(trial) if trial else "it lacks clearance or effort"
        raise ConfigError(
            f"no motion around home passes the safety filter: {reason}: choose another home_rad, "
            "or lower limit_share"
        )

    def _lacks_room(self, reference: Reference) -> bool:
        """Tell whether a motion comes too near to an obstacle at one of its postures."""
        every = slice(None, None, max(self._rate_hz // _POSTURES_HZ, 1))
        position, velocity = reference.position_rad[every], reference.velocity_rad_s[every]
        return self._problem.lack_m(position, velocity) > 0.0

    def _too_strong(self, reference: Reference) -> bool:
        """Tell whether a motion takes more effort, or changes it faster, than is allowed."""
        effort, _ = self.model.evaluate(
            reference.position_rad, reference.velocity_rad_s, reference.acceleration_rad_s2
        )
        rate = np.abs(np.diff(effort, axis=0)) * self._rate_hz
        limits = self.limits
        return bool((np.abs(effort) > limits.effort_nm).any()) or bool(
            (rate > limits.effort_rate_nm_s).any()
        )

    def _information(self, reference: Reference) -> Array:
        return self._problem.information(
            reference.position_rad, reference.velocity_rad_s, reference.acceleration_rad_s2
        )

    def _predict(self, information: Array) -> tuple[Predicted, ...]:
        """Return the standard deviations; nothing is less certain than its scale."""
        covariance = np.linalg.inv(information + np.eye(len(information)))
        sigmas = np.sqrt(np.diag(covariance))
        return tuple(
            Predicted(
                name=asked.name,
                nominal=asked.nominal,
                scale=asked.scale,
                sigma=float(sigma * asked.scale),
                unit=asked.unit,
            )
            for asked, sigma in zip(self.model.asked, sigmas, strict=True)
        )


def refusal(trial: Trial) -> str:
    """Return what the filter changes of a motion, in words."""
    if trial.fault is not None:
        return f"fault {trial.fault.name.lower()} ({trial.first or 'no intervention'})"
    joints = ", ".join(trial.interventions)
    return f"{trial.first} (of {joints})"
