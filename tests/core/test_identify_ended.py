"""Identifications that end before all was done say what was not, and claim nothing of it."""

import dataclasses

import pytest

from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid.identify import identify
from sinew_core.sysid.options import IdentifyOptions
from sinew_core.sysid.outputs import identification_files
from sysid_samples import commands_of, controller_of, known_of, recording_of

IIWA = load_robot("iiwa14")
CONTROLLER = controller_of(IIWA, "position")
TRUTH = {"coulomb/lbr_A4": 2.0, "delay_s": 0.006}
MAX_FIT_S = 1000.0


@pytest.fixture(scope="module")
def recording():
    params = SimParams(dynamics=ArmDynamics.from_values(IIWA, TRUTH), controller=CONTROLLER)
    return recording_of(IIWA, params, commands_of(IIWA, "position", 3.0, 0))[0]


def identified(recording, progress, clock=lambda: 0.0, **options):
    choices = IdentifyOptions(parameters=tuple(TRUTH), max_fit_s=MAX_FIT_S, **options)
    known = known_of(CONTROLLER)
    return identify(recording, IIWA, known, choices, None, progress, clock)


def test_ctrl_c_in_the_test_for_what_was_left_out_is_not_called_good(recording):
    def stop(progress):
        if progress.stage == "left out":
            raise KeyboardInterrupt

    found = identified(recording, stop)
    assert found.left_out is None
    assert found.interrupted
    assert found.chi2_per_sample == pytest.approx(1.0, abs=0.1)
    assert found.verdict == "not_tested"
    assert any(s.startswith("Not tested for what was left out: interr") for s in found.findings)
    page = identification_files(found, IIWA, [], date="")["report.html"]
    assert "not tested. The model explains the motion, but Ctrl-C ended the test" in page


class Hurry:
    """A clock that stands still until a stage is seen for the second time."""

    def __init__(self, stage):
        self.stage, self.seen, self.now_s = stage, [], 0.0

    def __call__(self, progress):
        self.seen.append(progress.stage)
        if self.seen.count(self.stage) == 2:
            self.now_s = 2.0 * MAX_FIT_S


def test_the_time_of_a_fit_bounds_its_search_for_another_start(recording):
    # Of an arm that goes twice as far as it is told, the fit is nowhere near.
    far = IIWA.home_rad + 2.0 * (recording.position_rad - IIWA.home_rad)
    hurry = Hurry("search")
    found = identified(
        dataclasses.replace(recording, position_rad=far, effort_nm=None),
        hurry,
        clock=lambda: hurry.now_s,
        max_steps=3,
    )
    assert hurry.seen.count("search") == 2
    assert any("raise max_fit_s" in sentence for sentence in found.findings)
    assert found.verdict != "good"
