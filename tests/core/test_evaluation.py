import numpy as np
import pytest

from sinew_core.evaluation import episode_seeds, evaluate, wilson_interval


def test_wilson_interval_of_95_of_100():
    # z^2/n = 0.0384146; centre 0.95 + 0.0192073 = 0.9692073; half = 1.959964 *
    # sqrt(0.95 * 0.05 / 100 + 0.0384146 / 400) = 1.959964 * 0.02389630 = 0.0468359;
    # (0.9692073 -+ 0.0468359) / 1.0384146 = 0.888250, 0.978457
    low, high = wilson_interval(95, 100)
    assert low == pytest.approx(0.888250, abs=2e-6)
    assert high == pytest.approx(0.978457, abs=2e-6)


def test_wilson_interval_of_all_successes():
    # low = n / (n + z^2) = 200 / 203.841459 = 0.981155
    assert wilson_interval(200, 200) == (pytest.approx(0.981155, abs=1e-6), 1.0)


def test_wilson_interval_of_no_success_mirrors_all():
    low, high = wilson_interval(0, 200)
    assert low == 0.0
    assert high == pytest.approx(1 - wilson_interval(200, 200)[0])


@pytest.mark.parametrize(("successes", "episodes"), [(0, 0), (3, 2), (-1, 5)])
def test_impossible_counts_are_refused(successes, episodes):
    with pytest.raises(ValueError, match="successes of"):
        wilson_interval(successes, episodes)


class Countdown:
    """Episode i succeeds at step `success_at[i]` if that comes before its end at step 4."""

    def __init__(self, success_at):
        self.success_at = success_at
        self.episode = -1
        self.seeds = []

    def reset(self, *, seed=None, options=None):
        self.episode += 1
        self.step_count = 0
        self.seeds.append(seed)
        return 0, {"is_success": False}

    def step(self, action):
        self.step_count += 1
        success = self.step_count == self.success_at[self.episode]
        return self.step_count, action, False, self.step_count == 4, {"is_success": success}


def test_success_counts_once_per_episode_and_ends_it():
    env = Countdown(success_at=[2, 9, 4])
    result = evaluate(env, lambda observation: 10.0 + observation, episodes=3, seed=0)
    # returns: 10 + 11 = 21; 10 + 11 + 12 + 13 = 46; 46. Lengths 2, 4, 4.
    assert (result.episodes, result.successes) == (3, 2)
    assert result.success_rate == pytest.approx(2 / 3)
    assert result.return_mean == pytest.approx(113 / 3)
    # deviations -16.667, 8.333, 8.333: sqrt((277.78 + 69.44 + 69.44) / 3) = 11.785
    assert result.return_std == pytest.approx(11.785, abs=1e-3)
    assert result.length_mean == pytest.approx(10 / 3)
    assert result.success_ci95 == wilson_interval(2, 3)


def test_every_episode_has_its_own_seed_and_the_run_repeats():
    first, second = Countdown([1] * 5), Countdown([1] * 5)
    evaluate(first, lambda _: 0.0, episodes=5, seed=3)
    evaluate(second, lambda _: 0.0, episodes=5, seed=3)
    assert first.seeds == second.seeds
    assert len(set(first.seeds)) == 5


def test_evaluation_seeds_differ_from_the_training_seed_and_extend():
    assert episode_seeds(7, 3) == episode_seeds(7, 10)[:3]
    assert 7 not in episode_seeds(7, 100)
    assert not np.isin(episode_seeds(7, 100), episode_seeds(8, 100)).any()
