"""Whether anything in a recording has the scale of a force."""

import dataclasses

import numpy as np
import pytest

import report_samples as samples
from sinew_core.sysid.controller_file import KnownController, unknown_controller
from sinew_core.sysid.usable import lacks_scale

RECORDING = samples.record({}, 0.2)
UNMEASURED = dataclasses.replace(RECORDING, effort_nm=None)
ONE_GAIN = {"kp": np.array([np.nan] * 6 + [50.0]), "kd": None}


def test_positions_under_unknown_gains_have_none():
    assert lacks_scale(UNMEASURED, unknown_controller("position"), use_effort=True)
    assert lacks_scale(RECORDING, unknown_controller("position"), use_effort=False)


@pytest.mark.parametrize(
    ("recording", "known"),
    [
        (RECORDING, unknown_controller("position")),
        (UNMEASURED, KnownController(mode="position", gains=ONE_GAIN)),
        (UNMEASURED, KnownController(mode="position", gains={}, gravity_compensation=True)),
        (dataclasses.replace(RECORDING, commands=None), None),
    ],
    ids=["efforts", "one gain", "gravity compensation", "efforts alone"],
)
def test_one_known_force_gives_it(recording, known):
    assert not lacks_scale(recording, known, use_effort=True)


def test_commanded_efforts_are_forces():
    commands = dataclasses.replace(UNMEASURED.commands, mode="effort")
    recording = dataclasses.replace(UNMEASURED, commands=commands)
    assert not lacks_scale(recording, unknown_controller("effort"), use_effort=True)
