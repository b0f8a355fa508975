"""What an arm that is disarmed or latched is sent, whatever is measured of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.safety.command_mode import make_command_mode
from sinew_core.safety.integrating import make_integrating_mode
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.realtime import real_time_assumptions
from sinew_core.safety.supervisor import State
from supervised_world import PERIOD, ROBOT, SAMPLES, World

HOME = tuple(ROBOT.home_rad.tolist())
PERIOD_S = PERIOD / 1e9
P = SafetyParameters()
OFF = P.tracking_error_rad + P.noise_rad
LIMITS = ROBOT.limits
AT_REST = [0.0] * 7
MODES = ("joint_position", "integrating")
modes = pytest.mark.parametrize("mode", MODES)
states = pytest.mark.parametrize("state", [State.DISARMED, State.LATCHED])


class Rates:
    """Those of the defaults."""

    filter_rate_hz = state_rate_hz = 100


def make_world(mode, state=State.DISARMED):
    safety = real_time_assumptions(P, Rates)
    integrates = mode == "integrating"
    made = make_integrating_mode(ROBOT, safety, PERIOD_S) if integrates else None
    asked = "joint_velocity" if integrates else mode
    world = World(asked, safety=safety, command_mode=made, sent="joint_position")
    if state is State.LATCHED:
        world.supervisor.stop("pressed")
    return world.known()


def measure(world, position, cycles=1, velocity=AT_REST):
    """Let the arm be measured there, whatever it is sent."""
    for _ in range(cycles):
        world.position, world.velocity = list(position), list(velocity)
        world.state()
        world.cycle()
        world.now += PERIOD
        world.stamp += PERIOD


def steps(outputs):
    """The largest step of a joint, as a part of what its speed allows."""
    return (np.abs(np.diff(np.array(outputs), axis=0)) / (LIMITS.velocity_rad_s * PERIOD_S)).max()


def drive(world, cycles, measured=None):
    """Follow a fast command; `measured` is what a driver that has died says of the arm."""
    arm = list(world.position)
    for _ in range(cycles):
        world.position = arm if measured is None else list(measured)
        ahead = [q + 0.04 * 0.8 for q in arm]
        world.state()
        world.command([0.8] * 7 if world.mode == "joint_velocity" else ahead)
        output = world.cycle()
        moved = [(p - q) / PERIOD_S for p, q in zip(output, arm, strict=True)]
        world.velocity = AT_REST if measured else moved
        arm = list(output)
        world.now += PERIOD
        world.stamp += PERIOD
    return arm


@modes
def test_positions_that_froze_do_not_move_the_arm_back(mode):
    world = make_world(mode).armed()
    moved = drive(world, 40)
    drive(world, 60, measured=moved)
    assert world.supervisor.state is State.LATCHED
    assert "frozen" in world.supervisor.reason or "observer" in world.supervisor.reason
    assert np.abs(np.subtract(world.outputs[-1], moved)).max() > OFF
    assert steps(world.outputs) <= 1.0 + 1e-9
    assert world.outputs[-1] == world.outputs[-20]
    # Nor does arming, while they are still frozen.
    assert world.supervisor.clear(world.now) == ""
    refusal = world.supervisor.arm(world.now)
    assert "panda_joint1 is measured" in refusal
    assert "start the filter again" in refusal
    measure(world, world.outputs[-1])
    assert world.supervisor.arm(world.now) == ""


@modes
@states
@pytest.mark.parametrize("wrong", [AT_REST, [q + 0.2 for q in HOME], [*HOME[:6], 3.0]])
def test_one_wrong_joint_state_changes_nothing(mode, state, wrong):
    world = make_world(mode, state)
    measure(world, HOME, 5)
    for _ in range(5):
        measure(world, wrong)
        measure(world, HOME)
    assert set(world.outputs) == {HOME}
    assert world.supervisor.state is state


@modes
@states
def test_another_source_of_positions_that_goes_on_changes_nothing(mode, state):
    world = make_world(mode, state)
    measure(world, AT_REST, 500)
    assert set(world.outputs) == {HOME}


@modes
@states
def test_an_arm_that_was_guided_away_is_held_where_it_rests(mode, state):
    world = make_world(mode, state)
    way = [np.array(HOME) + 0.01 * k * np.ones(7) for k in range(40)]
    for position in way:
        measure(world, position, velocity=[1.0] * 7)
    assert set(world.outputs) == {HOME}
    # 0.39 rad at 2.175 rad/s and 10 ms are 18 periods.
    measure(world, way[-1], SAMPLES + 18)
    assert world.outputs[-1] == tuple(way[-1])
    assert steps(world.outputs) == pytest.approx(1.0)
    measure(world, [q + 0.9 * OFF for q in way[-1]], 10)
    assert world.outputs[-1] == tuple(way[-1])
    measure(world, [q - 1.1 * OFF for q in way[-1]], 10)
    assert world.outputs[-1] == pytest.approx(way[-1] - 1.1 * OFF, abs=0.1 * OFF)
    assert world.supervisor.state is state


@modes
def test_an_arm_that_sags_is_not_lifted_again(mode):
    world = make_world(mode)
    for k in range(100):
        measure(world, [q - 0.0005 * k for q in HOME], velocity=[-0.01] * 7)
    assert world.outputs[-1] != HOME
    assert np.abs(np.subtract(world.outputs[-1], world.position)).max() <= 1.5 * OFF


@modes
def test_a_hold_goes_after_no_arm_beyond_its_limits(mode):
    world = make_world(mode)
    beyond = LIMITS.position_upper_rad + 0.2
    for share in np.linspace(0.0, 1.0, 100):
        measure(world, HOME + share * (beyond - HOME), velocity=[1.0] * 7)
    measure(world, beyond, 300)
    assert world.outputs[-1] == pytest.approx(LIMITS.position_upper_rad)


@modes
def test_an_arm_that_was_placed_elsewhere_is_armed_there(mode):
    world = make_world(mode)
    placed = tuple(q + 0.3 for q in HOME)
    measure(world, placed)
    assert world.supervisor.arm(world.now) == ""
    measure(world, placed, SAMPLES - 2)
    assert set(world.outputs) == {HOME}
    measure(world, placed)
    assert world.outputs[-1] == placed
    assert world.supervisor.state is State.ARMED


positions = st.lists(
    st.tuples(st.integers(1, 12), st.lists(st.floats(-4.0, 4.0), min_size=7, max_size=7)),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=60, deadline=None)
@given(measured=positions, guided=st.booleans(), latched=st.booleans())
def test_whatever_is_measured_a_hold_keeps_speed_and_limits(mode, measured, guided, latched):
    world = make_world(mode, State.LATCHED if latched else State.DISARMED)
    at = np.array(HOME)
    world.outputs.append(HOME)
    for cycles, position in measured:
        for _ in range(30 if guided else 0):
            at = at + np.clip(np.array(position) - at, -0.1, 0.1)
            measure(world, at)
        measure(world, at if guided else position, cycles)
    outputs = np.array(world.outputs)
    assert steps(outputs) <= 1.0 + 1e-9
    assert np.all(outputs >= LIMITS.position_lower_rad)
    assert np.all(outputs <= LIMITS.position_upper_rad)


def effort_world(state):
    mode = make_command_mode("joint_effort", ROBOT, P, PERIOD_S, gravity_compensation=False)
    world = World("joint_effort", command_mode=mode)
    world.position = [0.0, 1.2, 0.0, -1.0, 0.0, 1.5, 0.0]
    if state is State.LATCHED:
        world.supervisor.stop("pressed")
    return world.known()


@states
@pytest.mark.parametrize("wrong_for", [1, 2, 40])
def test_the_effort_of_a_hold_keeps_its_rate_whatever_is_measured(state, wrong_for):
    world = effort_world(state)
    right = list(world.position)
    measure(world, right, 20)
    # The weight of the arm stretched out: 53 N m.
    assert world.outputs[-1][1] == pytest.approx(-52.9, abs=0.1)
    before = world.outputs[-1]
    measure(world, AT_REST, wrong_for)
    measure(world, right, 60)
    changes = np.abs(np.diff(np.array(world.outputs), axis=0))
    assert np.all(changes <= LIMITS.effort_rate_nm_s * PERIOD_S + 1e-9)
    assert np.abs(np.array(world.outputs[-1]) - before).max() < 0.5
    if wrong_for == 1:
        # Less than a change of the weight: it is not believed.
        assert changes.max() < 1.0
