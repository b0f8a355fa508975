"""When measured positions that stand still are a fault, around arms that repeat them at rest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.rates import Rates
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.realtime import real_time_assumptions
from sinew_core.safety.supervisor import State
from sinew_core.safety.watchdogs import FrozenPositions, SupervisorParameters
from supervised_world import PERIOD, ROBOT, World

SAFETY = real_time_assumptions(
    SafetyParameters(), Rates(filter_rate_hz=100, state_rate_hz=100, control_rate_hz=25)
)
LATENCY = SAFETY.max_latency_periods
PERIOD_S = PERIOD / 1e9
FROZEN = "joint positions are frozen while motion is commanded"


class LateWorld(World):
    """An arm whose drives begin so many periods late, and do not move below a speed."""

    def __init__(self, late, *, deadband=0.0, **parameters):
        super().__init__("joint_velocity", safety=SAFETY, **parameters)
        self.deadband = deadband
        self.coming = [[0.0] * 7] * late
        self.stuck = None

    def cycle(self):
        self.coming.append(self.supervisor.cycle(self.now))
        driven = self.coming.pop(0)
        self.velocity = [v if abs(v) >= self.deadband else 0.0 for v in driven]

    def asked(self, values, cycles):
        for _ in range(cycles):
            self.state()
            self.command(values)
            self.cycle()
            self.pass_time()


@pytest.mark.parametrize("late", range(LATENCY + 1))
def test_an_arm_that_follows_as_late_as_declared_is_not_frozen(late):
    world = LateWorld(late).armed()
    world.asked([0.8] * 7, 60)
    assert world.supervisor.state is State.ARMED, world.supervisor.reason
    # Nor where it turns around, or begins again after a rest.
    for values in ([-0.8] * 7, [0.0] * 7, [0.8] * 7):
        world.asked(values, 40)
    assert world.supervisor.state is State.ARMED, world.supervisor.reason


def test_what_a_drive_may_be_off_does_not_add_up_to_a_motion():
    world = LateWorld(0, deadband=0.9 * SAFETY.drift_rad_s).armed()
    world.asked([0.8 * SAFETY.drift_rad_s] * 7, 1000)
    assert world.supervisor.state is State.ARMED, world.supervisor.reason


@settings(max_examples=30)
@given(
    late=st.integers(0, LATENCY),
    deadband=st.floats(0.0, 0.9 * SAFETY.drift_rad_s),
    asked=st.lists(st.tuples(st.floats(-0.3, 0.3), st.integers(1, 30)), max_size=8),
    gaps=st.integers(0, 2),
)
def test_no_arm_that_keeps_to_the_assumptions_is_found_frozen(late, deadband, asked, gaps):
    # States that are left out, as long as none is stale, make it no more so.
    world = LateWorld(late, deadband=deadband).armed()
    for speed, cycles in asked:
        for k in range(cycles):
            if k % (gaps + 1) == 0:
                world.state()
                world.command([speed] * 7)
            world.cycle()
            world.pass_time()
    assert world.supervisor.reason != FROZEN


def frozen_after(world, speed):
    """Let the driver repeat its last positions; return the cycles until the arm brakes."""
    stuck = list(world.position)
    for cycle in range(1000):
        if world.supervisor.state is not State.ARMED:
            assert world.supervisor.reason == FROZEN
            return cycle
        world.position = list(stuck)
        world.asked([speed] * 7, 1)
    return None


@pytest.mark.parametrize("late", range(LATENCY + 1))
@pytest.mark.parametrize("speed", [0.1, 0.3, 0.8])
def test_a_driver_that_repeats_old_positions_in_motion_is_found_in_three_states_and_a_cycle(
    late, speed
):
    world = LateWorld(late).armed()
    world.asked([speed] * 7, 100)
    assert frozen_after(world, speed) <= 4


@pytest.mark.parametrize("speed", [0.05, 0.1, 0.3])
def test_one_that_repeats_them_from_rest_on_is_found_within_age_and_travel(speed):
    world = LateWorld(0).armed()
    world.asked([0.0] * 7, 20)
    travel_s = SupervisorParameters().frozen_travel_rad / (0.9 * speed - SAFETY.drift_rad_s)
    # Two periods for the limit of accelerations.
    assert frozen_after(world, speed) <= LATENCY + travel_s / PERIOD_S + 3


def test_a_missing_state_is_for_its_own_watchdog():
    world = LateWorld(0, state_timeout_s=0.2, command_timeout_s=0.5).armed()
    world.asked([0.3] * 7, 60)
    for _ in range(12):
        world.command([0.3] * 7)
        world.cycle()
        world.pass_time()
    assert world.supervisor.state is State.ARMED, world.supervisor.reason
    world.asked([0.3] * 7, 5)
    assert world.supervisor.state is State.ARMED, world.supervisor.reason


@pytest.mark.parametrize("speed", [0.01, 0.02])
def test_the_noise_of_velocities_at_rest_is_no_motion_of_an_arm_under_efforts(speed):
    world = World("joint_effort", safety=SAFETY)
    rng = np.random.default_rng(1)
    world.run(50, commands=False)
    world.armed()
    for k in range(600):
        world.position = ROBOT.home_rad.tolist()
        world.velocity = rng.uniform(-speed, speed, 7).tolist()
        world.state()
        if k % 4 == 0:
            world.command([0.0] * 7)
        world.supervisor.cycle(world.now)
        world.now += PERIOD
        world.stamp += PERIOD
    assert world.supervisor.state is State.ARMED, world.supervisor.reason


@pytest.mark.parametrize("rest", [LATENCY + 1, 50])
def test_what_the_last_change_has_shown_is_not_asked_for_again_whatever_its_delay_was(rest):
    world = LateWorld(0).armed()
    world.asked([0.8] * 7, 60)
    # Joint 2 needs 24 periods to rest.
    world.asked([0.0] * 7, 25 + rest)
    # From now on the arm is as late as declared.
    world.coming = [[0.0] * 7] * LATENCY
    world.asked([0.8] * 7, 60)
    assert world.supervisor.state is State.ARMED, world.supervisor.reason


@given(
    latency=st.integers(0, 10),
    travels=st.lists(st.sampled_from([0.0, 0.0005, 0.001, 0.004]), max_size=60),
    changes=st.sets(st.integers(0, 60)),
)
def test_what_no_delay_explains_counts_and_what_one_does_never(latency, travels, changes):
    exact = SafetyParameters(drift_rad_s=0.0, gain_error=0.0, max_latency_periods=latency)
    watch = FrozenPositions(SupervisorParameters(frozen_travel_rad=0.00225), exact, PERIOD)
    sent = [0.0] * latency
    since = 0
    for k, travel in enumerate(travels):
        if k in changes:
            watch.changed()
            since = k
        now, last = len(sent), since + latency
        explained = [sum(sent[last - delay : now - delay]) for delay in range(latency + 1)]
        # Delays that differ from one state to another: the last change at none, now the longest.
        whatever = sum(sent[last : now - latency])
        if k - since < 3 or min(explained) <= 0.00225:
            assert not watch.found
        elif whatever > 0.00225:
            assert watch.found
        sent.append(travel)
        watch.travel(travel)
