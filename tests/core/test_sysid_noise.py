"""Noise told from motion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.sysid.noise import counted_step, noise_sigma


def motion(rate_hz=200.0, duration_s=30.0, seed=0, jitter_s=0.0):
    rng = np.random.default_rng(seed)
    time = np.arange(0.0, duration_s, 1.0 / rate_hz)
    time = time + rng.uniform(-jitter_s, jitter_s, time.size)
    waves = [0.5 * np.sin(2 * np.pi * f * time + p) for f, p in ((0.3, 0.0), (1.1, 2.0))]
    return time, np.column_stack([waves[0], waves[0] + waves[1]]), rng


def test_noise_on_a_moving_joint_is_found_within_three_per_cent():
    time, clean, rng = motion()
    noisy = clean + np.array([1e-4, 5e-4]) * rng.standard_normal(clean.shape)
    assert noise_sigma(time, noisy) == pytest.approx([1e-4, 5e-4], rel=0.03)


def test_a_clean_motion_has_next_to_no_noise():
    # (2 pi 1.1 / 200)^4 * 0.5 rad, over the root of 70, the sum of squares of 1 4 6 4 1: 9e-8.
    time, clean, _ = motion()
    assert (noise_sigma(time, clean) < 1e-7).all()


def test_stamps_that_jitter_are_not_taken_for_noise():
    # At 3 rad/s a millisecond would pass for 3 mrad.
    time, clean, rng = motion(jitter_s=1e-3)
    noisy = clean + 1e-4 * rng.standard_normal(clean.shape)
    assert noise_sigma(time, noisy) == pytest.approx([1e-4, 1e-4], rel=0.05)


def test_a_few_wild_samples_do_not_count():
    time, clean, rng = motion()
    noisy = clean + 1e-4 * rng.standard_normal(clean.shape)
    noisy[::100] += 0.05
    assert noise_sigma(time, noisy) == pytest.approx([1e-4, 1e-4], rel=0.15)


def test_an_encoder_at_rest_is_as_uncertain_as_its_step():
    # A step of 1 mrad is uniform within +-0.5 mrad: 1 mrad / sqrt(12) = 0.289 mrad.
    values = np.repeat([0.1, 0.101, 0.103], 200)[:, None]
    time = np.arange(600) / 100.0
    assert noise_sigma(time, values)[0] == pytest.approx(1e-3 / np.sqrt(12.0))


@settings(max_examples=40)
@given(step=st.floats(1e-5, 1e-2), seed=st.integers(0, 1000))
def test_the_step_of_an_encoder_is_found(step, seed):
    rng = np.random.default_rng(seed)
    values = np.round(np.cumsum(rng.normal(0.0, 2.0, 2000)) + rng.uniform()) * step
    assert counted_step(values) == pytest.approx(step, rel=1e-3)


@settings(max_examples=40)
@given(seed=st.integers(0, 1000), sigma=st.floats(1e-6, 1e-2))
def test_continuous_noise_is_not_taken_for_steps(seed, sigma):
    values = np.random.default_rng(seed).normal(0.3, sigma, 2000)
    assert counted_step(values) == 0.0


def test_too_few_samples_tell_nothing():
    assert noise_sigma(np.arange(5.0), np.ones((5, 2))).tolist() == [0.0, 0.0]
