import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.deployment.authority import AuthorityRamp
from sinew_core.deployment.last_resort import StopRamp
from sinew_core.deployment.watch import Vitals, WatchLimits, first_problem


@pytest.mark.parametrize("authority", [0.05, 0.2, 1.0])
def test_authority_rises_slowly_and_falls_at_once(authority):
    ramp = AuthorityRamp(4.0)
    ramp.begin(10.0, authority)
    values = [ramp.value(t) for t in np.linspace(10.0, 16.0, 50)]
    assert values[0] == 0.0
    assert values == sorted(values)
    assert values[-1] == authority
    assert ramp.complete(14.0)
    ramp.aim(16.0, 0.01)
    assert ramp.value(16.0) == 0.01


def test_the_authority_over_commands_without_a_speed_is_whole_from_the_start():
    ramp = AuthorityRamp(4.0)
    ramp.begin(10.0, 1.0, slowed=False)
    assert (ramp.value(10.0), ramp.complete(10.0)) == (1.0, True)


GOOD = Vitals(
    state_silence_s=0.0,
    state_rate_hz=100.0,
    latency_p99_ms=5.0,
    command_silence_s=0.0,
    output_silence_s=0.0,
    filter_state="armed",
    filter_reason="",
    unusual_for_s=0.0,
    unusual=(),
    has_target=True,
    intruders=(),
    controller_state="active",
)
LIMITS = WatchLimits(
    state_timeout_s=0.1,
    state_rate_hz=100,
    latency_ms=20,
    unusual_s=0.5,
    command_timeout_s=0.1,
    output_timeout_s=0.1,
)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, None),
        ({"controller_state": ""}, None),
        ({"state_rate_hz": None, "latency_p99_ms": None}, None),
        ({"state_silence_s": 0.2}, "joint_states"),
        ({"filter_state": "latched"}, "safety filter"),
        ({"output_silence_s": 0.2}, "outputs of the filter"),
        ({"controller_state": "inactive"}, "controller"),
        ({"intruders": ("/x on /t",)}, "sources of commands"),
        ({"has_target": False}, "target_pose"),
        ({"command_silence_s": 1.0}, "policy"),
        ({"state_rate_hz": 50.0}, "rate of joint_states"),
        ({"latency_p99_ms": 30.0}, "latency of the loop"),
        ({"unusual_for_s": 0.6}, "observation as in training"),
    ],
)
def test_the_first_thing_that_is_wrong_ends_the_motion(changes, what):
    problem = first_problem(Vitals(**{**vars(GOOD), **changes}), LIMITS)
    assert (problem.what if problem else None) == what


@given(
    velocity=st.lists(st.floats(-4.0, 4.0), min_size=1, max_size=7),
    deceleration=st.floats(2.0, 20.0),
    period_s=st.sampled_from([0.01, 0.05]),
)
def test_the_last_resort_slows_every_joint_to_rest_within_the_weakest_ones_limit(
    velocity, deceleration, period_s
):
    ramp = StopRamp(velocity, deceleration_rad_s2=deceleration, period_s=period_s)
    sent = [tuple(velocity)]
    while not ramp.complete:
        sent.append(ramp.next())
    changes = np.abs(np.diff(sent, axis=0))
    assert changes.max() <= deceleration * period_s * (1 + 1e-9)
    assert (np.diff(np.abs(sent), axis=0) <= 1e-12).all()
    assert not any(map(any, sent[-5:]))
