"""The safety benchmark: its drives, its peers, and that it finds what is wrong."""

import dataclasses

import numpy as np
import pytest

from benchmarks.safety import compared, cycles, kernels, peers, plant, runs, world
from benchmarks.safety.cases import Case, draw_case
from benchmarks.safety.manoeuvre import SPEED_RAD_S, UPPER_RAD, trace
from benchmarks.safety.wishes import MODES
from safety_plant import Plant
from safety_samples import PANDA, one_joint
from sinew_core.safety.parameters import SafetyParameters

HARSH = Case(limits=PANDA, parameters=runs.HARSH, period_s=0.01)


class Recorded:
    """Passes a generator's draws on, and keeps them in the order in which they were made."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.drawn = []

    def _keep(self, values):
        self.drawn.append(values)
        return values

    def integers(self, *arguments):
        return self._keep(self.rng.integers(*arguments))

    def random(self, *arguments):
        return self._keep(self.rng.random(*arguments))

    def uniform(self, *arguments):
        return self._keep(self.rng.uniform(*arguments))

    def taken(self):
        drawn, self.drawn = self.drawn, []
        return drawn


PARAMETERS = [
    SafetyParameters(),
    SafetyParameters(drift_rad_s=0.0, interpolation=0.0),
    dataclasses.replace(runs.HARSH, max_latency_periods=4, jitter=0.3),
    SafetyParameters(drift_rad_s=0.05, jitter=0.5, max_latency_periods=1, interpolation=0.3),
]


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_the_compiled_drive_moves_as_the_one_of_the_tests_does(parameters):
    rng = Recorded(0)
    other = Plant(np.linspace(-1.0, 1.0, 9)[None], parameters, 0.01, rng)
    drive = plant.drive_constants(parameters, 0.01)
    joints = np.array([other.x[0], other.v[0], other.ramp[0], other.sign[0]])
    past = np.zeros((max(1, parameters.max_latency_periods), 5, 9))
    commands = np.random.default_rng(1)
    rng.taken()
    for k in range(60):
        command = commands.uniform(-2.0, 2.0, (1, 9)) * commands.choice([0.0, 1.0, 1.0], 9)
        least, greatest = other.move(command)
        flip, kind = (drawn[0] for drawn in rng.taken())
        joints[plant.SIGN] = np.where(flip < 0.1, -joints[plant.SIGN], joints[plant.SIGN])
        sign = joints[plant.SIGN]
        end = np.where(kind == 0, 0.0, np.where(kind == 1, -sign, sign))
        newest = k % len(past)
        moved = [
            plant.move(drive, joints, past, newest, j, command[0, j], end[j]) for j in range(9)
        ]
        np.testing.assert_allclose(joints[plant.X], other.x[0], rtol=0, atol=1e-15)
        low, high = np.array(moved).T
        # The exact extremes; those of the numpy drive neglect the drift within the ramp.
        assert (low <= least[0] + 1e-15).all()
        assert (high >= greatest[0] - 1e-15).all()
        if parameters.drift_rad_s == 0.0:
            starts = past[newest, plant.START]
            np.testing.assert_allclose(low, np.minimum(least[0], starts), rtol=0, atol=1e-15)
            np.testing.assert_allclose(high, np.maximum(greatest[0], starts), rtol=0, atol=1e-15)
        seen = other.measure()
        kind, part, at_end, noise = (drawn[0] for drawn in rng.taken())
        age = np.where(kind == 0, 0.0, np.where(kind == 1, 1.0, part))
        age *= min(parameters.max_latency_periods, k + 1)
        noise = parameters.noise_rad * np.where(at_end < 0.8, sign, noise)
        measured = [
            plant.measure(drive, joints, past, newest, j, age[j], noise[j]) for j in range(9)
        ]
        np.testing.assert_allclose(measured, seen[0], rtol=0, atol=1e-15)


def test_extremes_between_samples_are_those_of_the_whole_path():
    drive = plant.drive_constants(dataclasses.replace(runs.HARSH, drift_rad_s=0.05), 0.1)
    rng = np.random.default_rng(2)
    for _ in range(300):
        joints = np.array([[0.0], [rng.uniform(-1, 1)], [rng.random()], [rng.choice([-1.0, 1.0])]])
        past = np.zeros((1, 5, 1))
        ramp = joints[plant.RAMP, 0]
        least, greatest = plant.move(drive, joints, past, 0, 0, rng.uniform(-1, 1), 1.0)
        path = [
            plant.inside(part, ramp, 0.1, *past[0, :, 0]) for part in np.linspace(0.0, 1.0, 401)
        ]
        # Between two of 400 points of a parabola of at most 2.5 rad/s in 0.1 s: 1e-5 at most.
        assert least <= min(path) + 1e-15
        assert greatest >= max(path) - 1e-15
        assert least == pytest.approx(min(path), abs=1e-4)
        assert greatest == pytest.approx(max(path), abs=1e-4)


def test_chance_reaches_every_edge_of_the_assumptions():
    drive = plant.drive_constants(runs.HARSH, 0.01)
    state, joints = runs.generator(3), np.array([[0.0], [0.0], [0.0], [1.0]])
    ends, drawn = set(), []
    with np.errstate(over="ignore"):
        for _ in range(400):
            ends.add(plant.draw_end(state, joints, 0))
            drawn.append(plant.draw_measurement(state, drive, joints, 0, 9))
    assert ends == {-1.0, 0.0, 1.0}
    ages, noises = np.array(drawn).T
    assert {0.0, 3.0} <= set(ages.tolist())
    assert ((ages >= 0.0) & (ages <= 3.0)).all()
    assert {-0.002, 0.002} <= set(noises.tolist())
    assert (np.abs(noises) <= 0.002).all()


SEARCHES = {
    "velocity": (kernels.velocity_search, world.velocity_limiter),
    "position": (kernels.position_search, world.position_limiter),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SEARCHES)
def test_a_quick_search_finds_nothing_wrong(kind):
    search, make_limiter = SEARCHES[kind]
    *_, totals = runs.search_many(search(), make_limiter, 5, 1_000_000)
    assert totals.wrong == []
    assert (totals.violations, totals.infeasible) == (0, 0)
    assert totals.steps >= 1_000_000
    assert totals.cases >= 5
    # It went to the limits, and asked for what is not safe.
    assert abs(totals.measures[world.NEAREST]) < 1e-3
    assert totals.counts[world.CHANGED] > 0.2 * totals.steps


@pytest.mark.slow
@pytest.mark.parametrize("what", runs.BLIND)
def test_a_filter_that_does_not_know_its_drive_is_found_out(what):
    search = kernels.velocity_search()
    known = runs.search_case(search, world.velocity_limiter(HARSH), (0,), 100_000)[0]
    assert known[list(world.VIOLATIONS)].sum() + known[world.INFEASIBLE] == 0
    totals = runs.search_blind(search, HARSH, what, 100_000)
    assert totals.violations + totals.infeasible > 0
    assert totals.wrong


@pytest.mark.slow
def test_a_search_depends_on_its_seed_alone():
    search = kernels.velocity_search()
    first, again, other = (
        list(runs.search_many(search, world.velocity_limiter, seed, 300_000))[-1]
        for seed in (1, 1, 2)
    )
    assert first.counts.tolist() == again.counts.tolist()
    assert first.measures.tolist() == again.measures.tolist()
    assert first.counts.tolist() != other.counts.tolist()


@pytest.mark.slow
def test_peers_overshoot_where_ours_does_not():
    ours, ros2_control, servo, soft = (
        runs.compare_limiter(which, compared.EXACT, 100_000) for which in range(4)
    )
    assert ours.measures[world.OVERSHOOT] <= 1e-9
    assert soft.measures[world.OVERSHOOT] <= 1e-9
    assert ros2_control.measures[world.OVERSHOOT] > 0.2
    assert servo.measures[world.OVERSHOOT] > 0.1
    assert soft.measures[world.LOST] > 1e-4 * soft.counts[world.SAFE]
    assert ours.measures[world.LOST] <= 1e-9 * ours.counts[world.SAFE]


def test_drawn_cases_reach_robots_rates_and_extremes():
    cases = [draw_case(np.random.default_rng([0, i])) for i in range(200)]
    assert {round(1.0 / c.period_s) for c in cases} == {50, 100, 200, 500, 1000}
    assert {c.parameters.max_latency_periods for c in cases} >= {0, 16}
    for name, extreme in {"jitter": 0.5, "gain_error": 0.2, "interpolation": 0.5}.items():
        values = {getattr(c.parameters, name) for c in cases}
        assert {0.0, extreme} <= values
    assert len({c.limits.velocity_rad_s.tobytes() for c in cases}) > 30
    assert MODES == 7


# Speed limit 2 rad/s, limits +-1 rad, 10 ms, 0.1 rad/s a period.
@pytest.mark.parametrize(
    ("asked", "position", "previous", "sent"),
    [
        (1.0, 0.0, 1.0, 1.0),  # nothing in the way
        (9.0, 0.0, 1.95, 2.0),  # speed
        (2.0, 0.0, 1.0, 1.1),  # acceleration
        (2.0, 0.995, 0.45, 0.5),  # 0.005 rad in 10 ms
        # 0.5 rad/s by the position, at least 1.9 by the acceleration: swapped to [0.5, 1.9].
        (2.0, 0.995, 2.0, 1.9),
        (0.0, 0.995, 2.0, 0.5),
        (-1.0, 1.001, 0.0, 0.0),  # beyond a limit: no way back
    ],
)
def test_ros2_controls_joint_limits(asked, position, previous, sent):
    found = peers.saturation(asked, position, previous, -1.0, 1.0, 2.0, 0.1, 0.01)
    assert found == pytest.approx(sent)


def test_moveit_servo_scales_all_joints_until_the_fastest_keeps_its_limit():
    # 3 rad/s of 2, and 1 of 4: the factor of both is 2 / 3.
    assert peers.speed_factor(np.array([3.0, -1.0]), np.array([2.0, 4.0])) == pytest.approx(2 / 3)
    assert peers.speed_factor(np.array([1.0, -1.0]), np.array([2.0, 4.0])) == 1.0


@pytest.mark.parametrize(
    ("velocity", "position", "halted"),
    [
        (1.0, 0.88, False),  # 0.89 after 10 ms, the margin begins at 0.9
        (1.0, 0.895, True),
        (-1.0, 0.95, False),  # inward
        (-1.0, -0.895, True),
        (0.0, 0.95, False),
    ],
)
def test_moveit_servo_halts_within_its_margin(velocity, position, halted):
    assert peers.halts(velocity, position, -1.0, 1.0, 0.1, 0.01) is halted


@pytest.mark.parametrize(
    ("asked", "position", "sent"),
    # k = 4: 4 (1 - 0.75) = 1 rad/s towards the limit, 2 (the speed limit) away from it.
    [(2.0, 0.75, 1.0), (-9.0, 0.75, -2.0), (0.5, 0.75, 0.5), (1.0, 1.1, -0.4)],
)
def test_a_soft_limit(asked, position, sent):
    assert peers.soft_limit(asked, position, -1.0, 1.0, 2.0, 4.0) == pytest.approx(sent)


def test_one_braking_manoeuvre():
    (ours, _), (ros2_control, _), (servo, _), (soft, _) = (trace(which) for which in range(4))
    assert UPPER_RAD - 1e-9 <= ours.max() <= UPPER_RAD + 1e-12
    # ros2_control brakes in the last period before the limit: v^2 / 2a beyond it, less v dt.
    stop_rad = SPEED_RAD_S**2 / (2 * 7.5)
    assert UPPER_RAD + stop_rad - 0.025 < ros2_control.max() < UPPER_RAD + stop_rad
    # MoveIt Servo brakes 0.1 rad before the limit.
    assert UPPER_RAD + stop_rad - 0.13 < servo.max() < UPPER_RAD + stop_rad - 0.1
    assert soft.max() < UPPER_RAD
    assert 0 < np.argmax(ours > UPPER_RAD - 0.05) < np.argmax(soft > UPPER_RAD - 0.05)


def test_what_is_safe_is_judged_by_the_truth():
    # 1 rad/s, 10 rad/s^2, 10 ms: from 1 rad/s rest is S_0 = 10 x 0.01^2 x (10 x 11 / 2) = 0.055.
    parameters = dataclasses.replace(compared.EXACT)
    case = Case(limits=one_joint(), parameters=parameters, period_s=0.01)
    limiter = world.velocity_limiter(case)
    arm = world.make_arm(limiter)
    arm.plant[plant.V, 0] = 1.0
    arm.plant[plant.X, 0] = 1.0 - 0.056
    assert compared.is_safe(limiter, arm, 0, 1.0)
    arm.plant[plant.X, 0] = 1.0 - 0.054
    assert not compared.is_safe(limiter, arm, 0, 1.0)
    assert compared.is_safe(limiter, arm, 0, 0.9)
    assert not compared.is_safe(limiter, arm, 0, 0.8)  # 20 rad/s^2


def test_each_cycle_is_timed_and_each_case_has_a_name_of_its_own():
    timed = list(cycles.cases())
    assert len({str(case) for case in timed}) == len(timed)
    for case in (timed[0], timed[-1]):
        took = cycles.time_cycles(case, 5)
        assert len(took) == 5
        assert min(took) > 0.0
