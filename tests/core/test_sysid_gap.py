"""The sim-to-real gap of a recording: free run and prediction."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import report_samples as samples
from sinew_core.errors import BagError, ConfigError
from sinew_core.sysid.gap import measure_gap, windows_of


@pytest.fixture(scope="module")
def recording():
    return samples.record(samples.TRUE, 3.0)


def gap(recording, values, **options):
    return measure_gap(recording, samples.plant(), samples.arm(values), "some", **options)


def test_the_true_arm_leaves_nothing_but_noise(recording):
    found = gap(recording, samples.TRUE)
    np.testing.assert_allclose(found.position.rms, samples.NOISE_RAD, rtol=0.1)
    np.testing.assert_allclose(found.predicted_position.rms, samples.NOISE_RAD, rtol=0.25)
    np.testing.assert_allclose(found.effort.rms, samples.EFFORT_NOISE_NM, rtol=0.1)
    assert (found.velocity.rms < 1e-3).all()


def test_a_wrong_payload_shows_at_the_joints_that_carry_it(recording):
    found = gap(recording, samples.TRUE | {"payload/mass": 0.0})
    noise = samples.NOISE_RAD
    assert found.position.rms[3] > 20.0 * noise
    assert found.predicted_position.rms[3] > 20.0 * noise
    assert (found.position.largest >= found.position.rms).all()
    # 0.8 kg at some 0.4 m in front of the elbow: 3 N m that the nominal arm does not give.
    assert 1.5 < found.effort.rms[3] < 6.0


def test_predictions_start_anew_every_horizon(recording):
    found = gap(recording, samples.TRUE, horizon_s=0.25)
    assert found.horizon_s == 0.25
    assert found.window_rms_rad.shape == (11, 7)  # of 2.995 s


def test_a_free_run_starts_anew_after_a_gap_in_the_states(recording):
    kept = np.r_[0:200, 300 : len(recording.time_s)]
    parts = {
        name: getattr(recording, name)[kept]
        for name in ("time_s", "position_rad", "velocity_rad_s", "effort_nm")
    }
    broken = dataclasses.replace(recording, gaps=(200,), **parts)
    found = gap(broken, samples.TRUE)
    np.testing.assert_allclose(found.position.rms, samples.NOISE_RAD, rtol=0.3)
    assert len(found.time_s) == kept.size


def test_velocities_and_efforts_may_be_missing(recording):
    bare = dataclasses.replace(recording, velocity_rad_s=None, effort_nm=None)
    found = gap(bare, samples.TRUE)
    assert found.effort is None
    assert (found.position.rms < 3.0 * samples.NOISE_RAD).all()


def test_a_bag_without_commands_has_no_gap(recording):
    with pytest.raises(BagError, match="no commands to replay"):
        gap(dataclasses.replace(recording, commands=None), samples.TRUE)
    late = dataclasses.replace(recording.commands, time_s=recording.commands.time_s + 100.0)
    with pytest.raises(BagError, match="after its first command"):
        gap(dataclasses.replace(recording, commands=late), samples.TRUE)


def test_commands_of_another_mode_are_refused(recording):
    other = dataclasses.replace(recording.commands, mode="effort")
    with pytest.raises(ConfigError, match="mode"):
        gap(dataclasses.replace(recording, commands=other), samples.TRUE)


def test_windows_cover_a_piece_and_share_their_ends():
    time_s = np.arange(0.0, 1.0, 0.01)
    windows = windows_of(time_s, slice(10, 100), 0.3)
    assert windows == [slice(10, 41), slice(40, 71)]
    assert windows_of(time_s, slice(0, 10), 0.3) == [slice(0, 10)]
