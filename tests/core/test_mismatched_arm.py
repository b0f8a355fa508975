"""What makes an arm unlike any that was trained on: Stribeck friction, jitter, and its own name."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamics_samples import pendulum
from sinew_core.errors import ConfigError
from sinew_core.randomisation import Randomisation, check_assumptions, needed_assumptions
from sinew_core.rates import Rates
from sinew_core.robots.arm_dynamics import ArmDynamics, nominal_values
from sinew_core.robots.catalogue import load_robot, robot_names
from sinew_core.robots.reach import work_postures
from sinew_core.robots.sim_params import load_sim_params, parse_sim_params
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.simulation import make_engine
from sinew_core.simulation.arm_control import check_stability, control_rows
from sinew_core.simulation.delay import DelayedCommands
from sinew_core.simulation.joint_equations import COULOMB, joint_rows, put_friction_in_force
from sinew_core.simulation.sensors import SensorNoise

PANDA = load_robot("panda")
RATE_HZ = 1000
UPRIGHT = "0 0 1"
MODES = {"joint_velocity": "velocity", "joint_position": "position", "joint_effort": "effort"}
speeds = st.lists(st.floats(-20.0, 20.0), min_size=7, max_size=7)


@pytest.fixture(params=["mujoco", "pybullet"])
def engine(request, tmp_path):
    made = make_engine(request.param, pendulum(tmp_path, UPRIGHT), RATE_HZ)
    yield made
    made.close()


def speed_after(engine, effort, steps):
    engine.command_effort(np.array([effort]), gravity_compensation=False)
    engine.step(steps)
    rows = np.empty((3, 1))
    engine.read_state(*rows)
    return rows[1, 0]


def test_a_joint_sticks_up_to_its_stiction_and_slides_against_less(engine):
    values = {"coulomb/*": 1.0, "stribeck/stiction": 1.5, "stribeck/velocity_rad_s": 0.01}
    engine.set_dynamics(ArmDynamics.from_values(engine.robot, values))
    engine.reset(np.zeros(1))
    # Stiction is 1.5 N m, Coulomb friction 1 N m: 1.4 N m moves no joint at rest.
    assert speed_after(engine, 1.4, 100) == 0.0
    assert speed_after(engine, 1.6, 100) > 0.1
    sliding = speed_after(engine, 1.4, 1)
    assert speed_after(engine, 1.4, 100) > sliding


@settings(max_examples=100)
@given(velocity=speeds, ratio=st.floats(1.0, 5.0), width=st.floats(1e-3, 10.0))
def test_friction_in_force_is_between_that_of_motion_and_stiction(velocity, ratio, width):
    values = {"coulomb/*": 0.5, "stribeck/stiction": ratio, "stribeck/velocity_rad_s": width}
    rows = joint_rows(PANDA, ArmDynamics.from_values(PANDA, values))
    put_friction_in_force(rows, np.array(velocity))
    assert (rows[COULOMB] >= 0.5).all()
    assert (rows[COULOMB] <= 0.5 * ratio + 1e-12).all()
    again = rows.copy()
    put_friction_in_force(again, -np.array(velocity))
    np.testing.assert_array_equal(again, rows)


@settings(max_examples=50)
@given(velocity=speeds)
def test_without_stiction_of_its_own_friction_stays_to_the_bit(velocity):
    rows = joint_rows(PANDA, ArmDynamics.from_values(PANDA, {"coulomb/*": 0.1 + 0.2}))
    put_friction_in_force(rows, np.array(velocity))
    assert (rows[COULOMB] == 0.1 + 0.2).all()


class Clockwork:
    """Stands in for an engine: counts its steps."""

    physics_rate_hz = RATE_HZ

    def __init__(self):
        self.now = 0

    def step(self, n_steps):
        self.now += n_steps


@settings(max_examples=100)
@given(lateness=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_a_late_command_is_late_by_no_more_than_the_jitter_and_overtakes_none(lateness):
    engine, arrived = Clockwork(), []
    commands = DelayedCommands(
        engine, lambda c: arrived.append((engine.now, int(c[0]))), delay_s=0.007, jitter_s=0.012
    )
    for number, late in enumerate(lateness):
        commands.send([number], late)
        commands.step(5)
    commands.step(30)
    assert [number for _, number in arrived] == list(range(len(lateness)))
    ages = [when - 5 * number for when, number in arrived]
    assert min(ages) >= 7
    assert max(ages) <= 19


@settings(max_examples=50)
@given(velocity=speeds, seed=st.integers(0, 2**32))
def test_a_state_is_older_than_its_stamp_by_no_more_than_the_jitter(velocity, seed):
    noise = SensorNoise(ArmDynamics.from_values(PANDA, {"jitter/state_s": 0.002}))
    position, speed = np.zeros(7), np.array(velocity)
    noise.add(position, speed, np.random.default_rng(seed))
    ahead = -position * np.sign(velocity)
    assert (ahead >= 0.0).all()
    assert (ahead <= 0.002 * np.abs(velocity)).all()


def test_the_filter_has_to_allow_for_jitter():
    values = {"delay_s": 0.0095, "jitter/command_s": 0.001, "jitter/state_s": 0.0005}
    arm = Randomisation(robot=PANDA, base=ArmDynamics.from_values(PANDA, values))
    needed = needed_assumptions(arm, Rates(), "joint_velocity")
    # 9.5 + 1 + 0.5 ms are more than one period of 10 ms; 1 ms is a tenth of it.
    assert (needed["max_latency_periods"], needed["jitter"]) == (2, pytest.approx(0.1))
    with pytest.raises(ConfigError, match=r"safety\.max_latency_periods:=2 safety\.jitter:=0\.1"):
        check_assumptions(arm, SafetyParameters(), Rates(), "joint_velocity")


@pytest.mark.parametrize("robot", [load_robot(name) for name in robot_names()], ids=robot_names())
@pytest.mark.parametrize("mode", MODES)
def test_the_mismatched_arm_is_one_of_every_robot_in_every_mode(robot, mode):
    params = load_sim_params("mismatched", robot, MODES[mode])
    nominal, own = nominal_values(robot), params.dynamics.values(robot)
    masses = [name for name in nominal if name.startswith("mass/")]
    assert [own[m] for m in masses] == pytest.approx([1.08 * nominal[m] for m in masses])
    assert params.controller.mode == MODES[mode]
    rows = control_rows(robot, params.controller, params.dynamics)
    check_stability(robot, params.dynamics, rows, Rates().physics_rate_hz, work_postures(robot))


def test_a_controller_that_is_stable_at_home_alone_is_refused():
    # Rotors so light that the loops swing where the arm is stretched out.
    content = {
        "dynamics": {"armature/*": 0.05},
        "controller": {"mode": "velocity", "gravity_compensation": True, "bandwidth_hz": 25.0},
    }
    params = parse_sim_params(content, PANDA)
    rows = control_rows(PANDA, params.controller, params.dynamics)
    rate_hz = Rates().physics_rate_hz
    check_stability(PANDA, params.dynamics, rows, rate_hz, [PANDA.home_rad])
    with pytest.raises(ConfigError, match="heavier rotors") as error:
        check_stability(PANDA, params.dynamics, rows, rate_hz, work_postures(PANDA))
    enough_hz = int(re.search(r"use (\d+) or more", str(error.value))[1])
    check_stability(PANDA, params.dynamics, rows, enough_hz, work_postures(PANDA))
    with pytest.raises(ConfigError, match="too low"):
        check_stability(PANDA, params.dynamics, rows, enough_hz - 1, work_postures(PANDA))


def test_a_bandwidth_puts_both_poles_of_each_joint_there():
    controller = {"mode": "velocity", "gravity_compensation": True, "bandwidth_hz": 10.0}
    content = {"dynamics": {"armature/*": 0.1}, "controller": controller}
    gains = parse_sim_params(content, PANDA).controller.gains
    # (s + w)^2 = s^2 + kp/I s + ki/I: ki / kp = w / 2.
    np.testing.assert_allclose(gains["ki_v"] / gains["kp_v"], np.pi * 10.0)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"dynamics": {}, "scale": {"mass/*": "x"}}, "finite number"),
        ({"dynamics": {}, "scale": {"coulomb/*": 2.0}}, "0 nominally"),
        ({"dynamics": {}, "scale": 3}, "names and factors"),
        ({"dynamics": {"mass/*": 1.0}, "scale": {"mass/panda_link2": 1.1}}, "both give"),
        ({"dynamics": {"mass/panda_link2": 1.0}, "scale": {"mass/*": 1.1}}, "keep one"),
        ({"dynamics": {"stribeck/stiction": 0.5}}, "allowed 1 to 5"),
        ({"dynamics": {}, "controller": {"mode": "as_commanded"}}, "give bandwidth_hz"),
        (
            {"dynamics": {}, "controller": {"mode": "velocity", "bandwidth_hz": 5.0, "kp_v": 1.0}},
            "unknown key 'kp_v'",
        ),
        (
            {"dynamics": {}, "controller": {"mode": "as_commanded", "bandwidth_hz": 5.0}},
            "give the mode",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named(content, told):
    with pytest.raises(ConfigError, match=told):
        parse_sim_params(content, PANDA)


def test_an_unknown_name_is_refused_with_the_closest_one():
    with pytest.raises(ConfigError, match="did you mean 'mismatched'"):
        load_sim_params("mismatchd", PANDA, "velocity")
