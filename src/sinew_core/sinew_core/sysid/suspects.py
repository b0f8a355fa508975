"""Fitted values that may not be what they are called: they stand in for what was not fitted.

A value is suspect where it is well determined, and

- a parameter that was not fitted and that the data show would move it by more than three of its
  standard deviations (`left_out`), or
- it is more than three deviations off what the robot's description suggests of it, or
- it ended at a bound of what is allowed.

For the latter two nothing may be shown, since a value that imitates another exactly leaves nothing
over; then what was not fitted and has most of its effect, too, is named.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sinew_core.sysid.identification import Estimate, LeftOut
from sinew_core.sysid.parametrisation import Parametrisation

_FAR = 3.0
_SOME = 4


def suspicions(
    estimates: Sequence[Estimate], parametrisation: Parametrisation, left_out: Sequence[LeftOut]
) -> dict[str, str]:
    """Return why values are suspect, by their names."""
    found: dict[str, str] = {}
    for estimate in estimates:
        if estimate.identifiable:
            words = _moved(estimate, left_out) or _implausible(estimate, parametrisation, left_out)
            found.update({estimate.name: words} if words else {})
    return found


def _moved(estimate: Estimate, left_out: Sequence[LeftOut]) -> str:
    """Tell for what a value stands in, by what the data show: the one that moves it farthest."""
    moved = [
        (abs(other.sigmas), other, group.name)
        for group in left_out
        for other in group.stand_ins
        if group.shown and other.name == estimate.name
    ]
    if not moved:
        return ""
    _, most, name = max(moved, key=lambda each: each[0])
    value = f"{estimate.value + most.shift:.3g} {estimate.unit}".rstrip()
    return f"stands in for {name}: about {value} where that is fitted, too"


def _implausible(
    estimate: Estimate, parametrisation: Parametrisation, left_out: Sequence[LeftOut]
) -> str:
    """Tell what is odd about a value by itself, and what else would have its effect."""
    place = parametrisation.index(estimate.name)
    assert place is not None
    sigma = float(parametrisation.prior_sigma[place])
    of_whole = any(place in range(i, i + 10) for i in parametrisation.whole_links.values())
    off = 0.0 if of_whole or not np.isfinite(sigma) else (estimate.value - estimate.nominal) / sigma
    if abs(off) > _FAR:
        odd = f"{abs(off):.2g} deviations off what the description suggests"
    elif estimate.at_bound:
        odd = "ended at what is allowed"
    else:
        return ""
    alike = {g.name: g.imitated[estimate.name] for g in left_out if estimate.name in g.imitated}
    if not alike:
        return odd
    return f"{odd}: may stand in for {max(alike, key=lambda name: alike[name])}"


def on_what_was_left_out(
    left_out: Sequence[LeftOut], patterns: Sequence[str], suspects: Sequence[Estimate]
) -> list[str]:
    """Return sentences on what the data show beside what was fitted, and the remedy."""
    shown = [group for group in left_out if group.shown]
    if not shown:
        return _on_the_odd(suspects)
    found = [
        "Not fitted, but shown by the data: " + "; ".join(_in_words(group) for group in shown) + "."
    ]
    moved = dict.fromkeys(other.name for group in shown for other in group.stand_ins)
    if moved:
        found.append(
            f"Values stand in for it, and are wrong by more than their intervals: "
            f"{', '.join(moved)}."
        )
    added = [name for group in shown if group.possible for name in remedy(group.name)]
    if added:
        found.append(
            f"Remedy: add {' '.join(added)} to what is fitted: "
            f'fit:="{" ".join(dict.fromkeys([*patterns, *added]))}".'
        )
    return found + _on_the_odd([e for e in suspects if e.name not in moved])


def _on_the_odd(suspects: Sequence[Estimate]) -> list[str]:
    odd = [f"{e.name} ({e.remark})" for e in suspects if not e.remark.startswith("ended")]
    if not odd:
        return []
    more = f" and {len(odd) - _SOME} more" if len(odd) > _SOME else ""
    return [f"Suspect, though well determined: {', '.join(odd[:_SOME])}{more}."]


def remedy(name: str) -> tuple[str, ...]:
    """Return the patterns that fit what a group is."""
    if name == "stribeck/stiction":
        return (name, "stribeck/velocity_rad_s")
    return (name,)


def _in_words(group: LeftOut) -> str:
    values = ", ".join(values_in_words(group))
    if group.possible:
        return f"{group.name} (about {values})"
    return f"something like {group.name} (its values would be {values}, which no arm has)"


def values_in_words(group: LeftOut) -> list[str]:
    """Return what a group's values would be about, each with name and unit."""
    named = [
        f"{name.rpartition('/')[2]} {value:.2g} {group.units.get(name, '')}".rstrip()
        for name, value in group.values.items()
    ]
    more = len(named) - 2 * _SOME
    return [*named[: 2 * _SOME], f"{more} more"] if more > 0 else named
