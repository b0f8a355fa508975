"""Identify an arm from a recording: parameters, how sure they are, and what they are worth."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sinew_core.bags.recording import Recording
from sinew_core.errors import IdentificationError
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.controller_file import KnownController
from sinew_core.sysid.fitting import Fitted, Fitter, IdentifyProgress
from sinew_core.sysid.identification import HeldOut, Identification, LeftOut
from sinew_core.sysid.left_out import look_for
from sinew_core.sysid.options import IdentifyOptions
from sinew_core.sysid.parametrisation import Parametrisation, make_parametrisation
from sinew_core.sysid.pieces import HISTORY_S, cut, usable_span
from sinew_core.sysid.plants import make_pool, steadied
from sinew_core.sysid.stage1 import start_values
from sinew_core.sysid.usable import check_driven_alike, check_usable
from sinew_core.sysid.verdict import judge

_SHORTEST_SPLIT_S = 8.0
"""A shorter recording is fitted whole."""
_REPLAYED_ARM = KnownController(mode="effort", gains={})


@dataclass(frozen=True, kw_only=True)
class Spans:
    """From when to when a recording is fitted, and validated; both None where it is not."""

    begin_s: float
    end_s: float
    validated_from_s: float | None = None


def identify(
    recording: Recording,
    robot: RobotModel,
    known: KnownController | None,
    options: IdentifyOptions,
    held_out: Recording | None = None,
    progress: Callable[[IdentifyProgress], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Identification:
    """Identify an arm.

    Args:
        recording: what is fitted. Without commands its measured efforts move the simulated arm.
        robot: as its description has it.
        known: what is known of its joint controllers; None for a recording without commands.
        options: what is fitted, and how.
        held_out: motion to validate with, driven alike; None for the end of the recording.
        progress: told what is going on; a KeyboardInterrupt that it raises, or Ctrl-C, ends the fit
            with the best so far, and leaves the validation out.
        clock: s, for the time that it takes.

    Raises:
        IdentificationError: a recording cannot be used.
        ConfigError: what is to be fitted does not exist, or the plant cannot take the gains.
    """
    begun = clock()
    if held_out is not None:
        check_driven_alike(recording, held_out)
    for motion in (recording, held_out):
        if motion is not None:
            check_usable(motion, robot, known)
    spans = _spans(recording, options, has_other=held_out is not None)
    _check_validated(recording, held_out, spans)
    parametrisation = _started(recording, robot, known, options, spans)
    with make_pool(
        robot, parametrisation.params(parametrisation.start), recording, options
    ) as pool:
        fitter = Fitter(recording, parametrisation, pool, options, progress, clock)
        fitted = fitter.run(spans.begin_s, spans.end_s)
        interrupted, validation, left_out = fitted.fit.ended == "interrupted", None, None
        if not interrupted:
            try:
                left_out = look_for(fitted, parametrisation, progress)
                validation = _validate(fitted, fitter, recording, held_out, spans)
            except KeyboardInterrupt:
                interrupted = True
    found = _result(
        fitted, parametrisation, recording, (validation, left_out), options, interrupted
    )
    return dataclasses.replace(found, wall_s=clock() - begun)


def _started(
    recording: Recording,
    robot: RobotModel,
    known: KnownController | None,
    options: IdentifyOptions,
    spans: Spans,
) -> Parametrisation:
    """Return what is fitted, with the start that the equations of motion tell."""
    parametrisation = _parametrisation(recording, robot, known, options)
    fitted = _between(recording, spans.begin_s, spans.end_s)
    first = start_values(fitted, robot, parametrisation.known, parametrisation)
    return steadied(
        parametrisation.with_start(first.theta), recording.position_rad, options.physics_rate_hz
    )


def _result(
    fitted: Fitted,
    parametrisation: Parametrisation,
    recording: Recording,
    checks: tuple[HeldOut | None, tuple[LeftOut, ...] | None],
    options: IdentifyOptions,
    interrupted: bool,
) -> Identification:
    """Return all that is known but how long it took."""
    validation, left_out = checks
    judgement = judge(
        fitted,
        parametrisation,
        recording,
        validation,
        left_out,
        options.parameters,
        interrupted=interrupted,
    )
    return Identification(
        robot_name=parametrisation.robot.name,
        recording=recording,
        estimates=judgement.estimates,
        covariance=judgement.covariance,
        covariance_names=judgement.covariance_names,
        params=fitted.params if judgement.usable else parametrisation.nominal_params(),
        verdict=judgement.verdict,
        findings=judgement.findings,
        chi2_per_sample=fitted.chi2_per_sample,
        noise_rad=fitted.noise.position_rad,
        residual_rad=fitted.residual_rad,
        cost_history=fitted.cost_history,
        singular_values=fitted.confidence.singular_values,
        directions=judgement.directions,
        held_out=validation if judgement.usable else None,
        wall_s=0.0,
        seed=options.seed,
        interrupted=interrupted,
        left_out=left_out,
        usable=judgement.usable,
    )


def _parametrisation(
    recording: Recording,
    robot: RobotModel,
    known: KnownController | None,
    options: IdentifyOptions,
) -> Parametrisation:
    """Return what is fitted; without commands, nothing of controller, drive and delay."""
    patterns = options.parameters
    if recording.commands is None:
        known = _REPLAYED_ARM
        of_drives = ("delay_s", "motor_strength", "kp", "kd", "kp_v", "ki_v")
        patterns = tuple(p for p in patterns if p.partition("/")[0] not in of_drives)
    return make_parametrisation(
        robot, patterns, known, prior_relative_sigma=options.prior_relative_sigma
    )


def _spans(recording: Recording, options: IdentifyOptions, *, has_other: bool) -> Spans:
    begin, end = usable_span(recording, HISTORY_S / 3.0)
    effort = recording.effort_nm
    # A driver's first state may be one of before its motors did anything, with efforts of nothing.
    silent = effort is not None and not effort[0].any() and bool(effort[1].any())
    begin = max(begin, float(recording.time_s[1 if silent else 0]))
    end = min(end, float(recording.time_s[-1]))
    share = options.held_out_share
    if has_other or share == 0.0 or end - begin < _SHORTEST_SPLIT_S:
        return Spans(begin_s=begin, end_s=end)
    split = end - share * (end - begin)
    return Spans(begin_s=begin, end_s=split, validated_from_s=split)


def _between(recording: Recording, begin_s: float, end_s: float) -> Recording:
    """Return the samples of a recording between two times; its commands stay."""
    first = int(np.searchsorted(recording.time_s, begin_s))
    last = int(np.searchsorted(recording.time_s, end_s, side="right"))
    kept = slice(first, last)
    return dataclasses.replace(
        recording,
        time_s=recording.time_s[kept],
        position_rad=recording.position_rad[kept],
        velocity_rad_s=None if recording.velocity_rad_s is None else recording.velocity_rad_s[kept],
        effort_nm=None if recording.effort_nm is None else recording.effort_nm[kept],
        gaps=tuple(g - first for g in recording.gaps if first < g < last),
    )


def _validated(
    recording: Recording, other: Recording | None, spans: Spans
) -> tuple[Recording, float, float] | None:
    """Return which motion is not fitted, from when and until when; None where there is none."""
    if other is not None:
        return other, *usable_span(other, HISTORY_S / 3.0)
    if spans.validated_from_s is None:
        return None
    end = min(usable_span(recording, HISTORY_S / 3.0)[1], float(recording.time_s[-1]))
    return recording, spans.validated_from_s, end


def _check_validated(recording: Recording, other: Recording | None, spans: Spans) -> None:
    """Refuse motion to validate on that is nothing but gaps, before the fit takes its time."""
    validated = _validated(recording, other, spans)
    if validated is not None and not cut(*validated):
        motion, begin, end = validated
        remedy = "give another bag by held_out:=" if other is not None else "give held_out_share:=0"
        raise IdentificationError(
            f"{motion.source}: no continuous motion to validate on between {begin:.3g} and "
            f"{end:.3g} s: record without gaps, or {remedy}"
        )


def _validate(
    fitted: Fitted,
    fitter: Fitter,
    recording: Recording,
    other: Recording | None,
    spans: Spans,
) -> HeldOut | None:
    """Return the motion that was not fitted, simulated; None where there is none."""
    validated = _validated(recording, other, spans)
    if validated is None:
        return None
    motion, from_s, end = validated
    if other is not None:
        return fitter.validate(fitted, other, from_s, end, from_s, other.source)
    # A closed loop is simulated from the beginning, so that its controllers are in the right state.
    begin = spans.begin_s if fitter.closed else from_s
    source = f"the last {end - from_s:.3g} s of {recording.source}"
    return fitter.validate(fitted, motion, begin, end, from_s, source)
