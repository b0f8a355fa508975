"""What keeps the parts of an arm apart, off the floor, off boxes and in the workspace."""

import copy
import math

import numpy as np
import pytest

from safety_plant import Plant
from sinew_core.collision import CollisionModel
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.certified import CertifiedPositionFilter, CertifiedVelocityFilter
from sinew_core.safety.filter import Cause, PositionFilter, VelocityFilter
from sinew_core.safety.make import make_filter
from sinew_core.safety.parameters import SafetyParameters

ROBOT = load_robot("panda")
LOWER, UPPER = ROBOT.limits.position_lower_rad, ROBOT.limits.position_upper_rad
HOME = ROBOT.home_rad.tolist()
AROUND = {
    "workspace_lower_m": (-0.6, -0.6, 0.05),
    "workspace_upper_m": (0.65, 0.6, 1.0),
    "forbidden_boxes_m": (0.35, -0.2, 0.0, 0.6, 0.2, 0.25),
}


def assumed(**changes):
    """Return assumptions without drift, whose guarantee holds to the last micrometre."""
    return SafetyParameters(**{"drift_rad_s": 0.0, **AROUND, **changes})


CASES = [
    (0.01, assumed()),
    (0.01, assumed(interpolation=0.0, noise_rad=0.0, gain_error=0.0)),
    (0.02, assumed(jitter=0.2, gain_error=0.05, clearance_m=0.03)),
    (0.01, assumed(max_latency_periods=3, noise_rad=0.002, limiting="scale")),
    (0.005, assumed(jerk_scale=0.02, acceleration_scale=0.9)),
    (0.001, assumed()),
]


class Arm:
    """One arm behind the filter, and the true distances of its drive."""

    def __init__(self, period_s, parameters, rng, start=None):
        self.model = CollisionModel(ROBOT, parameters)
        self.keep = np.array(
            [
                0.0 if pair.kind.value == "workspace" else parameters.clearance_m
                for pair in self.model.pairs
            ]
        )
        self.rng, self.p, self.period_s = rng, parameters, period_s
        self.filter = CertifiedVelocityFilter(ROBOT.limits, parameters, period_s, self.model)
        self.begin(self.free_posture(0.03) if start is None else start)

    def begin(self, start):
        self.plant = Plant(np.array([start]), self.p, self.period_s, self.rng)
        self.filter.reset(self.plant.measure()[0])

    def free_posture(self, spare_m):
        while True:
            posture = self.rng.uniform(LOWER + 0.05, UPPER - 0.05)
            if self.spare(posture).min() > spare_m:
                return posture

    def spare(self, posture):
        return np.array(self.model.distances_m(np.asarray(posture).tolist())) - self.keep

    def move(self, command, parts=(1.0,)):
        """Move the drive, and return the least spare distance of any pair within the period."""
        least, greatest = self.plant.move(np.array([command]))
        assert (least >= LOWER - 1e-9).all()
        assert (greatest <= UPPER + 1e-9).all()
        return min(self.spare(self.plant.within(part)[0]).min() for part in parts)

    def copy_of_filter(self):
        return copy.deepcopy(self.filter, {id(self.model): self.model})


def wishes(rng, period_s):
    """Yield desired velocities (7,) that hold for some time, beyond all limits or within them."""
    rows = [rng.choice([-3.0, 0.0, 3.0], 7), rng.uniform(-1.0, 1.0, 7)]
    while True:
        if rng.random() < period_s / 0.4:
            rows = [rng.choice([-3.0, 0.0, 3.0], 7), rng.uniform(-1.0, 1.0, 7)]
        yield rows[0] if rng.random() < 0.9 else rows[0] + rng.uniform(-2.0, 2.0, 7)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_true_distances_are_kept_at_all_times_and_to_rest(case):
    period_s, parameters = CASES[case]
    rng = np.random.default_rng(case)
    arm = Arm(period_s, parameters, rng)
    causes = set()
    for _ in range(6):
        arm.begin(arm.free_posture(0.03))
        wish = wishes(rng, period_s)
        for _ in range(min(round(2.0 / period_s), 500)):
            measured = None if rng.random() < 0.2 else arm.plant.measure()[0]
            result = arm.filter.step(next(wish).tolist(), measured)
            assert result.fault is None
            causes.update(result.causes)
            assert arm.move(result.command, (rng.random(), 1.0)) >= -1e-7
        while any(arm.filter.command):  # no more messages: rest, and on the way to it
            command = arm.filter.brake(None).command
            assert arm.move(command, (rng.random(), 1.0)) >= -1e-7
    assert causes & {Cause.SELF_COLLISION, Cause.FLOOR, Cause.WORKSPACE, Cause.FORBIDDEN}


@pytest.mark.parametrize("case", range(len(CASES)))
def test_what_comes_out_passes_again(case):
    period_s, parameters = CASES[case]
    rng = np.random.default_rng(10 + case)
    arm = Arm(period_s, parameters, rng)
    wish, changed = wishes(rng, period_s), 0
    for period in range(400):
        measured = arm.plant.measure()[0]
        twice = arm.copy_of_filter() if period % 8 == 0 else None
        result = arm.filter.step(next(wish).tolist(), measured)
        if twice is not None:
            again = twice.step(result.command, measured)
            assert again.command == result.command
            assert not again.intervened
            changed += result.intervened
        arm.move(result.command)
    assert changed > 0


def press(direction, parameters, start=HOME, seconds=2.0, period_s=0.01):
    """Drive into something until all rests; return the arm and the causes met."""
    arm = Arm(period_s, parameters, np.random.default_rng(0), start)
    causes = set()
    for _ in range(round(seconds / period_s)):
        result = arm.filter.step(direction, arm.plant.measure()[0])
        causes.update(result.causes)
        assert arm.move(result.command) >= -1e-7
    return arm, causes


EXACT = {"noise_rad": 0.0, "gain_error": 0.0, "interpolation": 0.0, "drift_rad_s": 0.0}
DOWN = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("parameters", "direction", "cause"),
    [
        (SafetyParameters(**EXACT), DOWN, Cause.FLOOR),
        (SafetyParameters(**EXACT), [0, 0, 0, -1, 0, -1, 0], Cause.SELF_COLLISION),
        (
            SafetyParameters(
                workspace_lower_m=(-1.0, -1.0, 0.3), workspace_upper_m=(1.0, 1.0, 1.5), **EXACT
            ),
            DOWN,
            Cause.WORKSPACE,
        ),
        (
            SafetyParameters(forbidden_boxes_m=(0.4, -0.3, 0.0, 1.0, 0.3, 0.2), **EXACT),
            DOWN,
            Cause.FORBIDDEN,
        ),
    ],
)
def test_arm_rests_close_to_what_it_is_pressed_against_and_leaves_again(
    parameters, direction, cause
):
    arm, causes = press(direction, parameters)
    assert cause in causes
    spare = arm.spare(arm.plant.x[0])
    assert arm.filter.command == (0.0,) * 7
    assert spare.min() < 0.005
    nearest = int(spare.argmin())
    for _ in range(100):
        result = arm.filter.step([-0.5 * u for u in direction], arm.plant.measure()[0])
        arm.move(result.command)
    assert arm.spare(arm.plant.x[0])[nearest] > 0.02


def test_far_from_everything_a_safe_command_passes_bit_identical():
    arm = Arm(0.01, SafetyParameters(), np.random.default_rng(0), HOME)
    for k in range(60):
        wish = [0.03 * math.sin(0.1 * k + j) for j in range(7)]
        result = arm.filter.step(wish, arm.plant.measure()[0])
        assert result.command == tuple(wish)
        assert not result.intervened
        arm.move(result.command)


def test_scaled_command_keeps_its_direction_from_rest():
    parameters = SafetyParameters(limiting="scale", limit_jerk=False, **EXACT)
    arm = Arm(0.01, parameters, np.random.default_rng(0), HOME)
    wish = np.array([0.3, -0.9, 0.4, 0.8, -1.0, 0.6, 1.2])
    for _ in range(20):
        command = np.array(arm.filter.step(wish.tolist(), arm.plant.measure()[0]).command)
        np.testing.assert_allclose(command / np.linalg.norm(command), wish / np.linalg.norm(wish))
        arm.move(command)


def test_scaled_command_names_the_joint_that_decides():
    # Joint 2 may change by 0.5 * 7.5 * 0.01 = 0.0375 rad/s in a period, so s = 0.0375 / 0.075.
    parameters = SafetyParameters(limiting="scale", self_collision=False, floor=False, **EXACT)
    made = make_filter("joint_velocity", ROBOT, parameters, 0.01)
    made.reset(HOME)
    result = made.step([0.02, 0.075, 0.0, 0.0, 0.0, 0.0, 0.01], HOME)
    assert result.command == pytest.approx([0.01, 0.0375, 0.0, 0.0, 0.0, 0.0, 0.005])
    changed = Cause.ACCELERATION
    assert result.causes == (changed, changed, 0, 0, 0, 0, changed)


def inside_the_clearance(arm):
    while True:
        posture = arm.rng.uniform(LOWER + 0.05, UPPER - 0.05)
        distances = arm.spare(posture) + arm.keep
        if 0.002 < distances.min() < 0.9 * arm.p.clearance_m and (distances < 0.02).sum() == 1:
            return posture, int(distances.argmin())


def gradient(model, posture, pair):
    slopes = []
    for j in range(7):
        ends = [np.array(posture), np.array(posture)]
        ends[0][j] -= 1e-4
        ends[1][j] += 1e-4
        less, more = (model.distances_m(end.tolist(), [pair])[0] for end in ends)
        slopes.append((more - less) / 2e-4)
    return np.array(slopes)


@pytest.mark.parametrize("errors", [EXACT, {"drift_rad_s": 0.0}])
def test_an_arm_that_starts_too_close_gets_out_and_never_deeper(errors):
    parameters = SafetyParameters(**errors)
    arm = Arm(0.01, parameters, np.random.default_rng(3), HOME)
    for _ in range(5):
        posture, pair = inside_the_clearance(arm)
        arm.begin(posture)
        start = arm.model.distances_m(posture.tolist(), [pair])[0]
        for period in range(500):
            x = arm.plant.x[0]
            if period % 10 == 0:
                outward = gradient(arm.model, x, pair)
                outward = outward / np.abs(outward).max()
            # At first inward, then at random, then outward.
            wish = -outward if period < 20 else arm.rng.uniform(-1.0, 1.0, 7)
            wish = outward if period >= 60 else wish
            result = arm.filter.step(wish.tolist(), arm.plant.measure()[0])
            arm.move(result.command)
            distance = arm.model.distances_m(arm.plant.x[0].tolist(), [pair])[0]
            assert distance >= start - (1e-7 if errors is EXACT else 2e-4)
            if distance < 0.9 * parameters.clearance_m:
                carriers = np.array(arm.model.levers_m[pair]) > 0.0
                assert (np.abs(result.command)[carriers] <= 0.05 + 1e-9).all()
        assert distance > parameters.clearance_m + 0.01


def test_a_start_inside_a_forbidden_box_or_outside_the_workspace_gets_out():
    tool = ROBOT.chain.tool_xyz(HOME)
    lower = (tool[0] + 0.02, -1.0, 0.0)  # home is 2 cm outside
    parameters = SafetyParameters(
        workspace_lower_m=lower, workspace_upper_m=(1.0, 1.0, 1.5), **EXACT
    )
    arm = Arm(0.01, parameters, np.random.default_rng(0), HOME)
    before = ROBOT.chain.tool_xyz(HOME)[0]
    for _ in range(400):
        result = arm.filter.step([0.0, 0.5, 0.0, 0.5, 0.0, 0.0, 0.0], arm.plant.measure()[0])
        arm.plant.move(np.array([result.command]))
        after = ROBOT.chain.tool_xyz(arm.plant.x[0].tolist())[0]
        assert after >= min(before, lower[0]) - 1e-6
        before = after
    assert after > lower[0]


@pytest.mark.parametrize("period_s", [0.01, 0.002])
def test_positions_keep_distances_within_the_tracking_error(period_s):
    parameters = assumed(tracking_error_rad=0.004, jerk_scale=0.2)
    rng = np.random.default_rng(5)
    arm = Arm(period_s, parameters, rng, HOME)
    made = CertifiedPositionFilter(ROBOT.limits, parameters, period_s, arm.model)
    made.reset(HOME)
    target, changed, before = np.array(HOME), 0, np.array(HOME)
    for period in range(700):
        if period % 60 == 0:
            target = rng.uniform(LOWER, UPPER)
        result = made.step(target.tolist(), None)
        changed += bool({Cause.SELF_COLLISION, Cause.FLOOR, Cause.WORKSPACE} & set(result.causes))
        for part in (rng.random(), 1.0):
            there = before + part * (np.array(result.command) - before)
            error = rng.choice([-1.0, 1.0], 7) * parameters.tracking_error_rad
            assert arm.spare(there + error).min() >= -1e-7
        before = np.array(result.command)
    assert changed > 0


def test_factory_chooses_the_plain_filters_where_nothing_else_can_bind():
    none = SafetyParameters(self_collision=False, floor=False)
    assert type(make_filter("joint_velocity", ROBOT, none, 0.01)) is VelocityFilter
    assert type(make_filter("joint_position", ROBOT, none, 0.01)) is PositionFilter
    # At 1 kHz J dt = 7.5 rad/s^2 is less than twice 0.5 * 15 rad/s^2: the jerk limit binds.
    assert type(make_filter("joint_velocity", ROBOT, none, 0.001)) is CertifiedVelocityFilter
    assert type(make_filter("joint_position", ROBOT, none, 0.001)) is CertifiedPositionFilter
    scaled = SafetyParameters(self_collision=False, floor=False, limiting="scale")
    assert type(make_filter("joint_velocity", ROBOT, scaled, 0.01)) is CertifiedVelocityFilter
    made = make_filter("joint_velocity", ROBOT, SafetyParameters(), 0.01)
    assert type(made) is CertifiedVelocityFilter
