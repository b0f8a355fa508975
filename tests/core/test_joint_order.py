"""A controller's joints against a robot's: values reach the joints they are for, or the reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.errors import ConfigError
from sinew_core.joint_order import joint_order

NAMES = ["a", "b", "c", "d"]


@given(st.permutations(NAMES))
def test_each_value_reaches_its_joint(found):
    values = dict(zip(NAMES, [1.0, 2.0, 3.0, 4.0], strict=True))
    order = joint_order(found, NAMES, "joints")
    sent = [list(values.values())[i] for i in order]
    assert dict(zip(found, sent, strict=True)) == values


@given(st.lists(st.sampled_from([*NAMES, "x"]), max_size=6))
def test_whatever_is_no_permutation_is_refused_by_name(found):
    if sorted(found) == NAMES:
        return
    with pytest.raises(ConfigError) as caught:
        joint_order(found, NAMES, "joints of /arm/ctrl")
    said = str(caught.value)
    assert said.startswith("joints of /arm/ctrl do not fit the robot: ")
    words = said.replace(",", "").replace(";", "").split()
    for name in set(NAMES) - set(found) | {n for n in found if found.count(n) > 1 or n == "x"}:
        assert name in words
