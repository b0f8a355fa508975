"""Levenberg-Marquardt on problems whose solutions are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.sysid.elimination import Block, eliminate
from sinew_core.sysid.least_squares import Box, Problem, least_squares

INF = np.inf


class Curve(Problem):
    """Residuals of one function of all unknowns, with its derivatives."""

    def __init__(self, function, jacobian):
        self.function, self.jacobian = function, jacobian
        self.evaluations = 0

    def residuals(self, shared, own):
        self.evaluations += 1
        value = self.function(shared)
        return None if not np.isfinite(value).all() else [value]

    def linearise(self, shared, own):
        residual = self.function(shared)
        return [
            Block(residual=residual, shared=self.jacobian(shared), own=np.zeros((residual.size, 0)))
        ]


def rosenbrock():
    return Curve(
        lambda x: np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]]),
        lambda x: np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0]]),
    )


def box(p, lower=-INF, upper=INF, mean=0.0, sigma=INF):
    return Box(
        lower=np.full(p, lower),
        upper=np.full(p, upper),
        prior_mean=np.full(p, mean),
        prior_sigma=np.full(p, sigma),
    )


def fit(problem, start, limits, **options):
    own = options.pop("own", (np.zeros(0),))
    return least_squares(problem, np.array(start, dtype=float), own, limits, **options)


def test_rosenbrocks_valley_is_followed_to_its_end():
    found = fit(rosenbrock(), [-1.2, 1.0], box(2), max_steps=200)
    assert found.ended == "converged"
    assert found.shared == pytest.approx([1.0, 1.0], abs=1e-5)


def test_the_cost_falls_with_every_step_and_begins_with_the_start():
    # (10 (1 - 1.44))^2 + 2.2^2 = 24.2, over two residuals.
    seen = []
    found = fit(rosenbrock(), [-1.2, 1.0], box(2), max_steps=200, progress=seen.append)
    assert found.cost_history[0] == pytest.approx(12.1)
    assert all(b < a for a, b in zip(found.cost_history, found.cost_history[1:], strict=False))
    assert [p.cost for p in seen] == list(found.cost_history)
    assert [p.step for p in seen] == list(range(len(seen)))


def test_an_unknown_ends_exactly_on_its_bound_and_the_others_at_their_best():
    # With x0 <= 0.5: x0 = 0.5, x1 = 0.25.
    limits = Box(
        lower=np.array([-2.0, -2.0]),
        upper=np.array([0.5, 2.0]),
        prior_mean=np.zeros(2),
        prior_sigma=np.full(2, INF),
    )
    found = fit(rosenbrock(), [-1.2, 1.0], limits, max_steps=200)
    assert found.shared[0] == 0.5
    assert found.shared[1] == pytest.approx(0.25, abs=1e-5)
    assert found.at_bound.tolist() == [True, False]


def test_a_start_outside_the_bounds_is_moved_inside():
    found = fit(rosenbrock(), [9.0, 9.0], box(2, -2.0, 2.0), max_steps=200)
    assert found.shared == pytest.approx([1.0, 1.0], abs=1e-5)


def line(matrix, target):
    return Curve(lambda x: matrix @ x - target, lambda x: matrix)


def test_what_the_data_do_not_tell_stays_where_its_prior_is():
    # Only x0 + x1 is measured, as 4; x1 is 1 by the prior, x0 has a far weaker one.
    limits = Box(
        lower=np.full(2, -INF),
        upper=np.full(2, INF),
        prior_mean=np.array([0.0, 1.0]),
        prior_sigma=np.array([1e6, 1.0]),
    )
    found = fit(line(np.array([[1e3, 1e3]]), np.array([4e3])), [0.0, 0.0], limits)
    assert found.shared == pytest.approx([3.0, 1.0], abs=1e-3)


def test_a_combination_that_nothing_fixes_is_left_alone():
    found = fit(line(np.array([[1.0, 1.0], [2.0, 2.0]]), np.array([2.0, 4.0])), [5.0, 1.0], box(2))
    assert found.ended == "converged"
    assert found.shared == pytest.approx([3.0, -1.0], abs=1e-3)


def test_an_unknown_that_changes_nothing_is_told():
    found = fit(line(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([2.0, 2.0])), [0.0, 7.0], box(2))
    assert found.dead == (1,)
    assert found.shared == pytest.approx([2.0, 7.0])


def test_a_step_that_diverges_is_rejected_and_a_shorter_one_taken():
    # The full Newton step of atan from 3 overshoots to -9.5, where this "simulation" diverges.
    problem = Curve(
        lambda x: np.where(np.abs(x) > 4.0, np.nan, np.arctan(x)),
        lambda x: np.diag(1.0 / (1.0 + x**2)),
    )
    found = fit(problem, [3.0], box(1), max_steps=50)
    assert found.ended == "converged"
    assert found.shared[0] == pytest.approx(0.0, abs=1e-6)


def test_a_start_that_diverges_is_told():
    problem = Curve(lambda x: np.full(1, np.nan), lambda x: np.ones((1, 1)))
    assert fit(problem, [0.0], box(1)).ended == "diverged"


def test_derivatives_that_lie_end_the_search_where_it_is():
    problem = Curve(lambda x: np.repeat(x - 1.0, 200), lambda x: -np.ones((200, 1)))
    found = fit(problem, [3.0], box(1))
    assert found.ended == "stuck"
    assert found.shared[0] == 3.0


def test_the_number_of_steps_is_limited():
    found = fit(rosenbrock(), [-1.2, 1.0], box(2), max_steps=3)
    assert found.ended == "steps"
    assert len(found.cost_history) == 4


def test_time_that_is_used_up_ends_a_fit():
    left = iter([False, False, True])
    found = fit(rosenbrock(), [-1.2, 1.0], box(2), max_steps=200, out_of_time=lambda: next(left))
    assert found.ended == "time"
    assert len(found.cost_history) == 3


def test_steps_that_gain_hardly_anything_end_a_fit():
    # A slope a thousand times too steep, which holds no farther than 0.02: a kink at every point.
    at = np.zeros(1)

    def value(x):
        near = np.abs(x - at) <= 0.02
        return np.repeat(np.where(near, 10.0 - 1e-3 * x, 1e3), 200)

    def slope(x):
        at[:] = x
        return -np.ones((200, 1))

    found = fit(Curve(value, slope), [0.0], box(1), max_steps=100)
    assert found.ended == "crawled"
    assert 4 <= len(found.cost_history) < 10


def test_ctrl_c_keeps_the_best_point_so_far():
    def stop(progress):
        if progress.step == 2:
            raise KeyboardInterrupt

    found = fit(rosenbrock(), [-1.2, 1.0], box(2), max_steps=200, progress=stop)
    assert found.ended == "interrupted"
    assert len(found.cost_history) == 3
    value = rosenbrock().function(found.shared)
    assert value @ value / 2 == pytest.approx(found.cost_history[-1])


class Pieces(Problem):
    """Three pieces of a parabola: one curvature for all, an own offset and slope for each."""

    def __init__(self, curvature, starts, noise):
        self.time = np.linspace(0.0, 1.0, 20)
        self.basis = np.column_stack([np.ones(20), self.time])
        rng = np.random.default_rng(0)
        self.data = [
            self.basis @ start + curvature * self.time**2 + noise * rng.standard_normal(20)
            for start in starts
        ]

    def residuals(self, shared, own):
        return [
            self.basis @ y + shared[0] * self.time**2 - d
            for y, d in zip(own, self.data, strict=True)
        ]

    def linearise(self, shared, own):
        return [
            Block(residual=r, shared=self.time[:, None] ** 2, own=self.basis)
            for r in self.residuals(shared, own)
        ]


def test_own_unknowns_of_each_block_are_found_beside_the_shared_one():
    starts = [np.array([1.0, 2.0]), np.array([-3.0, 0.5]), np.array([0.0, 0.0])]
    own = tuple(np.zeros(2) for _ in starts)
    found = fit(Pieces(4.0, starts, 0.0), [0.0], box(1), own=own)
    assert found.shared[0] == pytest.approx(4.0, abs=1e-6)
    assert np.array(found.own) == pytest.approx(np.array(starts), abs=1e-6)


def test_eliminating_own_unknowns_agrees_with_solving_for_all_at_once():
    pieces = Pieces(4.0, [np.array([1.0, 2.0]), np.array([-3.0, 0.5])], 0.1)
    own = (np.zeros(2), np.zeros(2))
    found = fit(pieces, [0.0], box(1), own=own, tolerance=1e-12)
    whole = np.zeros((40, 5))
    whole[:20, :2] = whole[20:, 2:4] = pieces.basis
    whole[:, 4] = np.tile(pieces.time**2, 2)
    direct = np.linalg.lstsq(whole, np.concatenate(pieces.data), rcond=None)[0]
    assert found.shared[0] == pytest.approx(direct[4], abs=1e-8)
    assert np.concatenate(found.own) == pytest.approx(direct[:4], abs=1e-8)
    # Their information on the shared one is the Schur complement of the whole.
    information = sum(
        float(e.shared.ravel() @ e.shared.ravel()) for e in map(eliminate, found.blocks)
    )
    assert 1.0 / information == pytest.approx(np.linalg.inv(whole.T @ whole)[4, 4])


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    p=st.integers(1, 5),
    half=st.floats(0.05, 3.0),
)
def test_bounded_linear_problems_end_where_no_bounded_step_helps(seed, p, half):
    rng = np.random.default_rng(seed)
    matrix, target = rng.standard_normal((8, p)), rng.standard_normal(8)
    limits = box(p, -half, half)
    found = fit(line(matrix, target), rng.uniform(-half, half, p), limits, tolerance=1e-10)
    gradient = matrix.T @ (matrix @ found.shared - target)
    inside = ~found.at_bound
    assert (np.abs(found.shared) <= half).all()
    assert gradient[inside] == pytest.approx(0.0, abs=1e-4)
    # On a bound the gradient points out of the box: downhill is outside.
    assert (gradient[~inside] * np.sign(found.shared[~inside]) <= 1e-4).all()
