"""The compiled certified filters equal the scalar ones to the last bit."""

import numpy as np
import pytest

from sinew_core.collision import CollisionModel
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.certified import CertifiedPositionFilter, CertifiedVelocityFilter
from sinew_core.safety.certified_twin import (
    BatchCertifiedPositionFilter,
    BatchCertifiedVelocityFilter,
)
from sinew_core.safety.filter import Cause, FilterFault
from sinew_core.safety.make import make_batch_filter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.twin import BatchPositionFilter, BatchVelocityFilter

ROBOT = load_robot("panda")
LOWER, UPPER = ROBOT.limits.position_lower_rad, ROBOT.limits.position_upper_rad
AROUND = {"workspace_lower_m": (-0.6, -0.6, 0.05), "workspace_upper_m": (0.65, 0.6, 1.0)}
NO_PAIRS = {"self_collision": False, "floor": False}
CASES = [
    (0.01, SafetyParameters(**AROUND)),
    (0.001, SafetyParameters(drift_rad_s=0.0, jitter=0.1, **AROUND)),
    (0.002, SafetyParameters(jerk_scale=0.05, limiting="scale", max_latency_periods=2, **AROUND)),
    (0.01, SafetyParameters(jerk_scale=0.01, dead_time_periods=2.0)),
    (0.02, SafetyParameters(jitter=0.1, limiting="scale", **NO_PAIRS)),
]
FILTERS = {
    "joint_velocity": (CertifiedVelocityFilter, BatchCertifiedVelocityFilter),
    "joint_position": (CertifiedPositionFilter, BatchCertifiedPositionFilter),
}
ARMS = 3


def targets(mode, rng, x, period, period_s):
    """Return what three arms are asked for: far beyond the limits, near, and now and then bits."""
    wish = rng.uniform(-3.0, 3.0, (ARMS, 7))
    if mode == "joint_position":
        wish = x + wish * (3.0 * period_s if period % 80 < 40 else 0.3)
    return wish


@pytest.mark.parametrize("mode", list(FILTERS))
@pytest.mark.parametrize("case", range(len(CASES)))
def test_twin_equals_the_scalar_filter(mode, case):
    period_s, p = CASES[case]
    rng = np.random.default_rng(case)
    model = CollisionModel(ROBOT, p)
    one, many = FILTERS[mode]
    scalars = [one(ROBOT.limits, p, period_s, model) for _ in range(ARMS)]
    twin = many(ROBOT.limits, p, period_s, ARMS, model)
    x = rng.uniform(LOWER + 0.1, UPPER - 0.1, (ARMS, 7))
    x[0] = ROBOT.home_rad
    twin.reset(slice(None), x)
    for scalar, posture in zip(scalars, x, strict=True):
        scalar.reset(posture)
    out, causes = np.zeros((ARMS, 7)), set()
    for period in range(240):
        if period % 40 == 0:
            wish = targets(mode, rng, x, period, period_s)
        out[:] = wish
        if rng.random() < 0.02:
            out[1, 2] = rng.choice([np.nan, np.inf, 1e308, 5e-324])
        asked = out.copy()
        measured = x + rng.uniform(-0.9, 0.9, x.shape) * p.noise_rad
        measured = None if rng.random() < 0.2 else measured
        twin.step(out if period % 2 else asked, measured, out)
        for arm, scalar in enumerate(scalars):
            result = scalar.step(asked[arm], None if measured is None else measured[arm])
            assert np.array(result.command).tobytes() == out[arm].tobytes()
            assert list(result.causes) == twin.causes[arm].tolist()
            assert (result.fault or 0) == twin.faults[arm]
            causes.update(result.causes)
        x = x + period_s * out if mode == "joint_velocity" else out.copy()
    # 240 periods of 1 ms do not get far enough.
    if model.pairs and period_s > 0.001:
        assert causes & {Cause.SELF_COLLISION, Cause.FLOOR, Cause.WORKSPACE}


def test_reset_of_one_arm_leaves_the_others_alone_and_counts_start_anew():
    twin = make_batch_filter("joint_velocity", ROBOT, SafetyParameters(), 0.01, 2)
    home = np.tile(ROBOT.home_rad, (2, 1))
    twin.reset(slice(None), home)
    out = np.empty((2, 7))
    twin.step(np.full((2, 7), 5.0), home, out)
    assert twin.interventions.tolist() == [[1] * 7] * 2
    first = out.copy()
    twin.reset(0, home[0])
    assert twin.interventions.tolist() == [[0] * 7, [1] * 7]
    twin.step(np.full((2, 7), 5.0), None, out)
    np.testing.assert_array_equal(out[0], first[0])
    assert (out[1] > first[1]).all()


def test_an_arm_against_its_commands_brakes_until_its_reset():
    twin = make_batch_filter("joint_velocity", ROBOT, SafetyParameters(), 0.01, 2)
    home = np.tile(ROBOT.home_rad, (2, 1))
    twin.reset(slice(None), home)
    teleported = home.copy()
    teleported[0, 3] += 0.5
    out = np.empty((2, 7))
    for _ in range(3):
        twin.step(np.full((2, 7), 0.01), teleported, out)
    assert twin.faults.tolist() == [FilterFault.OBSERVER_EMPTY, 0]
    assert out.tolist() == [[0.0] * 7, [0.01] * 7]


def test_factory_makes_the_batch_of_what_it_makes_for_one_arm():
    none = SafetyParameters(**NO_PAIRS)
    kinds = {
        ("joint_velocity", 0.01, none): BatchVelocityFilter,
        ("joint_position", 0.01, none): BatchPositionFilter,
        ("joint_velocity", 0.001, none): BatchCertifiedVelocityFilter,
        ("joint_position", 0.01, SafetyParameters()): BatchCertifiedPositionFilter,
    }
    for (mode, period_s, p), kind in kinds.items():
        assert type(make_batch_filter(mode, ROBOT, p, period_s, 1)) is kind
