"""Velocities that are sent as positions: the filter's velocities, limits, holds, stops."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.integrating import make_integrating_mode
from sinew_core.safety.make import make_filter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.realtime import trajectory_assumptions
from sinew_core.safety.record import CycleRecord, RecordedMode
from sinew_core.safety.recording import Output
from sinew_core.safety.replay import Replayer
from sinew_core.safety.scaling import SpeedScaling

ROBOT = load_robot("panda")
LIMITS = ROBOT.limits
LOWER, UPPER = LIMITS.position_lower_rad.tolist(), LIMITS.position_upper_rad.tolist()
HOME = ROBOT.home_rad.tolist()
DT = 0.01
SAFETY = SafetyParameters(max_latency_periods=4)
N = len(HOME)
ZEROS = [0.0] * N
velocities = st.lists(st.floats(-5.0, 5.0), min_size=N, max_size=N)


def started(safety=SAFETY, position=HOME):
    mode = make_integrating_mode(ROBOT, safety, DT)
    mode.start(position, ZEROS)
    return mode


def test_outputs_are_what_the_filter_of_velocities_adds_up_to():
    follows = SAFETY.tracking_error_rad + SAFETY.noise_rad
    alone = make_filter("joint_velocity", ROBOT, dataclasses.replace(SAFETY, noise_rad=follows), DT)
    alone.reset(HOME)
    mode, expected = started(), list(HOME)
    for speed in (0.5, 0.5, -0.2, 0.0):
        moved = alone.step([speed] * N, None).command
        expected = [q + DT * v for q, v in zip(expected, moved, strict=True)]
        assert mode.step([speed] * N, None, ZEROS).command == tuple(expected)
        assert mode.answer == moved


@settings(max_examples=8)
@example(wanted=[[5.0] * N, [-5.0] * N], lag=0.5, off=0.02)
@given(
    wanted=st.lists(velocities, min_size=1, max_size=3),
    lag=st.floats(0.0, 0.9),
    off=st.floats(-0.02, 0.02),
)
def test_an_arm_that_lags_and_sags_within_what_is_assumed_keeps_its_limits(wanted, lag, off):
    # Where `1 - lag` of the way is done in a period, two points of trajectories are of lag 0.5.
    safety = trajectory_assumptions(SAFETY, 1.0 / (1.0 - lag))
    mode, reference = started(safety), list(HOME)
    speed, acceleration = LIMITS.velocity_rad_s, LIMITS.acceleration_rad_s2
    before = [0.0] * N
    for desired in wanted:
        for _ in range(30):
            measured = [q + off for q in reference]
            result = mode.step(desired, measured, ZEROS)
            assert result.fault is None
            reference = [
                q + (1.0 - lag) * (p - q) for q, p in zip(reference, result.command, strict=True)
            ]
            for j, v in enumerate(mode.answer):
                assert LOWER[j] <= result.command[j] <= UPPER[j]
                assert LOWER[j] <= reference[j] + off <= UPPER[j]
                assert abs(v) <= speed[j]
                assert abs(v - before[j]) <= acceleration[j] * DT * (1.0 + 1e-9)
            before = mode.answer


def test_braking_ends_in_a_hold_of_the_last_output():
    mode = started()
    for _ in range(30):
        mode.step([0.4] * N, None, ZEROS)
    assert not mode.rests
    last = None
    while not mode.rests:
        last = mode.brake(None, ZEROS).command
    assert mode.hold(None, ZEROS) == last


def test_a_hold_goes_after_an_arm_that_was_moved_away_slowly_then_at_the_speed_limits():
    mode = started()
    away = tuple(q + 0.2 for q in HOME)
    follows = SAFETY.tracking_error_rad + SAFETY.noise_rad
    # A tenth of it is how still the arm stands. It goes this far and twice as still in a second.
    slowly = DT * 1.2 * follows
    first = mode.hold(away, ZEROS)
    assert first == pytest.approx(np.array(HOME) + slowly)
    sent = [first, *(mode.hold(away, ZEROS) for _ in range(120))]
    steps = np.diff(np.array(sent), axis=0) / (DT * LIMITS.velocity_rad_s)
    # The rest of 0.2 rad at 2.175 rad/s and 10 ms are 9 periods.
    assert (steps[:, 0] > 0.5).sum() == 8
    assert steps.max() == pytest.approx(1.0)
    assert np.argmax(steps[:, 0] > 0.5) == pytest.approx(100, abs=1)
    assert sent[-1] == pytest.approx(away, abs=0.1 * follows)
    assert mode.rests


def test_a_skipped_period_is_one_without_motion():
    mode, reference = started(), list(HOME)
    for cycle in range(60):
        if cycle == 30:
            mode.skip(2)
            assert mode.output == tuple(reference)
        result = mode.step([0.4] * N, reference, ZEROS)
        assert result.fault is None
        reference = list(result.command)
    # From rest again after the gap.
    assert max(mode.answer) <= 0.4


def test_an_arm_beyond_a_limit_is_not_sent_further_or_pulled_back_at_once():
    beyond = [*HOME[:6], UPPER[6] + 0.05]
    mode = started(position=beyond)
    sent = [mode.step([1.0] * N, None, ZEROS).command[6] for _ in range(20)]
    assert all(b <= a for a, b in itertools.pairwise([beyond[6], *sent]))
    assert beyond[6] - sent[0] < 0.01


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_what_was_sent_is_made_again_from_its_records(scale):
    def make(_check=""):
        scaling = SpeedScaling("joint_velocity", LIMITS, SAFETY, DT)
        return make_integrating_mode(ROBOT, SAFETY, DT), scaling

    recorded = RecordedMode(*make(), N, "c")
    replayer = Replayer(ROBOT.joint_names, lambda check: make(check))
    recorded.scaling.value = scale
    position, changes = list(HOME), []

    def take(stamp, output):
        text, _ = recorded.take()
        replayer.output(Output(stamp, stamp, stamp, tuple(output), CycleRecord.parse(text)))
        changes.extend(replayer.advance(None))

    for stamp in range(1, 121):
        replayer.state(stamp, position, ZEROS)
        wanted = [3.0] * N if stamp < 60 else [-0.1] * N
        replayer.command(stamp, wanted)
        if stamp < 4:
            output = recorded.hold(position, ZEROS)
        else:
            if stamp == 4:
                recorded.start(position, ZEROS)
            if stamp == 50:
                recorded.skip(1)
            step = recorded.step if stamp < 100 else lambda _w, *s: recorded.brake(*s)
            output = step(wanted, position, ZEROS).command
        take(stamp, output)
        position = list(output)
    assert replayer.reproduced == 120
    # In the unit of what was asked: velocities.
    assert {round(c.asked, 6) for c in changes if c.time_ns < 50} == {round(3.0 * scale, 6)}
    assert all(abs(c.sent) < 3.0 for c in changes)
