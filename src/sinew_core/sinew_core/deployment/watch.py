"""What is watched while an arm is armed: the first thing that is wrong ends the motion."""

from __future__ import annotations

import dataclasses

from sinew_core.deployment.checks import Check

_PART_OF_RATE = 0.8


@dataclasses.dataclass(frozen=True, kw_only=True)
class WatchLimits:
    """What is tolerated while the arm moves.

    Attributes:
        state_timeout_s: silence of joint states.
        state_rate_hz: of joint states, as the filter is configured; four fifths are asked for.
        latency_ms: 99th percentile from joint state to output.
        unusual_s: how long an observation may be outside the training range.
        command_timeout_s: silence of the policy.
        output_timeout_s: silence of the safety filter.
    """

    state_timeout_s: float
    state_rate_hz: float
    latency_ms: float
    unusual_s: float
    command_timeout_s: float
    output_timeout_s: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vitals:
    """The running graph at one moment.

    Attributes:
        state_silence_s: since the last joint state.
        state_rate_hz: over the last window, None where it is not full yet.
        latency_p99_ms: joint state to output over the last window, None without any.
        command_silence_s: since the policy's last command.
        output_silence_s: since the filter's last output.
        filter_state: as the filter last reported.
        filter_reason: why it stopped.
        unusual_for_s: how long the observation has been outside the training range.
        unusual: the fields.
        has_target: whether a target is known.
        intruders: other publishers on the controller's topic or of the policy's command.
        controller_state: lifecycle state, empty where nobody tells.
    """

    state_silence_s: float
    state_rate_hz: float | None
    latency_p99_ms: float | None
    command_silence_s: float
    output_silence_s: float
    filter_state: str
    filter_reason: str
    unusual_for_s: float
    unusual: tuple[str, ...]
    has_target: bool
    intruders: tuple[str, ...]
    controller_state: str


def first_problem(v: Vitals, limits: WatchLimits) -> Check | None:
    """Return the first check that fails, in the order of urgency; None while all is well."""
    return next((check for check in _checks(v, limits) if not check.passed), None)


def _checks(v: Vitals, limits: WatchLimits) -> list[Check]:
    return [*_arm_checks(v, limits), *_policy_checks(v, limits), *_quality_checks(v, limits)]


def _arm_checks(v: Vitals, limits: WatchLimits) -> list[Check]:
    """Check the driver, the filter and the controller."""
    return [
        Check(
            what="joint_states",
            found=f"silent for {v.state_silence_s:.2f} s",
            expected=f"one within {limits.state_timeout_s:g} s",
            remedy="see the driver",
            passed=v.state_silence_s <= limits.state_timeout_s,
        ),
        Check(
            what="safety filter",
            found=f"{v.filter_state}: {v.filter_reason}" if v.filter_reason else v.filter_state,
            expected="armed",
            remedy="see the reason; clear its latch at rest",
            passed=v.filter_state == "armed",
        ),
        Check(
            what="outputs of the filter",
            found=f"none for {v.output_silence_s:.2f} s",
            expected=f"one within {limits.output_timeout_s:g} s",
            remedy="start the safety filter again",
            passed=v.output_silence_s <= limits.output_timeout_s,
        ),
        Check(
            what="controller",
            found=v.controller_state,
            expected="active",
            remedy="activate it again; a robot's own stopper may do so too, the arm stays at hold",
            passed=v.controller_state in ("", "active"),
        ),
        Check(
            what="sources of commands",
            found=", ".join(v.intruders),
            expected="the filter and the policy alone",
            remedy="end the other publisher",
            passed=not v.intruders,
        ),
    ]


def _policy_checks(v: Vitals, limits: WatchLimits) -> list[Check]:
    """Check that there is something to do, and a policy that does it."""
    return [
        Check(
            what="target_pose",
            found="none",
            expected="one that was received",
            remedy="publish target_pose",
            passed=v.has_target,
        ),
        Check(
            what="policy",
            found=f"silent for {v.command_silence_s:.2f} s",
            expected=f"a command within {limits.command_timeout_s:g} s",
            remedy="see what the policy reports",
            passed=v.command_silence_s <= limits.command_timeout_s,
        ),
    ]


def _quality_checks(v: Vitals, limits: WatchLimits) -> list[Check]:
    """Check what a policy was trained to find: rates, latency, observations."""
    latency, rate = v.latency_p99_ms, v.state_rate_hz
    return [
        Check(
            what="rate of joint_states",
            found="" if rate is None else f"{rate:.1f} Hz",
            expected=f"at least {_PART_OF_RATE * limits.state_rate_hz:.0f} Hz",
            remedy="see the driver and the network",
            passed=rate is None or rate >= _PART_OF_RATE * limits.state_rate_hz,
        ),
        Check(
            what="latency of the loop",
            found="" if latency is None else f"p99 {latency:.1f} ms",
            expected=f"below {limits.latency_ms:g} ms",
            remedy="end other load, give the nodes a real-time priority",
            passed=latency is None or latency <= limits.latency_ms,
        ),
        Check(
            what="observation as in training",
            found=f"{', '.join(v.unusual)} outside for {v.unusual_for_s:.2f} s",
            expected=f"not for more than {limits.unusual_s:g} s",
            remedy="choose targets inside the task's box, or train with more variety",
            passed=v.unusual_for_s <= limits.unusual_s,
        ),
    ]
