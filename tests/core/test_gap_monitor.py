"""The monitor of the gap: quiet on the arm that was identified, loud on another one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import report_samples as samples
from sinew_core.sysid.gap import measure_gap
from sinew_core.sysid.monitor import GapMonitor, Ring
from sinew_core.sysid.parameters import MonitorParameters
from sinew_core.sysid.residual_band import ResidualBand

HORIZON_S = 0.3
JUDGED_EVERY = 20
"""States between two predictions: 0.1 s."""


def monitor(**options):
    band = ResidualBand(horizon_s=HORIZON_S, limit_rad=np.full(7, 5.0 * samples.NOISE_RAD))
    settings = MonitorParameters(**{"warn_after": 3, "clear_after": 4, **options})
    limits = samples.robot().limits
    return GapMonitor(
        samples.plant(), samples.arm(samples.TRUE), band, "position", limits, settings
    )


def play(watched, recording, zero_s=0.0):
    """Feed a recording, and return at what times the verdict changed."""
    changes, told = [], recording.commands
    for i, time_s in enumerate(recording.time_s):
        watched.command(zero_s + told.time_s[i], told.values[i])
        watched.state(zero_s + time_s, recording.position_rad[i])
        before = watched.warning
        if i % JUDGED_EVERY == 0:
            watched.judge()
        if watched.warning != before:
            changes.append(zero_s + time_s)
    return changes


@pytest.fixture(scope="module")
def same():
    return samples.record(samples.TRUE, 2.5, seed=11)


@pytest.fixture(scope="module")
def heavier():
    return samples.record(samples.TRUE | {"payload/mass": 1.6}, 2.0, seed=11)


def test_the_identified_arm_gives_no_warning(same):
    watched = monitor()
    assert play(watched, same) == []
    assert watched.judged > 15
    assert watched.beyond == 0
    assert (watched.last.residual_rad < 2.0 * samples.NOISE_RAD).all()


def test_starts_of_noisy_positions_are_no_alarm_under_soft_loops(monkeypatch):
    # A start's velocity that is wrong by what two samples' noise makes of it, 0.03 rad/s, takes
    # such loops tens of times the noise to bring back. Published ones may be zero, or in degrees.
    kp, kd = np.array(samples.KP) / 12.0, np.array(samples.KD) / 12.0
    monkeypatch.setattr(samples, "KP", kp)
    monkeypatch.setattr(samples, "KD", kd)
    params, robot = samples.arm(samples.TRUE), samples.robot()
    identified = samples.record(samples.TRUE, 8.0, seed=1)
    wrong = 57.3 * identified.velocity_rad_s
    of_wrong, of_none = (
        ResidualBand.of(
            measure_gap(
                dataclasses.replace(identified, velocity_rad_s=velocity),
                samples.plant(), params, "identified",
            )
        )
        for velocity in (wrong, None)
    )  # fmt: skip
    np.testing.assert_array_equal(of_wrong.limit_rad, of_none.limit_rad)
    assert of_none.limit_rad.max() < 15.0 * samples.NOISE_RAD
    watched = GapMonitor(
        samples.plant(), params, of_none, "position", robot.limits, MonitorParameters()
    )
    assert play(watched, samples.record(samples.TRUE, 4.0, seed=2)) == []
    assert watched.judged > 30
    assert watched.beyond <= 1


def test_another_payload_warns_after_some_predictions_in_a_row(heavier):
    watched = monitor()
    changes = play(watched, heavier)
    # Full horizon at 0.3 s, then three predictions 0.1 s apart.
    assert changes == pytest.approx([HORIZON_S + 0.2], abs=0.11)
    assert watched.warning
    assert int(np.argmax(watched.last.share)) == 3


def test_the_warning_ends_when_the_payload_is_gone(same, heavier):
    watched = monitor()
    play(watched, heavier)
    changes = play(watched, same, zero_s=10.0)
    # Four predictions in a row, each of a whole horizon of the new arm.
    assert changes == pytest.approx([10.0 + HORIZON_S + 0.3], abs=0.11)
    assert not watched.warning
    assert watched.restarts == 1


def test_a_larger_band_is_content_with_more(heavier):
    watched = monitor(band_scale=1000.0)
    assert play(watched, heavier) == []
    assert watched.judged > 10


def test_silence_of_the_commands_is_not_judged(same):
    watched = monitor()
    for i, time_s in enumerate(same.time_s):
        if i < 100:
            watched.command(same.commands.time_s[i], same.commands.values[i])
        watched.state(time_s, same.position_rad[i])
    assert watched.judge() is None
    assert watched.waits_for == "commands without a pause"


def test_nothing_is_judged_before_there_is_a_whole_horizon(same):
    watched = monitor()
    assert watched.judge() is None
    watched.state(0.0, same.position_rad[0])
    assert watched.judge() is None
    assert watched.waits_for == "joint states of a whole horizon"


def test_a_teleport_and_time_going_back_start_anew(same):
    watched = monitor()
    play(watched, same)
    assert watched.judge() is not None
    end_s = float(same.time_s[-1])
    watched.state(end_s + 0.005, same.position_rad[-1] + 0.5)
    assert watched.restarts == 1
    assert watched.judge() is None
    watched.state(1.0, same.position_rad[-1] + 0.5)
    assert watched.restarts == 2


def test_states_faster_than_it_keeps_them_are_left_out(same):
    watched = monitor(sample_rate_hz=100.0)
    watched.state(0.0, same.position_rad[0])
    assert not watched.wants(0.005)
    assert watched.wants(0.01)
    assert watched.wants(-1.0)  # a reset


def test_commands_that_are_not_numbers_are_left_out(same):
    watched = monitor()
    play(watched, same)
    end_s = float(same.commands.time_s[-1])
    for i, values in enumerate(([np.nan] * 7, [0.0] * 6, [])):
        watched.command(end_s + 1e-3 * (i + 1), values)
    assert watched.judge() is not None


@given(st.integers(1, 20), st.lists(st.floats(-1e3, 1e3), max_size=100))
def test_a_ring_holds_the_latest_and_never_more(size, values):
    ring = Ring(size, 1)
    for i, value in enumerate(values):
        ring.add(float(i), [value])
    expected = values[-size:]
    assert ring.rows[:, 0].tolist() == expected
    assert ring.time_s.tolist() == [float(i) for i in range(len(values))][-size:]


def test_memory_does_not_grow_with_time():
    ring = Ring(50, 7)
    buffers = {ring.rows.base.ctypes.data}
    for i in range(1000):
        ring.add(float(i), [0.0] * 7)
        buffers.add(ring.rows.base.ctypes.data)
    assert len(buffers) == 1
    assert ring.rows.base.nbytes == 2 * 50 * 7 * 8
