"""A motion too poor for most values: what it tells is told, and no more."""

import numpy as np
import pytest
import yaml

from sinew_core.robots.arm_dynamics import ArmDynamics, nominal_values
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import SimParams, load_sim_params
from sinew_core.sysid.identify import identify
from sinew_core.sysid.options import IdentifyOptions
from sinew_core.sysid.outputs import identification_files
from sysid_samples import (
    PHYSICS_RATE_HZ,
    commands_of,
    controller_of,
    known_of,
    recording_of,
    true_values,
)

IIWA = load_robot("iiwa14")
ALL = true_values(IIWA, 3)
TRUTH = {name: value for name, value in ALL.items() if not name.startswith("mass/")}
CONTROLLER = controller_of(IIWA, "position")


@pytest.fixture(scope="module")
def recording():
    """Three seconds of the fourth joint alone."""
    arm = SimParams(dynamics=ArmDynamics.from_values(IIWA, TRUTH), controller=CONTROLLER)
    commands = commands_of(IIWA, "position", 3.0, 0, joints=[3], params=arm)
    return recording_of(IIWA, arm, commands)[0]


def identified(recording, gains=True, extra=(), **options):
    choices = IdentifyOptions(
        parameters=("coulomb/*", "viscous/lbr_A4", "delay_s", *extra),
        physics_rate_hz=PHYSICS_RATE_HZ,
        **options,
    )
    return identify(recording, IIWA, known_of(CONTROLLER, gains), choices)


@pytest.mark.slow
def test_a_motion_too_poor_for_most_values_is_called_so(recording):
    found = identified(recording)
    assert found.verdict == "poor_excitation"
    known = [e for e in found.estimates if e.identifiable]
    assert {"coulomb/lbr_A4", "viscous/lbr_A4", "delay_s"} <= {e.name for e in known}
    for estimate in known:
        assert abs(estimate.value - TRUTH[estimate.name]) < 4.0 * estimate.sigma, estimate


@pytest.fixture(scope="module")
def unsettled(recording):
    return identified(recording, max_steps=2)


def test_nothing_is_known_unless_the_fit_settled(unsettled):
    assert unsettled.verdict == "unidentifiable"
    assert not any(e.identifiable for e in unsettled.estimates)
    assert all(e.sigma == np.inf for e in unsettled.estimates)
    (delay,) = (e for e in unsettled.estimates if e.name == "delay_s")
    assert delay.remark == "the fit of a motion this poor did not settle"
    assert unsettled.covariance.size == 0
    assert any("nothing of it is kept" in sentence for sentence in unsettled.findings)


def test_a_simulation_then_gets_the_arm_as_described(unsettled, tmp_path):
    assert not unsettled.usable
    assert unsettled.held_out is None
    assert all(e.value == e.nominal for e in unsettled.estimates)
    files = identification_files(unsettled, IIWA, [], date="today")
    path = tmp_path / "sim_params.yaml"
    path.write_text(files["sim_params.yaml"])
    loaded = load_sim_params(path, IIWA, "position")
    assert loaded.dynamics.values(IIWA) == nominal_values(IIWA)
    assert "the fit did not settle" in files["sim_params.yaml"]
    drawn = yaml.safe_load(files["randomization.yaml"])["parameters"]
    assert drawn["coulomb/lbr_A4"]["low"] == pytest.approx(0.0)


def test_gains_that_were_fitted_are_then_the_guesses(recording):
    found = identified(recording, gains=False, extra=("kp/lbr_A4",), max_steps=1)
    assert not found.usable
    (gain,) = (e for e in found.estimates if e.name == "kp/lbr_A4")
    assert gain.value == found.params.controller.gains["kp"][3]
