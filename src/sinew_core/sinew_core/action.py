"""What an action in [-1, 1]^n asks of the joints."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sinew_core.errors import ConfigError, suggest
from sinew_core.parameters import Parameters, parameter
from sinew_core.rates import Rates
from sinew_core.specs import ACTION_MODES, ActionSpec

FloatArray = NDArray[np.float64]
Action = NDArray[np.float32] | NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActionParameters(Parameters):
    """How much of each joint's limit an action of 1 stands for."""

    velocity_fraction: float = parameter(
        0.4,
        "joint_velocity: velocity at action 1, as a fraction of its limit",
        minimum=1e-3,
        maximum=1,
    )
    position_fraction: float = parameter(
        0.4,
        "joint_position: move at action 1, as a fraction of velocity limit times control period",
        minimum=1e-3,
        maximum=1,
    )
    effort_fraction: float = parameter(
        0.1,
        "joint_effort: largest effort at action 1, as a fraction of its limit",
        minimum=1e-3,
        maximum=1,
    )
    effort_acceleration_rad_s2: float = parameter(
        5.0,
        "joint_effort: what an action of 1 accelerates a joint by at home, the others held",
        unit="rad/s²",
        minimum=1e-2,
        maximum=1e4,
    )


class Limits(Protocol):
    """What the scale of an action derives from."""

    @property
    def velocity_rad_s(self) -> FloatArray:
        """Velocity limits (n,) rad/s."""
        ...

    @property
    def effort_nm(self) -> FloatArray:
        """Effort limits (n,) N m."""
        ...


def make_action_spec(
    mode: str,
    joint_names: Sequence[str],
    limits: Limits,
    rates: Rates,
    inertia_kg_m2: FloatArray,
    parameters: ActionParameters | None = None,
) -> ActionSpec:
    """Return the action of a robot in a mode, scaled by its limits.

    Efforts are scaled by inertia, too: a tenth of the limit turns the last joint of an iiwa 14 by
    13,000 rad/s², and an arm whose joints differ so much cannot be learned to be moved.

    Args:
        mode: one of `ACTION_MODES`.
        joint_names: (n,), in the order of the action.
        limits: of the joints.
        rates: the control rate counts.
        inertia_kg_m2: (n,) of each joint at home, the others held.
        parameters: None for the defaults.

    Raises:
        ConfigError: for an unknown mode.
    """
    fractions = parameters or ActionParameters()
    if mode not in ACTION_MODES:
        raise ConfigError(f"action_mode '{mode}': {suggest(mode, ACTION_MODES)}")
    if mode == "joint_effort":
        scale = np.minimum(
            limits.effort_nm * fractions.effort_fraction,
            inertia_kg_m2 * fractions.effort_acceleration_rad_s2,
        )
    elif mode == "joint_position":
        scale = limits.velocity_rad_s * (fractions.position_fraction * rates.control_period_s)
    else:
        scale = limits.velocity_rad_s * fractions.velocity_fraction
    return ActionSpec(
        mode=mode, joint_names=tuple(joint_names), scale=tuple(float(s) for s in scale)
    )


def nudged(spec: ActionSpec, sizes: Sequence[float]) -> ActionSpec:
    """Return an action that is discrete: a table of nudges, each of one joint, and one that rests.

    Args:
        spec: the action in [-1, 1]^n.
        sizes: (s,) of the nudges, in (0, 1]; the table has 1 + 2 n s rows: rest, then for each
            joint and size the nudge forwards and the one backwards.

    Raises:
        ConfigError: for a size outside (0, 1], or given twice.
    """
    if len(set(sizes)) != len(sizes) or not all(0.0 < size <= 1.0 for size in sizes):
        raise ConfigError(f"nudge sizes {list(sizes)}: give different ones above 0, up to 1")
    rows = [(0.0,) * spec.size]
    for joint, size, sign in itertools.product(range(spec.size), sizes, (1.0, -1.0)):
        rows.append(tuple(sign * size * (joint == other) for other in range(spec.size)))
    return dataclasses.replace(spec, nudges=tuple(rows))


class ActionDecoder:
    """Turns an action into the command that the safety filter is asked for."""

    def __init__(self, spec: ActionSpec) -> None:
        """Take the specification of the action."""
        self.spec = spec
        self.action: FloatArray = np.zeros(spec.size)
        self._scale = np.array(spec.scale, dtype=np.float64)
        self._is_position = spec.mode == "joint_position"

    def decode(
        self, action: Action, joint_position: FloatArray, out: FloatArray | None = None
    ) -> FloatArray:
        """Return the command (n,): rad/s, rad or N m by mode; `action` keeps the clipped action.

        A position command counts from the measured position, so that a command that the filter
        holds back cannot pile up. NaN stays NaN, for the filter to refuse.

        Args:
            action: (n,), clipped to [-1, 1].
            joint_position: (n,) rad, measured at the decision.
            out: (n,), written and returned if given.
        """
        if out is None:
            out = np.empty(self._scale.size)
        np.minimum(action, 1.0, out=self.action)
        np.maximum(self.action, -1.0, out=self.action)
        np.multiply(self.action, self._scale, out)
        if self._is_position:
            np.add(out, joint_position, out)
        return out
