"""The wide search gets out of places where a local fit is stuck."""

import numpy as np
import pytest

from sinew_core.sysid.cma import wide_search
from sinew_core.sysid.least_squares import Box

BOX = Box(
    lower=np.full(2, -5.0),
    upper=np.full(2, 5.0),
    prior_mean=np.zeros(2),
    prior_sigma=np.full(2, np.inf),
)


def rastrigin(points):
    # Least at (1, -2) among local minima one apart, up to 5 % of diverged points.
    rows = np.array(points) - np.array([1.0, -2.0])
    costs = 20.0 + (rows**2 - 10.0 * np.cos(2.0 * np.pi * rows)).sum(axis=1)
    costs[np.abs(rows[:, 0]) > 4.0] = np.nan
    return costs.tolist()


def search(seed, start=(4.0, 3.0), costs=rastrigin, **options):
    return wide_search(costs, np.array(start), np.full(2, 3.0), BOX, seed=seed, **options)


def test_the_search_leaves_local_minima_for_a_better_one():
    start_cost = rastrigin([(4.0, 3.0)])[0]
    found = [rastrigin([search(seed, generations=80)])[0] for seed in range(3)]
    assert max(found) < 0.5 * start_cost
    assert min(found) < 2.5


def test_the_same_seed_finds_the_same_point_to_the_last_bit():
    assert search(3).tolist() == search(3).tolist()


def test_points_stay_within_the_bounds():
    asked = []

    def costs(points):
        asked.extend(points)
        return [float(-p.sum()) for p in points]

    found = search(0, costs=costs)
    assert (np.abs(asked) <= 5.0).all()
    assert found == pytest.approx([5.0, 5.0], abs=1e-2)


def test_the_start_is_kept_where_all_else_diverges():
    found = search(0, costs=lambda ps: [0.0 if len(ps) == 1 else np.nan for _ in ps])
    assert found.tolist() == [4.0, 3.0]


def test_what_was_known_before_counts():
    box = Box(lower=BOX.lower, upper=BOX.upper, prior_mean=np.array([2.0, 0.0]),
              prior_sigma=np.array([0.01, np.inf]))  # fmt: skip
    found = wide_search(lambda ps: [float(p @ p) for p in ps], np.zeros(2), np.ones(2), box, seed=1)
    assert found == pytest.approx([2.0, 0.0], abs=0.05)


def test_the_search_ends_with_the_best_so_far_when_its_time_is_used_up():
    generations = []
    found = search(
        0,
        progress=lambda generation, _: generations.append(generation),
        out_of_time=lambda: len(generations) == 3,
    )
    assert generations == [1, 2, 3]
    assert rastrigin([found])[0] <= rastrigin([(4.0, 3.0)])[0]
    assert search(0, out_of_time=lambda: True).tolist() == [4.0, 3.0]
