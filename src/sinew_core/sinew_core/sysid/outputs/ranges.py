"""Ranges for training from what an identification is sure of, and from what it is not.

| parameter | entry |
|---|---|
| identifiable | with all others, from their inflated covariance; cut off at 2 sigma |
| identifiable, 2 sigma go beyond what is possible | normal of its own, cut off there |
| asked for, not identifiable | uniform: `WIDE` around the value assumed, or 2 sigma if narrower |
| not asked for | constant where it is known and not nominal, else left nominal |
| position noise | constant, the largest of the joints |

The inflation is the held-out error over that of the fitted motion, at least 1: the sigmas of a fit
already grow with its own residuals, but a model that misses something is wrong about new motions
by more than that. Joint gains, and inertias beyond mass, are no quantities of a
randomisation: they stay as identified, and the others keep their own part of the covariance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import yaml

from sinew_core.errors import ConfigError
from sinew_core.randomisation import Randomisation
from sinew_core.robots.arm_dynamics import nominal_values, quantity_of
from sinew_core.robots.arrays import Array
from sinew_core.robots.described_by import description_text
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.comments import as_comments
from sinew_core.sysid.identification import Estimate, Identification

RANGES_SIGMAS = 2.0
WIDER_SIGMAS = 3.0
"""Where bounds at two sigmas would cut off nearly all draws: with a hundred names, say."""

MOST_INFLATION = 10.0
"""An error tenfold that of the noise asks for a better model, not for still wider ranges."""

WIDE = {
    "mass": (0.8, 1.2),
    "coulomb": (0.1, 0.9),
    "viscous": (0.05, 1.0),
    "motor_strength": (0.9, 1.0),
    "payload/mass": (0.0, 1.0),
    "payload/z_m": (0.0, 0.1),
    "delay_s": (0.0, 0.02),
}
"""As config/randomisation/default.yaml, for an arm of which nothing is known; mass as a factor."""

_SOURCE = "randomization.yaml"
_NOISE = "sensor_noise/position_rad"


@dataclass(frozen=True, kw_only=True)
class Range:
    """What is drawn for one parameter, for tables: its bounds and how they came about."""

    low: float
    high: float
    why: str


def inflation(found: Identification) -> float:
    """Return the factor on every sigma, from 1 to `MOST_INFLATION`."""
    if found.held_out is None:
        return 1.0
    fitted = max(_rms(found.residual_rad), _rms(found.noise_rad))
    factor = found.held_out.rmse_rad / fitted if fitted > 0.0 else 1.0
    return min(max(factor, 1.0), MOST_INFLATION) if math.isfinite(factor) else MOST_INFLATION


def make_ranges(found: Identification, robot: RobotModel) -> Randomisation:
    """Return the distributions that training draws the arm from."""
    factor = inflation(found)
    nominal = nominal_values(robot)
    asked = [e for e in found.estimates if e.name in nominal]
    sure = {e.name: e for e in asked if _is_sure(e, found)}
    alone = [name for name in sure if _near_bound(sure[name], factor)]
    together = [name for name in found.covariance_names if name in sure and name not in alone]
    if len(together) == 1:  # a group needs two
        alone, together = [*alone, *together], []
    entries = {name: _normal(sure[name], factor) for name in alone}
    entries |= {
        e.name: _wide(e, factor)
        for e in asked
        if e.name not in sure and (_has_range(e.name) or e.value != nominal[e.name])
    }
    entries |= _constants(found, robot, {e.name for e in asked})
    content: dict[str, object] = {"parameters": entries}
    if not together:
        return Randomisation.from_mapping(content, robot, _SOURCE)
    group = _group(together, sure, found, factor)
    try:
        content["correlated"] = [group | _bounds(together, sure, factor, RANGES_SIGMAS)]
        return Randomisation.from_mapping(content, robot, _SOURCE)
    except ConfigError:
        content["correlated"] = [group | _bounds(together, sure, factor, WIDER_SIGMAS)]
        return Randomisation.from_mapping(content, robot, _SOURCE)


def ranges_text(ranges: Randomisation, comments: Sequence[str]) -> str:
    """Return the file that `read_randomisation` reads, with comments above."""
    text = yaml.safe_dump(ranges.to_mapping(), sort_keys=False, default_flow_style=None, width=100)
    return as_comments(comments) + text + description_text(ranges.robot)


def describe_ranges(ranges: Randomisation) -> dict[str, Range]:
    """Return bounds and kind of each parameter that is drawn."""
    kinds = {name: "drawn with the others" for g in ranges.correlated for name in g.names}
    for entry in ranges.entries:
        kind = str(entry.distribution.to_mapping()["distribution"])
        kinds.update(dict.fromkeys(entry.names, kind))
    return {
        name: Range(low=low, high=high, why=kinds[name])
        for name, (low, high) in ranges.bounds().items()
    }


def _rms(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(np.square(known)))) if known.size else 0.0


def _is_sure(estimate: Estimate, found: Identification) -> bool:
    known = estimate.identifiable and estimate.name in found.covariance_names
    return known and math.isfinite(estimate.sigma) and estimate.sigma > 0.0


def _near_bound(estimate: Estimate, factor: float) -> bool:
    low, high = _allowed(estimate.name)
    reach = RANGES_SIGMAS * factor * estimate.sigma
    return estimate.value - reach < low or estimate.value + reach > high


def _allowed(name: str) -> tuple[float, float]:
    quantity = quantity_of(name)
    return (quantity.lowest, quantity.highest) if quantity else (-math.inf, math.inf)


def _clipped(name: str, low: float, high: float) -> tuple[float, float]:
    lowest, highest = _allowed(name)
    return min(max(low, lowest), highest), max(min(high, highest), lowest)


def _normal(estimate: Estimate, factor: float) -> dict[str, object]:
    reach = RANGES_SIGMAS * factor * estimate.sigma
    low, high = _clipped(estimate.name, estimate.value - reach, estimate.value + reach)
    mean, std = min(max(estimate.value, low), high), factor * estimate.sigma
    return {"distribution": "normal", "mean": mean, "std": std, "low": low, "high": high}


def _has_range(name: str) -> bool:
    return name in WIDE or name.partition("/")[0] in WIDE


def _wide(estimate: Estimate, factor: float) -> dict[str, object]:
    """Return the documented range about the value assumed, or what little the data say."""
    value, name = estimate.value, estimate.name
    if not _has_range(name):
        return {"distribution": "constant", "value": value}
    low, high = WIDE.get(name) or WIDE[name.partition("/")[0]]
    if name.startswith("mass/"):
        low, high = low * value, high * value
    low, high = min(low, value), max(high, value)
    reach = RANGES_SIGMAS * factor * estimate.sigma
    if math.isfinite(reach) and reach > 0.0:
        low, high = max(low, value - reach), min(high, value + reach)
    low, high = _clipped(name, low, high)
    return {"distribution": "uniform", "low": low, "high": high}


def _constants(
    found: Identification, robot: RobotModel, asked: set[str]
) -> dict[str, dict[str, object]]:
    """Return what is known without having been asked for, and the noise of the positions."""
    nominal = nominal_values(robot)
    known = {
        name: value
        for name, value in found.params.dynamics.values(robot).items()
        if name not in asked and value != nominal[name] and not name.startswith("sensor_noise/")
    }
    noise = float(np.max(found.noise_rad)) if found.noise_rad.size else 0.0
    if 0.0 < noise <= _allowed(_NOISE)[1]:
        known[_NOISE] = noise
    return {name: {"distribution": "constant", "value": v} for name, v in known.items()}


def _group(
    names: Sequence[str], sure: dict[str, Estimate], found: Identification, factor: float
) -> dict[str, object]:
    rows = [found.covariance_names.index(name) for name in names]
    covariance: Array = found.covariance[np.ix_(rows, rows)] * factor**2
    covariance = (covariance + covariance.T) / 2.0
    return {
        "names": list(names),
        "mean": [sure[name].value for name in names],
        "covariance": covariance.tolist(),
    }


def _bounds(
    names: Sequence[str], sure: dict[str, Estimate], factor: float, sigmas: float
) -> dict[str, object]:
    bounds = []
    for name in names:
        reach = sigmas * factor * sure[name].sigma
        bounds.append(_clipped(name, sure[name].value - reach, sure[name].value + reach))
    return {"low": [low for low, _ in bounds], "high": [high for _, high in bounds]}
