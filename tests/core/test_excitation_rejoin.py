"""Back to a planned motion where the position filter has missed a command."""

from __future__ import annotations

import numpy as np
import pytest

from sinew_core.rates import Rates
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.make import make_filter
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.sysid.excitation.feedforward import Follower
from sinew_core.sysid.excitation.limits import motion_limits
from sinew_core.sysid.excitation.reference import Reference
from sinew_core.sysid.excitation.rejoin import Rejoin
from sinew_core.sysid.excitation.sensitivity import EffortSensitivity
from sinew_core.sysid.excitation.trial import FilterSetting

ROBOT = load_robot("panda")
RATES = Rates(physics_rate_hz=1000, state_rate_hz=200, filter_rate_hz=200, control_rate_hz=200)
SETTING = FilterSetting(
    mode="joint_position",
    safety=SafetyParameters(max_latency_periods=8),
    rates=RATES,
    lockstep=False,
)
PERIOD_S = RATES.filter_period_s
LIMITS = motion_limits("joint_position", ROBOT, SETTING.assumed, PERIOD_S, 1.0)
MODEL = EffortSensitivity(ROBOT, ArmDynamics.nominal(ROBOT), ("mass/*",))
SWEEP_S, SHARE = 3.0, 0.8


def sweep():
    """Return positions (N, 7) of one smooth sweep there and back, as hard as a plan's."""
    time_s = np.arange(round(SWEEP_S / PERIOD_S) + 60) * PERIOD_S
    shape = np.sin(np.pi * np.minimum(time_s / SWEEP_S, 1.0)) ** 4
    speed, hardness = (np.abs(np.diff(shape, n)).max() / PERIOD_S**n for n in (1, 2))
    size = SHARE * np.minimum(LIMITS.acceleration_rad_s2 / hardness, LIMITS.velocity_rad_s / speed)
    up, down = LIMITS.upper_rad - ROBOT.home_rad, ROBOT.home_rad - LIMITS.lower_rad
    signed = np.where(up > down, 1.0, -1.0) * np.minimum(size, 0.5 * np.maximum(up, down))
    return ROBOT.home_rad + signed * shape[:, None]


def run(arrivals, *, rejoin, restart=None):
    """Return the largest lag in rad, and the last, where cycle k sees arrivals[k] new commands.

    In cycle `restart` the filter begins anew from rest, as after a cycle that it missed itself.
    """
    position = sweep()
    planned = np.vstack([position[1:], position[-1:]])
    checked = make_filter("joint_position", ROBOT, SETTING.assumed, PERIOD_S)
    checked.reset(position[0].tolist())
    way, lags = Rejoin(LIMITS, PERIOD_S), []
    follower = Follower(
        "joint_position",
        ROBOT,
        Reference(
            time_s=np.arange(len(position)) * PERIOD_S,
            position_rad=position,
            velocity_rad_s=np.zeros_like(position),
            acceleration_rad_s2=np.zeros_like(position),
        ),
        planned,
        model=MODEL,
        correction_per_s=0.0,
        rejoin=way if rejoin else None,
    )
    sample, sent = 0.0, position[0]
    wanted = sent.tolist()
    for cycle, count in enumerate(arrivals):
        for _ in range(count):
            if sample < follower.samples:
                wanted = follower.command(sample, sent.tolist(), [0.0] * 7)
                sample += follower.rate
        if cycle == restart:
            checked.reset(sent.tolist())
        result = checked.step(wanted, None, [0.0] * 7)
        assert result.fault is None
        sent = np.array(result.command)
        if result.intervened:
            way.changed(sent)
        lags.append(np.abs(follower.error_rad).max())
    return max(lags), lags[-1], way.times


def arrivals_with(missed=(), doubled=()):
    counts = np.ones(len(sweep()) + 200, int)  # a motion that is held up lasts longer
    counts[list(missed)] = 0
    counts[list(doubled)] = 2
    return counts.tolist()


def test_nothing_is_changed_where_every_cycle_has_its_command():
    assert run(arrivals_with(), rejoin=True)[1:] == (0.0, 0)


def test_one_missed_command_alone_leaves_the_arm_far_behind():
    # The reason for all this: at v it is followed v^2 / 2 a behind.
    assert run(arrivals_with(missed=[160]), rejoin=False)[0] > 0.1


@pytest.mark.parametrize("where", [100, 160, 420])
def test_a_missed_command_costs_about_the_way_of_one_period(where):
    largest, last, times = run(arrivals_with(missed=[where]), rejoin=True)
    assert largest < 1.2 * LIMITS.velocity_rad_s.max() * PERIOD_S
    assert last == 0.0
    assert times >= 1


@pytest.mark.parametrize("seed", range(3))
def test_many_missed_and_doubled_commands_are_made_up_for(seed):
    rng = np.random.default_rng(seed)
    missed = rng.choice(np.arange(40, 560, 4), 12, replace=False)
    # A late command comes in the next cycle with that cycle's own.
    counts = arrivals_with(missed=missed, doubled=missed[:6] + 1)
    largest, last, _ = run(counts, rejoin=True)
    assert largest < 0.05
    assert last == 0.0


@pytest.mark.parametrize("cycle", [150, 420])
def test_a_filter_that_begins_anew_from_rest_holds_the_motion_up(cycle):
    largest, last, _ = run(arrivals_with(), rejoin=True, restart=cycle)
    # Two periods of the motion, not the way of v^2 / 2 a that catching up would begin with.
    assert largest < 2.5 * LIMITS.velocity_rad_s.max() * PERIOD_S
    assert last < 1e-9
