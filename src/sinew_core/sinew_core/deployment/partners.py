"""What the safety filter and the policy say of themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import yaml

from sinew_core.bundle.reader import Bundle
from sinew_core.controllers import controller_name, sent_mode
from sinew_core.deployment.checks import Check, unknown
from sinew_core.deployment.timing import Latency
from sinew_core.rates import Rates
from sinew_core.safety.make import FILTERED_MODES
from sinew_core.safety.parameters import SafetyParameters


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilterSettings:
    """The parameters of the running filter that a deployment depends on.

    Attributes:
        controller: name that was given, else empty.
        trajectory_controller: usual name of the robot's, else empty.
        joint_prefix: in front of the joints' names in messages.
        rates: the four.
        safety: its assumptions about drive and measurements.
        robot: section `robot` of its configuration, None where it published none.
    """

    mode: str = "joint_velocity"
    controller: str = ""
    trajectory_controller: str = ""
    adapter: str = "forward"
    output: str = "commands"
    controller_joints: str = "robot"
    joint_prefix: str = ""
    shadow: bool = False
    rates: Rates = dataclasses.field(default_factory=Rates)
    safety: SafetyParameters = dataclasses.field(default_factory=SafetyParameters)
    state_timeout_s: float = 0.03
    command_timeout_s: float = 0.1
    guard_timeout_s: float = 0.0
    rest_speed_rad_s: float = 0.02
    future_s: float = 0.02
    robot: Mapping[str, object] | None = None

    @property
    def sent_mode(self) -> str:
        """The command mode whose unit the outputs have."""
        return sent_mode(self.mode, self.adapter, self.output)

    @property
    def controller_name(self) -> str:
        """The name of the controller that takes the outputs."""
        return controller_name(
            self.sent_mode, self.adapter, self.controller, self.trajectory_controller
        )

    def same_outputs(self, other: FilterSettings) -> bool:
        """Tell whether another filter's outputs go the same way."""
        names = ("adapter", "controller_name", "sent_mode", "shadow")
        return all(getattr(self, name) == getattr(other, name) for name in names)


_NODE = (
    "mode",
    "controller",
    "trajectory_controller",
    "adapter",
    "output",
    "controller_joints",
    "joint_prefix",
    "shadow",
)
_WATCHDOG = (
    "state_timeout_s",
    "command_timeout_s",
    "guard_timeout_s",
    "rest_speed_rad_s",
    "future_s",
)


def read_filter_settings(text: str | None) -> FilterSettings:
    """Read what the filter publishes as its configuration; defaults where it does not say.

    Raises:
        ConfigError: for rates or safety parameters that are not of this version.
    """
    try:
        content = yaml.safe_load(text or "")
    except yaml.YAMLError:
        content = None
    sections = _mapping(content)
    parameters = _mapping(_mapping(sections.get("safety_filter")).get("ros__parameters"))
    watchdog = _mapping(parameters.get("watchdog"))
    given: dict[str, object] = {
        **{name: parameters[name] for name in _NODE if name in parameters},
        **{name: watchdog[name] for name in _WATCHDOG if name in watchdog},
        "rates": Rates.from_mapping(
            {f.name: parameters[f.name] for f in dataclasses.fields(Rates) if f.name in parameters},
            "rates of the safety filter",
        ),
        "safety": SafetyParameters.from_mapping(
            _mapping(parameters.get("safety")), "safety parameters of the safety filter"
        ),
        "robot": _mapping(sections.get("robot")) or None,
    }
    return FilterSettings(**given)  # type: ignore[arg-type]  # the node has checked each value


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def check_filter(values: Mapping[str, str]) -> list[Check]:
    """Check by its diagnostics that the filter is there, disarmed and without a latch."""
    state, reason = values.get("state", ""), values.get("reason", "")
    there = Check(
        what="safety filter",
        found=state or "no diagnostics",
        expected="disarmed",
        remedy="start it, or disarm it: ros2 service call /safety_filter/arm "
        'std_srvs/srv/SetBool "{data: false}"',
        passed=state in ("disarmed", "latched"),
    )
    latch = Check(
        what="latch of the filter",
        found=f"set: {reason}" if state == "latched" else "empty",
        expected="empty",
        remedy="find out why it stopped, then call the filter's ~/clear at rest",
        passed=state != "latched",
    )
    return [there, latch] if state else [there]


def check_senders(senders: Sequence[str]) -> Check:
    """Check that one policy sends, whatever is connected; two of one name are told apart."""
    return Check(
        what="senders of commands",
        found=", ".join(senders) or "nobody has sent",
        expected="one at most",
        remedy="end the other sender of policy/command",
        passed=len(senders) <= 1,
    )


def check_policy(level: str, message: str, values: Mapping[str, str]) -> list[Check]:
    """Check that the policy runs; without a target it waits, which is no fault.

    Args:
        level: `OK`, `WARN` or `ERROR`; empty where nothing was heard of it.
        message: of its diagnostics.
        values: of its diagnostics.
    """
    return [
        Check(
            what="policy",
            found=message if level else "no diagnostics",
            expected="commanding, or waiting for target_pose",
            remedy="start it with the bundle, and see what it reports",
            passed=bool(level)
            and level != "ERROR"
            and values.get("lifecycle", "active") == "active",
        )
    ]


def check_running_bundle(values: Mapping[str, str], bundle: Bundle) -> Check:
    """Check that the policy runs the bundle that all other checks are about.

    Args:
        values: of the policy's diagnostics.
        bundle: of the deployment.
    """
    what, expected = "bundle of the policy", f"that of the deployment, {bundle.folder}"
    found = values.get("bundle_sha256", "")
    if not found:
        return unknown(what, "the policy does not tell", expected, "give both nodes the same")
    same = found == bundle.fingerprint
    return Check(
        what=what,
        found="the same" if same else f"another one, {values.get('bundle', '')}",
        expected=expected,
        remedy="set the policy's parameter bundle to it, or start the deployment with the other",
        passed=same,
    )


def check_authority(mode: str, authority: float) -> Check:
    """Check that what is commanded can be slowed down."""
    scales = mode != "joint_effort" or authority == 1.0
    return Check(
        what="authority",
        found=f"{authority:g} of what is asked for, commands are {mode}",
        expected="any of velocities and positions; 1 of efforts, which have no speed to scale",
        remedy="train a policy that commands velocities or positions, or give authority:=1",
        passed=scales and mode in FILTERED_MODES,
    )


def check_guard(guard_timeout_s: float) -> Check:
    """Check that the filter stops an arm that nobody watches any more."""
    return Check(
        what="guard of the filter",
        found=f"after {guard_timeout_s:g} s" if guard_timeout_s else "none",
        expected="the filter stops an arm whose deployment node has died",
        remedy="give the filter watchdog.guard_timeout_s, as config/real/mode_live.yaml does",
        passed=guard_timeout_s > 0.0,
    )


def check_latency(
    commands: Latency, outputs: Latency, allowed_ms: float, *, has_target: bool
) -> list[Check]:
    """Check how long it takes from a joint state to the policy's command, and to the output.

    Args:
        commands: to the policy's command, as measured.
        outputs: to the filter's output, as measured.
        allowed_ms: 99th percentile.
        has_target: whether a policy that is silent is at fault.
    """
    expected = f"p99 below {allowed_ms:g} ms from the receipt of a joint state"
    rows = (("latency of the policy", commands), ("latency of the loop", outputs))
    checks = [_check_latency(what, latency, allowed_ms, expected) for what, latency in rows]
    if has_target and not commands.count:
        remedy, found = "see what the policy reports", "no command, though there is a target"
        checks[0] = dataclasses.replace(
            checks[0], found=found, remedy=remedy, passed=False, known=True
        )
    return checks


def _check_latency(what: str, latency: Latency, allowed_ms: float, expected: str) -> Check:
    if latency.p99_ms is None or latency.p50_ms is None:
        return unknown(
            what,
            "no command was heard, or none taken: a policy that was started again is at arming",
            expected,
            "publish target_pose meanwhile",
        )
    return Check(
        what=what,
        found=(
            f"p50 {latency.p50_ms:.1f} ms, p99 {latency.p99_ms:.1f} ms of {latency.count} commands"
        ),
        expected=expected,
        remedy="give the nodes a real-time priority (ulimit -r), end other load",
        passed=latency.p99_ms <= allowed_ms,
    )
