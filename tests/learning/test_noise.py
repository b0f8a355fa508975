import numpy as np
import pytest

from sinew_core.algorithms.noise import (
    ExponentialSchedule,
    GaussianNoise,
    LinearSchedule,
    OrnsteinUhlenbeckNoise,
)
from sinew_core.algorithms.parameters import DDPGParameters
from sinew_core.parameters import describe


def test_the_schedule_moves_linearly_and_stays_at_its_end():
    schedule = LinearSchedule(start=1.0, end=0.1, steps=80)
    # Half-way: 1 + 0.5 * (0.1 - 1) = 0.55
    assert [schedule(s) for s in (0, 40, 80, 1000)] == pytest.approx([1.0, 0.55, 0.1, 0.1])


def test_gaussian_noise_has_the_deviation_asked_for_per_action():
    noise = GaussianNoise(np.array([0.1, 2.0]), np.random.default_rng(0))
    samples = np.array([noise.sample() for _ in range(4000)])
    np.testing.assert_allclose(samples.std(0), [0.1, 2.0], rtol=0.05)


def test_ornstein_uhlenbeck_pulls_towards_zero():
    noise = OrnsteinUhlenbeckNoise(np.array([1.0]), np.random.default_rng(0), theta=0.15)
    kicks = np.random.default_rng(0).standard_normal(3)
    # x1 = k1; x2 = 0.85 k1 + k2; x3 = 0.85 x2 + k3
    second = 0.85 * kicks[0] + kicks[1]
    expected = [kicks[0], second, 0.85 * second + kicks[2]]
    np.testing.assert_allclose([noise.sample()[0] for _ in range(3)], expected)


def test_ornstein_uhlenbeck_settles_at_its_standing_deviation():
    noise = OrnsteinUhlenbeckNoise(np.array([0.2]), np.random.default_rng(1), theta=0.15)
    samples = np.array([noise.sample()[0] for _ in range(20_000)])
    # sigma / sqrt(1 - (1 - theta)^2) = 0.2 / sqrt(1 - 0.7225) = 0.3797
    assert samples[100:].std() == pytest.approx(0.3797, rel=0.05)
    # 0.3797 / 0.2 = 1.9, which the description of `noise` says.
    described = {name: info.description for name, info, _ in describe(DDPGParameters)}
    assert "1.9 times" in described["noise"]


def test_a_reset_forgets_the_last_episode():
    noise = OrnsteinUhlenbeckNoise(np.array([1.0]), np.random.default_rng(0), theta=0.15)
    noise.sample()
    noise.reset()
    kicks = np.random.default_rng(0).standard_normal(2)
    assert noise.sample()[0] == kicks[1]


def test_the_exponential_schedule_falls_by_an_equal_factor_and_stays_at_its_end():
    # From 1 to 0.01 in 2 steps: a factor of 0.1 in each.
    schedule = ExponentialSchedule(start=1.0, end=0.01, steps=2)
    assert [schedule(s) for s in (0, 1, 2, 100)] == pytest.approx([1.0, 0.1, 0.01, 0.01])


def test_a_decay_by_0995_takes_919_steps_from_1_to_001():
    schedule = ExponentialSchedule(start=1.0, end=0.01, steps=919)
    assert schedule(1) == pytest.approx(0.995, abs=1e-5)
