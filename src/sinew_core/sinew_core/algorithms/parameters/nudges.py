"""Which discrete actions an arm has."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import Parameters, parameter


@dataclass(frozen=True, kw_only=True)
class NudgeParameters(Parameters):
    """Whether actions are discrete: to rest, or to nudge one joint."""

    nudges: tuple[float, ...] = parameter(
        (),
        "sizes of the nudges of one joint that the policy chooses among, as shares of action 1; "
        "empty: continuous actions",
        minimum=1e-3,
        maximum=1.0,
    )


def nudge_sizes(parameters: Parameters) -> tuple[float, ...]:
    """Return the sizes of an algorithm's nudges; none where its actions are continuous."""
    return parameters.nudges if isinstance(parameters, NudgeParameters) else ()
