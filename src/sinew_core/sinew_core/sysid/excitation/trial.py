"""A motion sent through the safety filter as the node will send it, before anything moves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sinew_core.rates import Rates
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.safety.filter import Cause, FilterFault
from sinew_core.safety.make import make_filter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.realtime import real_time_assumptions
from sinew_core.sysid.excitation.reference import Reference


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What the filter did.

    Attributes:
        cycles: how many were run; fewer than the motion has where the limit was reached.
        interventions: cycles by joint and cause.
        first: where and why the first was, empty for none.
        fault: the gravest fault, None for none.
    """

    cycles: int
    interventions: dict[str, Counter[Cause]]
    first: str
    fault: FilterFault | None

    @property
    def passed(self) -> bool:
        """Whether the filter let the whole motion pass as it is."""
        return not self.interventions and self.fault is None


@dataclass(frozen=True, kw_only=True)
class FilterSetting:
    """The safety filter that a motion has to pass, as its node is configured.

    Attributes:
        mode: action mode.
        safety: its parameters, those of the node.
        rates: its cycles are those of `filter_rate_hz`.
        lockstep: whether nodes wait for each other; else latency and jitter are assumed.
        gravity_compensation: for efforts, whether the arm's controller adds gravity's.
    """

    mode: str
    safety: SafetyParameters
    rates: Rates
    lockstep: bool
    gravity_compensation: bool = True

    @property
    def assumed(self) -> SafetyParameters:
        """The parameters that the filter runs with."""
        return self.safety if self.lockstep else real_time_assumptions(self.safety, self.rates)


def run_trial(
    robot: RobotModel, setting: FilterSetting, reference: Reference, commands: Array, limit: int = 0
) -> Trial:
    """Send commands (N, n) for a motion through a filter whose arm follows them exactly.

    Args:
        robot: whose limits and shapes count.
        setting: of the filter.
        reference: what the arm does.
        commands: one for each sample, in the unit of the mode.
        limit: end after this many cycles with an intervention; 0: never.

    Raises:
        ConfigError: if limits, parameters and period do not fit each other.
        RobotError: if a collision shape cannot be used.
    """
    checked = make_filter(
        setting.mode,
        robot,
        setting.assumed,
        setting.rates.filter_period_s,
        gravity_compensation=setting.gravity_compensation,
    )
    positions, velocities = reference.position_rad.tolist(), reference.velocity_rad_s.tolist()
    checked.reset(positions[0])
    interventions: dict[str, Counter[Cause]] = {}
    first, fault, changed, cycles = "", None, 0, 0
    for k, command in enumerate(commands.tolist()):
        result = checked.step(command, positions[k], velocities[k])
        cycles += 1
        if result.fault is not None:
            fault = max(result.fault, fault or result.fault)
        if not result.intervened:
            continue
        changed += 1
        for joint, cause in zip(robot.joint_names, result.causes, strict=True):
            if cause is not Cause.NONE:
                interventions.setdefault(joint, Counter())[cause] += 1
                first = first or f"{joint} at {reference.time_s[k]:.2f} s: {cause.name.lower()}"
        if changed == limit:
            break
    return Trial(cycles=cycles, interventions=interventions, first=first, fault=fault)
