"""What `./sinew bench randomisation` compares, without its training."""

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.comparison import Comparison, Goal
from benchmarks.randomisation import FILE, ROWS, compare, configuration, points_of, success
from sinew_core.randomisation import read_randomisation
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot

ROBOT = load_robot("panda")
RANDOMISATION = read_randomisation(FILE, ROBOT)
NOMINAL = ArmDynamics.nominal(ROBOT).values(ROBOT)


def test_it_is_registered():
    assert BENCHMARKS["randomisation"][0] == "benchmarks.randomisation"


@pytest.mark.parametrize("row", ROWS)
def test_the_points_of_a_row_span_its_range_and_leave_the_rest_nominal(row):
    easy, middle, hard = (
        point.values(ROBOT) for point in points_of(ROBOT, RANDOMISATION, ROWS[row])
    )
    bounds = RANDOMISATION.bounds()
    varied = {name for name in bounds if name.startswith(ROWS[row])}
    assert varied
    for name, nominal in NOMINAL.items():
        if name not in varied:
            assert easy[name] == middle[name] == hard[name] == nominal
            continue
        low, high = bounds[name]
        weak_is_hard = name.startswith("motor_strength/")
        assert (easy[name], hard[name]) == ((high, low) if weak_is_hard else (low, high))
        assert middle[name] == pytest.approx((low + high) / 2)


def test_every_quantity_of_the_file_has_a_row():
    shown = {n for row, prefixes in ROWS.items() if row != "all" for n in prefixes}
    assert all(name.startswith(tuple(shown)) for name in RANDOMISATION.bounds())


def test_both_sides_train_alike_but_for_the_arms():
    ours, peer = (
        configuration("joint_velocity", 1000, randomised=r).to_mapping() for r in (True, False)
    )
    differing = {name for name in ours if ours[name] != peer[name]}
    assert differing == {"randomisation", "every_episodes", "eval_randomised"}
    assert ours["safety"]["max_latency_periods"] == 2


@pytest.mark.parametrize(("worst", "met"), [(0.95, True), (0.94, False)])
def test_a_line_is_the_least_success_and_its_goal_is_for_ours(worst, met):
    line = compare("mass", [1.0, worst, 1.0], [0.2, 1.0, 1.0])
    assert line.row() == {
        "what": "joint velocities, mass",
        "ours": worst,
        "peer": 0.2,
        "unit": "success",
        "ratio": pytest.approx(worst / 0.2),
        "goal": 0.95,
        "met": met,
    }
    assert f"with 1.00, {worst}, 1.00; without 0.20, 1.00, 1.00" in line.notes[1]
    assert "0.950 success, goal" in compare("mass", [0.95], [0.2]).verdict()


def test_a_goal_for_ours_does_not_look_at_the_peer():
    line = Comparison(what="x", unit="", ours=[3.0], peer=[9.0], goal=Goal(bound=1.0))
    assert line.met() is False
    line = Comparison(
        what="x", unit="", ours=[3.0], peer=[9.0], goal=Goal(bound=1.0), goal_is_for_ours=True
    )
    assert line.met() is True


def test_success_is_judged_on_the_arm_that_is_given():
    asked = []

    class Env:
        def reset(self, *, seed, options):
            asked.append(options)
            self.good = seed % 2 == 0
            return 0.0, {}

        def step(self, action):
            return 0.0, 0.0, False, True, {"is_success": self.good}

    class Policy:
        def act(self, observation):
            return observation

    assert success(Env(), Policy(), [0, 1, 2, 3], {"dynamics": "arm"}) == 0.5
    assert asked == [{"dynamics": "arm"}] * 4
