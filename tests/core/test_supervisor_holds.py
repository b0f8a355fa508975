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
from supervised_world import FIRST_SAMPLES, PERIOD, ROBOT, SAMPLES, World

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


def make_world(mode, state=State.DISARMED, *, known=True):
    safety = real_time_assumptions(P, Rates)
    integrates = mode == "integrating"
    made = make_integrating_mode(ROBOT, safety, PERIOD_S) if integrates else None
    asked = "joint_velocity" if integrates else mode
    world = World(asked, safety=safety, command_mode=made, sent="joint_position")
    if state is State.LATCHED:
        world.supervisor.stop("pressed")
    return world.known() if known else world


def measure(world, position, cycles=1, velocity=AT_REST):
    """Let the arm be measured there, whatever it is sent."""
    for _ in range(cycles):
        world.position, world.velocity = list(position), list(velocity)
        world.state()
        world.cycle()
        world.now += PERIOD
        world.stamp += PERIOD


def sent(world):
    """What was published, where something was."""
    return [output for output in world.outputs if output is not None]


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
        output = world.cycle() or arm
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
    reference = sent(world)[-1]
    assert np.abs(np.subtract(reference, moved)).max() > OFF
    assert steps(sent(world)) <= 1.0 + 1e-9
    assert sent(world)[-4:] == [reference] * 4
    # It is not sent any longer, as the arm may be there as well.
    assert world.outputs[-1] is None
    assert len(world.supervisor.astray) == 7
    # Nor does arming, while they are still frozen.
    assert world.supervisor.clear(world.now) == ""
    refusal = world.supervisor.arm(world.now)
    assert "panda_joint1 is measured" in refusal
    assert "start the filter again" in refusal
    measure(world, reference, SAMPLES)
    assert world.outputs[-1] == reference
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
def test_another_source_of_positions_that_goes_on_ends_what_is_sent(mode, state):
    world = make_world(mode, state)
    measure(world, AT_REST, 500)
    assert world.outputs[: SAMPLES - 1] == [HOME] * (SAMPLES - 1)
    assert set(world.outputs[SAMPLES - 1 :]) == {None}
    # The panda's home is off zero in joints 2, 4, 6 and 7.
    assert [name for name, _ in world.supervisor.astray] == [
        f"panda_joint{n}" for n in (2, 4, 6, 7)
    ]
    measure(world, HOME, 10)
    assert world.outputs[-1] == HOME
    assert world.supervisor.astray == []


@modes
def test_zeros_of_a_driver_that_starts_are_not_held(mode):
    world = make_world(mode, known=False)
    measure(world, AT_REST, 20)
    measure(world, HOME, 40)
    assert set(world.outputs) == {None, HOME}
    # Longer ones are, but not against other positions that persist.
    world = make_world(mode, known=False)
    measure(world, AT_REST, FIRST_SAMPLES)
    assert world.outputs[-1] == tuple(AT_REST)
    measure(world, HOME, 500)
    assert set(world.outputs[-490:]) == {None}
    assert world.supervisor.arm(world.now) == ""
    measure(world, HOME, 3)
    assert world.outputs[-1] == HOME


@modes
@states
def test_an_arm_that_was_moved_while_its_driver_was_silent_is_sent_nothing(mode, state):
    world = make_world(mode, state)
    for _ in range(200):
        world.cycle()
        world.now += PERIOD
        world.stamp += PERIOD
    assert world.outputs[-1] == HOME
    measure(world, [HOME[0] + 0.5, *HOME[1:]], 500)
    assert set(world.outputs[-490:]) == {None}
    assert world.supervisor.astray == [("panda_joint1", pytest.approx(0.5))]


@modes
@states
def test_an_arm_that_was_guided_away_is_held_where_it_rests(mode, state):
    world = make_world(mode, state)
    way = [np.array(HOME) + 0.01 * k * np.ones(7) for k in range(40)]
    for position in way:
        measure(world, position, velocity=[1.0] * 7)
    assert set(world.outputs) == {HOME, None}
    # It rests for a second, it is seen for a second not to be driven, and 0.39 rad at 2.175 rad/s
    # and 10 ms are 18 periods.
    measure(world, way[-1], 100 + 100 + 18 + SAMPLES)
    assert world.outputs[-1] == pytest.approx(way[-1], abs=0.1 * OFF)
    assert steps(sent(world)) == pytest.approx(1.0)
    held = world.outputs[-1]
    measure(world, [q + 0.8 * OFF for q in way[-1]], 10)
    assert world.outputs[-1] == held
    measure(world, [q - 1.2 * OFF for q in way[-1]], 300)
    assert world.outputs[-1] == pytest.approx(way[-1] - 1.2 * OFF, abs=0.1 * OFF)
    assert world.supervisor.state is state


@modes
def test_a_tremor_strands_the_reference_nowhere(mode):
    world = make_world(mode)
    for k in range(60):
        measure(world, [HOME[0] + 0.01 * (k + 1), *HOME[1:]], velocity=[1.0, *AT_REST[1:]])
    end = [HOME[0] + 0.6003, *HOME[1:]]
    measure(world, [HOME[0] + 0.6, *HOME[1:]], 150)
    measure(world, end, velocity=[0.03, *AT_REST[1:]])
    measure(world, end, 200)
    assert world.outputs[-1] == pytest.approx(end, abs=0.1 * OFF)


@modes
def test_an_arm_that_sags_is_not_lifted_again(mode):
    world = make_world(mode)
    for k in range(100):
        measure(world, [q - 0.0005 * k for q in HOME], velocity=[-0.05] * 7)
    assert world.outputs[-1] is None
    measure(world, world.position, 300)
    assert np.abs(np.subtract(world.outputs[-1], world.position)).max() <= 0.1 * OFF


@modes
def test_a_hold_goes_after_no_arm_beyond_its_limits(mode):
    world = make_world(mode)
    beyond = LIMITS.position_upper_rad + 0.2
    for share in np.linspace(0.0, 1.0, 400):
        measure(world, HOME + share * (beyond - HOME), velocity=[1.0] * 7)
    measure(world, beyond, 600)
    assert sent(world)[-1] == pytest.approx(LIMITS.position_upper_rad)
    # It is not there either.
    assert world.outputs[-1] is None


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


@modes
@pytest.mark.parametrize("error", [0.025, 0.04, 0.1])
@pytest.mark.parametrize("wrong_for", [1, 2])
def test_wrong_joint_states_right_after_arming_move_nothing(mode, error, wrong_for):
    world = make_world(mode)
    assert world.supervisor.arm(world.now) == ""
    measure(world, [HOME[0] + error, *HOME[1:]], wrong_for)
    measure(world, HOME, 5)
    assert set(world.outputs) == {HOME}
    assert world.supervisor.state is State.ARMED


positions = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 5, 12, 110, 250]),
        st.lists(st.floats(-4.0, 4.0), min_size=7, max_size=7),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=60)
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
    outputs = np.array(sent(world))
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
