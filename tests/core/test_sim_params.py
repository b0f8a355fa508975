"""Files that describe one arm: its dynamics and its joint controllers."""

import math

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sinew_core.errors import ConfigError
from sinew_core.robots.arm_controller import GAINS, MODES, ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import (
    SimParams,
    parse_sim_params,
    read_sim_params,
    write_sim_params,
)

PANDA = load_robot("panda")
CONTROLLER = {"mode": "position", "gravity_compensation": True, "kp": 400.0, "kd": 40.0}
gains = st.lists(st.floats(0.0, 1e6), min_size=7, max_size=7)


def parse(controller):
    return parse_sim_params({"dynamics": {"delay_s": 0.01}, "controller": controller}, PANDA)


@settings(max_examples=50)
@given(
    mode=st.sampled_from(MODES),
    hold=st.sampled_from(["zoh", "linear"]),
    compensated=st.booleans(),
    first=gains,
    second=gains,
    delay_s=st.floats(0.0, 1.0),
    mass_kg=st.floats(1e-3, 1e3),
)
def test_what_is_written_is_read_as_the_same_arm(
    mode, hold, compensated, first, second, delay_s, mass_kg
):
    values = {"delay_s": delay_s, "mass/*": mass_kg, "coulomb/panda_joint3": 0.1 + 0.2}
    controller = ArmController(
        mode=mode,
        gains=dict(zip(GAINS[mode], (first, second), strict=False)),
        gravity_compensation=compensated,
        hold=hold,
    )
    params = SimParams(dynamics=ArmDynamics.from_values(PANDA, values), controller=controller)
    again = parse_sim_params(yaml.safe_load(write_sim_params(params, PANDA)), PANDA)
    assert again.dynamics.values(PANDA) == params.dynamics.values(PANDA)
    assert (again.controller.mode, again.controller.hold) == (mode, hold)
    assert again.controller.gravity_compensation is compensated
    for name in GAINS[mode]:
        np.testing.assert_array_equal(again.controller.gains[name], controller.gains[name])


def test_a_file_with_dynamics_only_has_ideal_drives(tmp_path):
    path = tmp_path / "arm.yaml"
    path.write_text("dynamics:\n  payload/mass: 1.0\n")
    params = read_sim_params(path, PANDA)
    assert params.controller is None
    assert params.dynamics.payload_mass_kg == 1.0


def test_a_gain_may_be_one_for_all_joints_or_a_list():
    controller = parse({**CONTROLLER, "kd": [40.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7]}).controller
    assert controller.gains["kd"][1] == 2.0
    assert controller.hold == "zoh"
    np.testing.assert_array_equal(controller.gains["kp"], [400.0] * 7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "torque"}, "mode is 'torque': choose one of position, velocity, effort"),
        ({"hold": "spline"}, "hold is 'spline'"),
        ({"kp_v": 1.0}, "unknown key 'kp_v' of mode 'position': did you mean 'kp'"),
        ({"kd": None}, "kd is None: expected a number from 0"),
        ({"kd": -1.0}, "kd is -1.0"),
        ({"kd": math.inf}, "kd is inf"),
        ({"kd": True}, "kd is True"),
        ({"kd": [1.0] * 6}, "kd is .*: expected a number"),
        ({"kp": {"panda_joint1": 1.0}}, "kp lacks panda_joint2"),
        ({"kp": {"panda_joint9": 1.0}}, "kp/panda_joint9: did you mean"),
        ({"gravity_compensation": None}, "gravity_compensation is None"),
    ],
)
def test_wrong_controllers_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        parse({**CONTROLLER, **change})


@pytest.mark.parametrize("content", [{}, {"dynamics": None}, {"dynamics": [1]}])
def test_a_file_without_dynamics_is_refused(content):
    with pytest.raises(ConfigError, match="expected 'dynamics:'"):
        parse_sim_params(content, PANDA)


@pytest.mark.parametrize("controller", [[1], "position"])
def test_a_controller_of_another_form_is_refused(controller):
    with pytest.raises(ConfigError, match="expected mode and gains"):
        parse(controller)


def test_an_unknown_part_of_a_file_is_refused(tmp_path):
    path = tmp_path / "arm.yaml"
    path.write_text("dynamics: {}\ncontrollers: {}\n")
    with pytest.raises(ConfigError, match="did you mean 'controller'"):
        read_sim_params(path, PANDA)
