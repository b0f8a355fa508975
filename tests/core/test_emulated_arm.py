"""Controllers that stop, guards that stop the arm, and the arm behind them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.robots.catalogue import load_robot
from sinew_core.simulation import make_engine
from sinew_sim.arm import SimulatedArm
from sinew_sim.drives import make_drive
from sinew_sim.emulation.arm import EmulatedArm
from sinew_sim.emulation.controller import EmulatedController
from sinew_sim.emulation.guards import PositionGuard, StepReflex, make_guard

KUKA, FRANKA = load_robot("iiwa7"), load_robot("fr3")
PERIOD_S = 0.01
SPEED = [0.2, -0.1, 0.1, 0.1, 0.2, -0.1, 0.3]
shares = st.lists(st.floats(-1.0, 1.0), min_size=7, max_size=7)


@given(st.permutations(range(4)), st.lists(st.floats(-9.0, 9.0), min_size=4, max_size=4))
def test_values_come_in_the_controller_s_order(order, robot_values):
    controller = EmulatedController(order, deactivates=True)
    sent = [robot_values[joint] for joint in order]
    assert controller.take(sent) == robot_values


@pytest.mark.parametrize("deactivates", [True, False])
@given(n=st.integers(0, 9).filter(lambda n: n != 4))
def test_a_wrong_length_never_reaches_the_arm(deactivates, n):
    controller = EmulatedController(range(4), deactivates=deactivates)
    assert controller.take([0.0] * n) is None
    assert controller.active is not deactivates
    assert (controller.take([1.0] * 4) is None) is deactivates
    controller.activate()
    assert controller.take([1.0] * 4) == [1.0] * 4


def test_an_inactive_controller_counts_what_it_hears_and_keeps_the_first_reason():
    controller = EmulatedController(range(2), deactivates=True)
    controller.deactivate("program stopped")
    controller.deactivate("later")
    assert controller.take([0.0, 0.0]) is None
    assert (controller.reason, controller.ignored) == ("program stopped", 1)


@given(st.lists(shares, min_size=1, max_size=120))
def test_positions_within_range_and_speed_pass_the_guard(steps):
    guard = PositionGuard(KUKA, PERIOD_S)
    limits, command = KUKA.limits, KUKA.home_rad.copy()
    guard.rest(command)
    for step in steps:
        ahead = command + np.array(step) * limits.velocity_rad_s * PERIOD_S
        command = np.clip(ahead, limits.position_lower_rad, limits.position_upper_rad)
        assert guard.violation(command, came=1) == ""


@given(st.integers(0, 6), st.floats(1.01, 20.0), st.sampled_from([-1.0, 1.0]))
def test_a_jump_beyond_the_velocity_limit_is_named(joint, factor, side):
    guard = PositionGuard(KUKA, PERIOD_S)
    guard.rest(KUKA.home_rad)
    command = KUKA.home_rad.copy()
    command[joint] += side * factor * KUKA.limits.velocity_rad_s[joint] * PERIOD_S
    assert f"{KUKA.joint_names[joint]} jumps by" in guard.violation(command, came=1)


def test_a_position_out_of_range_is_named():
    guard = PositionGuard(KUKA, PERIOD_S)
    command = KUKA.home_rad.copy()
    command[5] = KUKA.limits.position_upper_rad[5] + 1e-3
    guard.rest(command)
    assert "lbr_A6 is sent to 2.0954 rad, out of its range" in guard.violation(command, came=1)


@pytest.mark.parametrize(("came", "accepted"), [(0, True), (1, True), (2, False)])
def test_commands_at_twice_the_rate_close_the_connection_and_a_hold_does_not(came, accepted):
    guard = PositionGuard(KUKA, PERIOD_S)
    guard.rest(KUKA.home_rad)
    found = {guard.violation(KUKA.home_rad, came) for _ in range(100)}
    assert (found == {""}) is accepted
    assert guard.closes
    if not accepted:
        assert "commands come at 200 Hz, the arm takes 100" in found


@given(st.lists(shares, min_size=1, max_size=50))
def test_velocities_that_the_acceleration_limits_allow_trip_no_reflex(steps):
    reflex = StepReflex(FRANKA, 0.001, "joint_velocity")
    command = np.zeros(7)
    reflex.rest(command)
    for step in steps:
        command = command + 0.001 * np.array(step) * FRANKA.limits.acceleration_rad_s2
        assert reflex.violation(command, came=1) == ""


def test_a_command_held_for_ten_periods_trips_the_reflex_at_its_step():
    # Half the acceleration limit of 10 rad/s2 over 10 ms is a step of 0.05 rad/s, in 1 ms.
    reflex = StepReflex(FRANKA, 0.001, "joint_velocity")
    reflex.rest(np.zeros(7))
    command = np.full(7, 0.0)
    command[2] = 0.05
    found = reflex.violation(command, came=1)
    assert found == "reflex: the command of fr3_joint3 steps by 0.05 in 1 ms, allowed 0.01"
    assert reflex.violation(command, came=0) == ""
    assert not reflex.closes


def test_positions_and_efforts_step_by_their_own_limits():
    by_position = StepReflex(FRANKA, 0.001, "joint_position")
    by_position.rest(FRANKA.home_rad)
    assert by_position.violation(FRANKA.home_rad + 0.9e-3, came=1) == ""
    assert "fr3_joint2 steps" in by_position.violation(FRANKA.home_rad + 2.0e-3, came=1)
    by_effort = StepReflex(FRANKA, 0.001, "joint_effort")
    by_effort.rest(np.zeros(7))
    assert by_effort.violation(np.full(7, 0.9), came=1) == ""
    assert "steps by 1.2" in by_effort.violation(np.full(7, 2.1), came=1)


def emulated(mode="joint_velocity", guard="none", robot=KUKA, **options):
    """Return an emulated arm, the simulated one, and what advances it by a period."""
    engine = make_engine("mujoco", robot, 500)
    drive = make_drive(mode, engine, PERIOD_S, gravity_compensation=True)
    arm = SimulatedArm(engine, drive, period_ns=round(PERIOD_S * 1e9), watchdog_s=0.0)
    controller = EmulatedController(range(7), deactivates=True)
    made = EmulatedArm(arm, controller, make_guard(guard, robot, PERIOD_S, mode), **options)
    return made, arm, made.stepping(arm.step)


def test_the_last_velocity_stands_until_the_controller_stops():
    made, arm, step = emulated()
    assert made.accept(SPEED)
    for _ in range(100):  # a second of silence
        step()
    assert arm.velocity == pytest.approx(SPEED, abs=0.02)
    made.deactivate("the arm's program does not run")
    for _ in range(30):
        step()
    assert np.abs(arm.velocity).max() < 1e-3
    assert arm.watchdog_trips == 0
    assert made.accept(SPEED)  # heard, without effect
    step()
    assert np.abs(arm.velocity).max() < 1e-3


def test_an_activated_controller_waits_for_a_new_command():
    made, arm, step = emulated()
    made.accept(SPEED)
    step()
    made.deactivate("stopped")
    for _ in range(30):
        step()
    assert made.activate() == ""
    for _ in range(10):
        step()
    assert np.abs(arm.velocity).max() < 1e-3
    made.accept(SPEED)
    for _ in range(20):
        step()
    assert arm.velocity == pytest.approx(SPEED, abs=0.02)


def test_a_wrong_length_brakes_the_arm():
    made, arm, step = emulated()
    made.accept(SPEED)
    for _ in range(20):
        step()
    assert not made.accept(SPEED[:6])
    assert made.controller.reason == "a command of 6 values for 7 joints"
    for _ in range(30):
        step()
    assert np.abs(arm.velocity).max() < 1e-3


def test_a_guard_closes_the_connection_until_the_arm_is_placed_anew():
    made, arm, step = emulated("joint_position", "positions")
    before = arm.position.copy()
    assert made.accept((before + 0.2).tolist())
    for _ in range(50):
        step()
    assert made.closed
    assert arm.position == pytest.approx(before, abs=1e-3)
    assert "jumps by 0.2000 rad" in made.controller.reason
    assert "~/reset" in made.activate()
    arm.reset(KUKA.home_rad)
    made.reset()
    assert not made.closed
    assert made.accept((KUKA.home_rad + 0.01).tolist())
    for _ in range(50):
        step()
    assert arm.position == pytest.approx(KUKA.home_rad + 0.01, abs=2e-3)


def test_an_old_driver_takes_velocities_and_does_not_move():
    made, arm, step = emulated(follows=False)
    before = arm.position.copy()
    for _ in range(50):
        assert made.accept(SPEED)
        assert made.hears() is False
        step()
    assert arm.position == pytest.approx(before, abs=1e-3)
    assert made.controller.active
