"""The figures of an identification as `report.json` holds them, under keys that stay.

| key | what |
|---|---|
| `parameters` | by name: `value`, `sigma`, `ci95` [low, high], `identifiable`, `unit`, … |
| `delay_s` | from a command until the drive has it |
| `chi2_per_sample` | 1 where the model explains all but the noise |
| `held_out` | `rmse_rad`, `nominal_rmse_rad`, the same per joint, `source`, `defects`, or null |
| `verdict`, `findings` | a word, and sentences |
| `left_out` | of each kind of parameters that was not fitted: `shown`, `statistic`, `dof`, … |
| `interrupted` | whether Ctrl-C ended the fit, or left the validation out |
| `noise_rad`, `residual_rad` | per joint |
| `gap` | of the nominal and the identified arm, see `sinew_core.sysid.gap` |
| `wall_s`, `seed`, `robot`, `bag`, `defects`, `versions`, … | where it comes from |

JSON has neither infinity nor not-a-number: an infinite sigma, an unknown nominal and a bound at
infinity are null.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from importlib import metadata

import numpy as np

from sinew_core.bags.recording import Defect, Recording
from sinew_core.robots.arrays import Array
from sinew_core.sysid.identification import Estimate, HeldOut, Identification, LeftOut

FORMAT = 1
"""Raised when a key changes its meaning."""

_PACKAGES = ("numpy", "scipy", "numba", "pin", "pybullet", "mujoco", "rosbags")


def number(value: float) -> float | None:
    """Return a number as JSON holds it, None for one that is not finite."""
    return float(value) if math.isfinite(value) else None


def numbers(values: Sequence[float] | Array) -> list[float | None]:
    """Return numbers as JSON holds them."""
    return [number(float(value)) for value in values]


def per_joint(names: Sequence[str], values: Sequence[float] | Array) -> dict[str, float | None]:
    """Return one number for each joint."""
    return dict(zip(names, numbers(values), strict=True))


def summarise(found: Identification, *, date: str, inflation: float) -> dict[str, object]:
    """Return the content of `report.json`."""
    joints = found.recording.joint_names
    return {
        "format": FORMAT,
        "robot": found.robot_name,
        "verdict": found.verdict,
        "findings": list(found.findings),
        "interrupted": found.interrupted,
        "parameters": {e.name: _parameter(e) for e in found.estimates},
        "delay_s": number(found.delay_s),
        "chi2_per_sample": number(found.chi2_per_sample),
        "held_out": _held_out(found.held_out, joints),
        "left_out": _left_out(found.left_out),
        "noise_rad": per_joint(joints, found.noise_rad),
        "residual_rad": per_joint(joints, found.residual_rad),
        "inflation": number(inflation),
        "singular_values": numbers(found.singular_values),
        "directions": list(found.directions),
        "covariance_names": list(found.covariance_names),
        "covariance": [numbers(row) for row in found.covariance],
        "cost_history": numbers(found.cost_history),
        **_bag(found.recording),
        "seed": found.seed,
        "wall_s": number(found.wall_s),
        "date": date,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of what the numbers depend on, as far as installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def joint_rmse(measured: Array, simulated: Array) -> Array:
    """Return the root mean square (n,) of a difference (N, n)."""
    root: Array = np.sqrt(np.mean(np.square(measured - simulated), axis=0))
    return root


def _parameter(estimate: Estimate) -> dict[str, object]:
    return {
        "value": number(estimate.value),
        "sigma": number(estimate.sigma),
        "ci95": numbers(estimate.ci95),
        "identifiable": estimate.identifiable,
        "unit": estimate.unit,
        "nominal": number(estimate.nominal),
        "at_bound": estimate.at_bound,
        "remark": estimate.remark,
    }


def _left_out(groups: Sequence[LeftOut] | None) -> dict[str, object] | None:
    if groups is None:
        return None
    return {
        group.name: {
            "shown": group.shown,
            "statistic": number(group.score.statistic),
            "dof": group.score.dof,
            "p_value": number(math.exp(group.score.log_p)),
            "values": {name: number(value) for name, value in group.values.items()},
            "possible": group.possible,
            "stand_ins": {
                s.name: {"shift": number(s.shift), "sigmas": number(s.sigmas)}
                for s in group.stand_ins
            },
        }
        for group in groups
    }


def _held_out(held: HeldOut | None, joints: Sequence[str]) -> dict[str, object] | None:
    if held is None:
        return None
    identified = joint_rmse(held.measured_rad, held.identified_rad)
    nominal = joint_rmse(held.measured_rad, held.nominal_rad)
    return {
        "rmse_rad": number(held.rmse_rad),
        "nominal_rmse_rad": number(held.nominal_rmse_rad),
        "joint_rmse_rad": per_joint(joints, identified),
        "nominal_joint_rmse_rad": per_joint(joints, nominal),
        "samples": len(held.time_s),
        "source": held.source,
        "defects": _defects(held.defects),
    }


def _bag(recording: Recording) -> dict[str, object]:
    commands = recording.commands
    return {
        "bag": recording.source,
        "samples": len(recording.time_s),
        "duration_s": number(float(recording.time_s[-1] - recording.time_s[0])),
        "commands": None
        if commands is None
        else {"topic": commands.topic, "mode": commands.mode, "count": len(commands.time_s)},
        "defects": _defects(recording.defects),
    }


def _defects(defects: Sequence[Defect]) -> list[dict[str, object]]:
    return [
        {
            "kind": d.kind,
            "topic": d.topic,
            "count": d.count,
            "first_ns": d.first_ns,
            "text": d.text,
        }
        for d in defects
    ]
