"""What of a running safety filter may be set, and why the rest may not."""

from __future__ import annotations

from collections.abc import Mapping

from sinew_core.parameters import Parameters
from sinew_core.safety.scaling import SpeedScaling
from sinew_core.safety.supervisor import Supervisor
from sinew_core.safety.watchdogs import SupervisorParameters, check_watchdogs
from sinew_ros.settable import Settable
from sinew_safety.parameters import SafetyFilterParameters

REASONS = {
    "": "the filter was built for it",
    "watchdog": "it is part of what stops the arm in time",
    "safety": "the certified bounds depend on it",
}
"""Why the other parameters under each prefix are fixed."""


def settings(
    declared: Mapping[str, Parameters], supervisor: Supervisor, scaling: SpeedScaling
) -> Settable:
    """Let the speed scale and the age of a command be set, and apply the scale declared."""

    def check(changed: Mapping[str, Parameters]) -> None:
        node, watchdog = _classes(changed)
        check_watchdogs(watchdog, node)
        scaling.check(node.speed_scale)

    def apply(changed: Mapping[str, Parameters]) -> None:
        node, watchdog = _classes(changed)
        scaling.value = node.speed_scale
        supervisor.set_command_timeout(watchdog.command_timeout_s)

    check(declared)
    apply(declared)
    return Settable(declared, check=check, apply=apply, reasons=REASONS)


def _classes(
    declared: Mapping[str, Parameters],
) -> tuple[SafetyFilterParameters, SupervisorParameters]:
    node, watchdog = declared[""], declared["watchdog"]
    assert isinstance(node, SafetyFilterParameters)
    assert isinstance(watchdog, SupervisorParameters)
    return node, watchdog
