"""A thousand histories of each filter, of any mix of wishes, silence, nonsense and resets."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from safety_plant import Plant
from safety_samples import EXACT, any_float, assumptions, one_joint
from sinew_core.safety.filter import FilterFault, PositionFilter, VelocityFilter

PERIOD_S = 0.01
LIMITS = one_joint(-0.1, 0.1, velocity=2.0, acceleration=8.0)
RUNS = settings(max_examples=300, stateful_step_count=12)
sides = st.sampled_from([-9.0, 9.0])


class VelocityHistory(RuleBasedStateMachine):
    """One joint on a drive at the edge of the assumptions; it must never leave its limits."""

    @initialize(parameters=assumptions, seed=st.integers(0, 2**32))
    def start(self, parameters, seed):
        self.p = parameters
        self.plant = Plant(np.zeros((1, 1)), parameters, PERIOD_S, np.random.default_rng(seed))
        self.filter = VelocityFilter(LIMITS, parameters, PERIOD_S)
        self.filter.reset(self.plant.measure()[0])
        self.least = self.greatest = 0.0
        self.periods = 0

    def move(self, command):
        least, greatest = self.plant.move(np.array([command]))
        self.least = min(self.least, float(least.min()))
        self.greatest = max(self.greatest, float(greatest.max()))
        self.periods += 1

    def drifted(self):
        """Return how far drift that braking does not pay for may have moved the joint."""
        return self.p.drift_rad_s * PERIOD_S * self.periods * (1.0 + self.p.jitter)

    def run(self, wish, periods, *, measured=True):
        for _ in range(periods):
            result = self.filter.step([wish], self.plant.measure()[0] if measured else None)
            drifted_out = self.drifted() > self.p.margin_rad
            assert result.fault in (None, FilterFault.NOT_FINITE) or (
                drifted_out and result.fault == FilterFault.OUTSIDE_LIMITS
            )
            self.move(result.command)

    def brake_to_rest(self):
        for _ in range(400):  # 2 rad/s at 8 rad/s^2 and 0.01 s: 25 periods, 36 with jitter 0.3
            if self.filter.command == (0.0,):
                return
            self.move(self.filter.brake(None).command)
        raise AssertionError("the joint does not come to rest")

    @rule(side=sides, periods=st.integers(1, 12))
    def push(self, side, periods):
        self.run(side, periods)

    @rule(wish=st.floats(-3.0, 3.0))
    def wish(self, wish):
        self.run(wish, 2)

    @rule(side=sides, periods=st.integers(1, 6))
    def push_without_measurements(self, side, periods):
        self.run(side, periods, measured=False)

    @rule(bits=any_float)
    def ask_for_any_bits(self, bits):
        self.run(bits, 1)

    @rule()
    def brake(self):
        self.move(self.filter.brake(self.plant.measure()[0]).command)

    @rule()
    def publish_nothing_for_the_dead_time_then_brake(self):
        periods = math.floor(self.p.dead_time_periods)
        for _ in range(periods):
            self.move(self.filter.command)
        self.filter.hold(periods)
        self.brake_to_rest()

    @rule()
    def come_to_rest_and_reset(self):
        self.brake_to_rest()
        self.move((0.0,))
        for _ in range(self.p.max_latency_periods):  # until measurements show the rest
            self.move((0.0,))
        self.filter.reset(self.plant.measure()[0])

    @invariant()
    def stays_inside(self):
        inset = self.p.margin_rad - self.drifted() - 1e-9
        assert self.least >= -0.1 + inset
        assert self.greatest <= 0.1 - inset


class PositionHistory(RuleBasedStateMachine):
    """References of one joint; they must keep all limits, whatever is asked for."""

    @initialize(parameters=assumptions)
    def start(self, parameters):
        self.filter = PositionFilter(LIMITS, parameters, PERIOD_S)
        self.filter.reset([0.0])
        self.bound = 0.1 - parameters.margin_rad - parameters.tracking_error_rad
        scale = 1.0 - parameters.jitter
        self.speed = LIMITS.velocity_rad_s[0] * scale
        self.change = LIMITS.acceleration_rad_s2[0] * parameters.acceleration_scale * scale
        self.position = self.velocity = 0.0

    def run(self, target, periods, *, measured=True):
        for _ in range(periods):
            result = self.filter.step([target], [self.position] if measured else None)
            assert result.fault in (None, FilterFault.NOT_FINITE)
            velocity = (result.command[0] - self.position) / PERIOD_S
            assert abs(result.command[0]) <= self.bound + 1e-9
            assert abs(velocity) <= self.speed + 1e-9
            assert abs(velocity - self.velocity) <= self.change * PERIOD_S + 1e-9
            self.position, self.velocity = result.command[0], velocity

    @rule(side=sides, periods=st.integers(1, 12))
    def push(self, side, periods):
        self.run(side, periods)

    @rule(position=st.floats(-0.12, 0.12), periods=st.integers(1, 6))
    def ask(self, position, periods):
        self.run(position, periods)

    @rule(bits=any_float)
    def ask_for_any_bits(self, bits):
        self.run(bits, 1, measured=False)

    @rule(steps=st.floats(-1.0, 1.0))
    def go_on(self, steps):
        self.run(self.position + PERIOD_S * (self.velocity + steps * self.change * PERIOD_S), 1)

    @rule(periods=st.integers(1, 5))
    def publish_nothing(self, periods):
        self.filter.hold(periods)
        self.velocity = 0.0

    @rule()
    def come_to_rest_and_reset(self):
        self.run(math.nan, 60, measured=False)
        assert abs(self.velocity) <= 1e-9
        self.filter.reset([self.position])


def test_drift_without_a_margin_ends_past_the_limit_and_is_told():
    history = VelocityHistory()
    history.start(parameters=replace(EXACT, drift_rad_s=0.002), seed=0)
    history.run(-9.0, 31)
    assert -0.1 - 4e-5 < history.least < -0.1  # two periods of drift
    assert history.filter.step([-9.0], history.plant.measure()[0]).fault is (
        FilterFault.OUTSIDE_LIMITS
    )


TestVelocityHistory = VelocityHistory.TestCase
TestVelocityHistory.settings = RUNS
TestPositionHistory = PositionHistory.TestCase
TestPositionHistory.settings = RUNS
