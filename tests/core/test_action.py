import math
import types

import numpy as np
import pytest

from sinew_core.action import ActionDecoder, ActionParameters, make_action_spec, nudged
from sinew_core.errors import ConfigError
from sinew_core.rates import Rates
from sinew_core.specs import ActionSpec

LIMITS = types.SimpleNamespace(
    velocity_rad_s=np.array([2.0, 4.0]), effort_nm=np.array([80.0, 10.0])
)
NAMES = ("a", "b")
INERTIA = np.array([10.0, 0.1])


@pytest.mark.parametrize(
    ("mode", "scale"),
    [
        ("joint_velocity", (1.0, 2.0)),  # half of (2, 4) rad/s
        ("joint_position", (0.02, 0.04)),  # a quarter of (2, 4) rad/s for 0.04 s
        ("joint_effort", (16.0, 0.4)),  # a fifth of 80 N m, less than 10 * 4; 0.1 kg m² * 4 rad/s²
    ],
)
def test_the_scale_is_a_fraction_of_the_limits_or_of_the_inertia(mode, scale):
    fractions = ActionParameters(
        velocity_fraction=0.5,
        position_fraction=0.25,
        effort_fraction=0.2,
        effort_acceleration_rad_s2=4.0,
    )
    spec = make_action_spec(mode, NAMES, LIMITS, Rates(), INERTIA, fractions)
    assert spec.scale == pytest.approx(scale)


def test_an_unknown_mode_is_refused_with_a_suggestion():
    with pytest.raises(ConfigError, match="did you mean 'joint_effort'"):
        make_action_spec("joint_efort", NAMES, LIMITS, Rates(), INERTIA)


def decode(mode, action, position=(0.5, -0.5)):
    decoder = ActionDecoder(ActionSpec(mode=mode, joint_names=NAMES, scale=(2.0, 0.5)))
    command = decoder.decode(np.array(action, dtype=np.float32), np.array(position))
    return command.tolist(), decoder.action.tolist()


def test_a_velocity_action_is_scaled():
    assert decode("joint_velocity", [0.5, -1.0]) == ([1.0, -0.5], [0.5, -1.0])


def test_an_action_beyond_one_is_clipped():
    assert decode("joint_effort", [3.0, -7.0]) == ([2.0, -0.5], [1.0, -1.0])


def test_a_position_action_counts_from_the_measured_position():
    # 0.5 + 0.25 * 2 = 1; -0.5 + 1 * 0.5 = 0
    assert decode("joint_position", [0.25, 1.0])[0] == [1.0, 0.0]


def test_not_a_number_is_passed_on_for_the_filter_to_refuse():
    command, _ = decode("joint_velocity", [math.nan, 0.0])
    assert math.isnan(command[0])


def test_nudges_rest_or_move_one_joint_by_each_size_and_way():
    spec = ActionSpec(mode="joint_velocity", joint_names=NAMES, scale=(2.0, 0.5))
    assert nudged(spec, [0.25, 1.0]).nudges == (
        (0.0, 0.0),
        (0.25, 0.0),
        (-0.25, 0.0),
        (1.0, 0.0),
        (-1.0, 0.0),
        (0.0, 0.25),
        (0.0, -0.25),
        (0.0, 1.0),
        (0.0, -1.0),
    )


@pytest.mark.parametrize("sizes", [[0.0], [1.5], [0.5, 0.5], [math.nan]])
def test_a_nudge_that_does_nothing_too_much_or_the_same_is_refused(sizes):
    spec = ActionSpec(mode="joint_velocity", joint_names=NAMES, scale=(2.0, 0.5))
    with pytest.raises(ConfigError, match="give different ones above 0, up to 1"):
        nudged(spec, sizes)
