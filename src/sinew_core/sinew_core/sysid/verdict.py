"""What a fit is worth: each value's estimate, one word for the whole, and sentences on why."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sinew_core.bags.recording import Recording
from sinew_core.robots.arm_controller import GAIN_UNITS
from sinew_core.robots.arrays import Array
from sinew_core.sysid.confidence import MISMATCH
from sinew_core.sysid.fitting import Fitted
from sinew_core.sysid.identifiable import combinations, in_words
from sinew_core.sysid.identification import Estimate, HeldOut, LeftOut
from sinew_core.sysid.least_squares import ENDED_EARLY
from sinew_core.sysid.parametrisation import Parametrisation
from sinew_core.sysid.suspects import on_what_was_left_out, suspicions
from sinew_core.sysid.usable import NO_SCALE, lacks_scale, still_joints

_NORMAL_95 = 1.959963984540054
_UNSETTLED = "the fit of a motion this poor did not settle"
_POOR_SHARE = 0.5
"""Share of the values that have to be identifiable, lest the excitation is called poor."""
_NEEDS_SCALE = ("mass", "coulomb", "viscous", "armature", "payload/mass", *GAIN_UNITS)
_NEEDS_SCALE_WHOLE = ("inertia_",)


@dataclass(frozen=True, kw_only=True, eq=False)
class Judgement:
    """Those fields of an `Identification` that judge."""

    estimates: tuple[Estimate, ...]
    covariance: Array
    covariance_names: tuple[str, ...]
    verdict: str
    findings: tuple[str, ...]
    directions: tuple[str, ...]
    usable: bool = True
    """Whether the values say anything of the arm; else they are the description's."""


def judge(
    fitted: Fitted,
    parametrisation: Parametrisation,
    recording: Recording,
    held_out: HeldOut | None,
    left_out: Sequence[LeftOut] | None = (),
    patterns: Sequence[str] = (),
    *,
    interrupted: bool = False,
) -> Judgement:
    """Judge a fit.

    Args:
        fitted: its end.
        parametrisation: what was fitted.
        recording: to what.
        held_out: motion that was not fitted.
        left_out: what the data say of parameters that were not fitted; None where that is unknown.
        patterns: by which the fitted ones were asked for.
        interrupted: why nothing was held out, or tested for what was left out.
    """
    names = parametrisation.names
    alone, mixed = combinations(fitted.confidence.undetermined, fitted.accepted)
    scaled = _without_scale(fitted, parametrisation, recording)
    directions = tuple(in_words(d, names, fitted.values) for d in mixed)
    remarks = _remarks(fitted, names, scaled, alone, mixed)
    estimates = _estimates(fitted, parametrisation, scaled, remarks)
    usable = _is_usable(estimates, fitted)
    if not usable:
        held_out = None
        estimates = tuple(map(_unsettled, estimates, parametrisation.described_values().tolist()))
    suspects = suspicions(estimates, parametrisation, left_out or ())
    estimates = tuple(_remarked(e, suspects.get(e.name, e.remark)) for e in estimates)
    odd = [e for e in estimates if e.name in suspects]
    kept = [i for i, estimate in enumerate(estimates) if estimate.identifiable]
    verdict = _verdict(fitted, len(kept), len(names), bool(scaled), left_out)
    findings = (
        _first_sentence(verdict, fitted, len(kept), len(names)),
        *on_what_was_left_out(left_out or (), patterns, odd),
        *_on_the_test(fitted, left_out, interrupted),
        *_findings(fitted, names, estimates, directions, scaled, recording, held_out, interrupted),
    )
    return Judgement(
        estimates=estimates,
        covariance=fitted.confidence.covariance[np.ix_(kept, kept)],
        covariance_names=tuple(names[i] for i in kept),
        verdict=verdict,
        findings=findings,
        directions=(*(f"{names[i]} by itself" for i in alone), *directions),
        usable=usable,
    )


def _without_scale(
    fitted: Fitted, parametrisation: Parametrisation, recording: Recording
) -> frozenset[int]:
    """Return the values of which positions under unknown gains tell but ratios."""
    measured = fitted.noise.effort_nm is not None
    if not lacks_scale(recording, parametrisation.known, use_effort=measured):
        return frozenset()
    return frozenset(
        i
        for i, name in enumerate(parametrisation.names)
        if name in _NEEDS_SCALE
        or name.partition("/")[0] in _NEEDS_SCALE
        or name.startswith(_NEEDS_SCALE_WHOLE)
    )


def _remarks(
    fitted: Fitted,
    names: Sequence[str],
    scaled: frozenset[int],
    alone: Sequence[int],
    mixed: Sequence[Array],
) -> list[str]:
    """Return why each value is not to be trusted, empty for no reason."""
    remarks = [""] * len(names)
    for direction in mixed:
        for i in np.flatnonzero(direction).tolist():
            remarks[i] = f"known only together: {in_words(direction, names, fitted.values)}"
    for i in alone:
        remarks[i] = "this motion hardly depends on it"
    for i in fitted.fit.dead:
        remarks[i] = "changing it changes nothing in the simulated motion"
    for i in fitted.sticking:
        remarks[i] = "the joint sticks: more of it changes nothing, so this is the least it can be"
    for i in scaled:
        remarks[i] = f"assumed scale: {NO_SCALE}"
    return remarks


def _estimates(
    fitted: Fitted, parametrisation: Parametrisation, scaled: frozenset[int], remarks: list[str]
) -> tuple[Estimate, ...]:
    estimates = []
    for i, name in enumerate(parametrisation.names):
        sigma = (
            float("inf")
            if i in scaled or i in fitted.sticking
            else float(fitted.confidence.sigma[i])
        )
        identifiable = sigma <= float(fitted.accepted[i])
        value, at_bound = float(fitted.values[i]), bool(fitted.fit.at_bound[i])
        remark = remarks[i]
        if identifiable:
            remark = "ended at what is allowed" if at_bound else ""
        elif not remark:
            remark = (
                f"known to {sigma:.2g}, which is not close enough"
                if np.isfinite(sigma)
                else "the data do not tell its effect from that of others"
            )
        half = _NORMAL_95 * sigma
        estimates.append(
            Estimate(
                name=name,
                value=value,
                sigma=sigma,
                ci95=(value - half, value + half),
                identifiable=identifiable,
                unit=parametrisation.units[i],
                nominal=float(parametrisation.nominal[i]),
                at_bound=at_bound,
                remark=remark,
            )
        )
    return tuple(estimates)


def _is_poor(identifiable: int, count: int) -> bool:
    return identifiable < _POOR_SHARE * count


def _is_usable(estimates: Sequence[Estimate], fitted: Fitted) -> bool:
    identifiable = sum(e.identifiable for e in estimates)
    return fitted.fit.settled or not _is_poor(identifiable, len(estimates))


def _remarked(estimate: Estimate, remark: str) -> Estimate:
    return dataclasses.replace(estimate, remark=remark)


def _unsettled(estimate: Estimate, described: float) -> Estimate:
    """Return an estimate of which nothing is known, with the value that the arm is described with.

    Where most of an arm sticks the motion hardly changes with most values, and then all at once; a
    fit that ended there short of its optimum may be anywhere, whatever the slopes at its end say.
    """
    return dataclasses.replace(
        estimate,
        value=described,
        sigma=np.inf,
        ci95=(-np.inf, np.inf),
        identifiable=False,
        at_bound=False,
        remark=_UNSETTLED,
    )


def _verdict(
    fitted: Fitted,
    identifiable: int,
    count: int,
    lacks_scale: bool,
    left_out: Sequence[LeftOut] | None,
) -> str:
    shows_more = any(group.shown for group in left_out or ())
    if identifiable == 0 or lacks_scale:
        return "unidentifiable"
    if _is_poor(identifiable, count):
        return "poor_excitation"
    if not shows_more and fitted.fit.ended in ENDED_EARLY:
        return "not_converged"
    if shows_more or fitted.chi2_per_sample > MISMATCH:
        return "model_mismatch"
    return "not_tested" if left_out is None else "good"


def _findings(
    fitted: Fitted,
    names: Sequence[str],
    estimates: Sequence[Estimate],
    directions: Sequence[str],
    scaled: frozenset[int],
    recording: Recording,
    held_out: HeldOut | None,
    interrupted: bool,
) -> list[str]:
    unknown = [e.name for e in estimates if not e.identifiable]
    found = []
    if scaled:
        found.append(
            f"Nothing absolute is known: {NO_SCALE}. Masses, frictions and gains stand at an "
            "assumed scale: give the gains, or record efforts."
        )
    found += _on_the_residuals(fitted)
    found += [f"The data tell {words}." for words in directions]
    if any(e.remark == _UNSETTLED for e in estimates):
        found.append(
            "This motion is too poor, and its fit did not settle: nothing of it is kept, all "
            "values are the description's. Record a motion that tells more."
        )
    elif unknown:
        found.append(
            f"Not identifiable from this motion, and left near what was assumed: {_some(unknown)}."
        )
    found += _on_the_fit(fitted, names, estimates)
    still = still_joints(recording)
    if still:
        found.append(f"Hardly moved: {_some(still)}: excite every joint whose values matter.")
    if held_out is not None:
        found.append(_on_held_out(held_out, fitted))
    elif interrupted:
        found.append("Not validated: interrupted before it; identify again for a held-out error.")
    return found


def _first_sentence(verdict: str, fitted: Fitted, identified: int, count: int) -> str:
    share = f"{identified} of {count} values are identified"
    if verdict == "model_mismatch" and fitted.chi2_per_sample <= MISMATCH:
        return (
            f"{share}, and the simulated arm explains the recorded motion within its noise, but "
            "by values of which some stand in for what was not fitted."
        )
    return {
        "good": f"{share}; the simulated arm explains the recorded motion within its noise.",
        "model_mismatch": f"{share}, but the simulated arm does not explain all of the motion.",
        "not_tested": f"{share}, and the simulated arm explains the recorded motion within its "
        "noise, but maybe by values that stand in for what was not fitted.",
        "not_converged": f"{share} if the fit is near its end, which it did not reach.",
        "poor_excitation": f"The motion is too poor: only {share}.",
        "unidentifiable": "The recording does not identify this arm"
        + (f": {share}." if identified else ": no value is identified."),
    }[verdict]


def _on_the_test(
    fitted: Fitted, left_out: Sequence[LeftOut] | None, interrupted: bool
) -> list[str]:
    """Return that the test for what was left out was ended, where the fit itself was not."""
    if left_out is not None or not interrupted or fitted.fit.ended == "interrupted":
        return []
    return [
        "Not tested for what was left out: interrupted before it; identify again to know whether "
        "values stand in for it."
    ]


def _on_the_residuals(fitted: Fitted) -> list[str]:
    if fitted.chi2_per_sample <= MISMATCH:
        return []
    return [
        f"Chi-square per sample is {fitted.chi2_per_sample:.3g} where 1 is expected: what is left "
        f"over is {np.sqrt(fitted.chi2_per_sample):.2g} times the noise. The arm has something "
        "that the model lacks (friction of another kind, play, elasticity, timing), or the "
        "controller is another. Standard deviations go by the residuals, and by how long they "
        "last; an error that is the same all over the motion is not covered."
    ]


def _on_the_fit(fitted: Fitted, names: Sequence[str], estimates: Sequence[Estimate]) -> list[str]:
    found = []
    bounds = [e.name for e in estimates if e.at_bound]
    if bounds:
        found.append(f"At the bound of what is allowed: {_some(bounds)}.")
    if fitted.fit.dead:
        dead = [names[i] for i in fitted.fit.dead]
        found.append(f"Changing {_some(dead)} changes nothing in the simulated motion.")
    ends = {
        "steps": "The fit was still improving when its steps were used up: raise max_steps.",
        "crawled": "The fit ended where its steps hardly improved it, short of its usual end.",
        "interrupted": "The fit was interrupted: the values are the best so far.",
        "time": "The fit was cut short, still improving, when its time was used up: raise "
        "max_fit_s, or fit fewer parameters.",
        "stuck": "The fit ended where no step improved it, short of its usual end.",
    }
    if fitted.fit.ended in ends:
        found.append(ends[fitted.fit.ended])
    return found


def _on_held_out(held_out: HeldOut, fitted: Fitted) -> str:
    noise = float(np.sqrt(np.mean(fitted.noise.position_rad**2)))
    nominal = (
        f"with the nominal arm {1e3 * held_out.nominal_rmse_rad:.3g} mrad"
        if np.isfinite(held_out.nominal_rmse_rad)
        else "while the nominal arm diverges"
    )
    return (
        f"On {held_out.source} the simulated positions are {1e3 * held_out.rmse_rad:.3g} mrad off "
        f"what was measured, {nominal}; {1e3 * noise:.3g} mrad of it is noise."
    )


def _some(names: Sequence[str], most: int = 8) -> str:
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return ", ".join(names)
