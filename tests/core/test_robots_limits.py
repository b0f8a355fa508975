import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.errors import RobotError
from sinew_core.robots import JointLimits

NAMES = (
    "position_lower_rad",
    "position_upper_rad",
    "velocity_rad_s",
    "acceleration_rad_s2",
    "jerk_rad_s3",
    "effort_nm",
    "effort_rate_nm_s",
)


def mapping(**changes):
    values = {name: [1.0, 2.0] for name in NAMES}
    return values | {"position_lower_rad": [-1.0, -2.0]} | changes


def test_a_mapping_survives_the_round_trip():
    values = mapping(velocity_rad_s=[0.1, 0.30000000000000004])
    assert JointLimits.from_mapping(values, "a file").to_mapping() == values


def test_limits_cannot_be_written_to():
    limits = JointLimits.from_mapping(mapping(), "a file")
    with pytest.raises(ValueError, match="read-only"):
        limits.velocity_rad_s[0] = 9.0


def test_limits_do_not_follow_the_array_they_were_made_from():
    velocity = np.array([1.0, 1.0])
    limits = JointLimits.from_mapping(mapping(velocity_rad_s=velocity), "a file")
    velocity[0] = 9.0
    assert limits.velocity_rad_s[0] == 1.0


def test_an_unknown_limit_is_refused_with_a_suggestion():
    with pytest.raises(
        RobotError, match=r"unknown limit 'velocity': did you mean 'velocity_rad_s'"
    ):
        JointLimits.from_mapping(mapping(velocity=[1.0, 1.0]), "a file")


def test_missing_limits_are_named():
    values = mapping()
    del values["jerk_rad_s3"]
    with pytest.raises(RobotError, match=r"^a file: limits lack jerk_rad_s3"):
        JointLimits.from_mapping(values, "a file")


def test_every_violation_is_reported_at_once():
    values = mapping(velocity_rad_s=[0.0, 1.0], effort_nm=[1.0, math.inf])
    with pytest.raises(RobotError) as error:
        JointLimits.from_mapping(values, "a file")
    assert "velocity_rad_s[0] is 0.0: expected a positive number" in str(error.value)
    assert "effort_nm[1] is inf: expected a finite number" in str(error.value)


def test_crossed_position_limits_are_refused_not_swapped():
    values = mapping(position_lower_rad=[-1.0, 2.5])
    with pytest.raises(RobotError, match=r"position_lower_rad\[1\] is 2.5: expected below"):
        JointLimits.from_mapping(values, "a file")


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(RobotError, match=r"jerk_rad_s3 has 3.*one value per joint"):
        JointLimits.from_mapping(mapping(jerk_rad_s3=[1.0, 1.0, 1.0]), "a file")


def outcome(call):
    """Return (result, "") or (None, the message of the RobotError); let every other error pass."""
    try:
        return call(), ""
    except RobotError as error:
        return None, str(error)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
NUMBERS = st.lists(st.floats() | st.integers(), min_size=1, max_size=3)


@given(values=st.fixed_dictionaries(dict.fromkeys(NAMES, NUMBERS | ANYTHING)))
def test_whatever_the_values_limits_are_sound_or_refused(values):
    limits, message = outcome(lambda: JointLimits.from_mapping(values, "a file"))
    assert "\n" not in message
    if limits is None:
        return
    arrays = [getattr(limits, name) for name in NAMES]
    assert all(a.shape == (limits.n_joints,) and np.isfinite(a).all() for a in arrays)
    assert (limits.position_lower_rad < limits.position_upper_rad).all()
    assert all((a > 0.0).all() for a in arrays[2:])


@given(values=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), ANYTHING))
def test_an_arbitrary_mapping_raises_nothing_but_robot_error(values):
    limits, message = outcome(lambda: JointLimits.from_mapping(values, "a file"))
    assert limits is not None or message.startswith("a file: ")
