"""What `./sinew bench online` trains and compares, without its trainings."""

import pytest
import yaml

from benchmarks.__main__ import BENCHMARKS
from benchmarks.online import ARM, COMMANDS, MODE, SAFETY, Judged, comparison
from sinew_core.randomisation import CONTROLLER_MODES, Randomisation, check_assumptions
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import load_sim_params
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.specs import command_mode

ROBOT = load_robot("panda")


def test_it_is_registered():
    assert BENCHMARKS["online"][0] == "benchmarks.online"


def test_the_filter_assumes_what_the_arm_does(tmp_path):
    file = tmp_path / "arm.yaml"
    file.write_text(yaml.safe_dump(dict(ARM)))
    params = load_sim_params(str(file), ROBOT, CONTROLLER_MODES[COMMANDS])
    arm = Randomisation(robot=ROBOT, base=params.dynamics)
    check_assumptions(arm, SafetyParameters(**SAFETY), Rates(), MODE, params.controller)
    assert command_mode(MODE) == COMMANDS


@pytest.mark.parametrize(("after", "met"), [(95, True), (80, False)])
def test_the_line_is_success_after_beside_before_with_its_intervals(after, met):
    line = comparison([(Judged(successes=20, episodes=100), Judged(successes=after, episodes=100))])
    row = line.row()
    assert (row["ours"], row["peer"], row["met"]) == (after / 100, 0.2, met)
    # Wilson's interval of 20 of 100 at 95 %: (20 + 1.92 -+ 1.96 sqrt(16.96)) / 103.84
    assert f"20 of 100 [13%, 29%] to {after} of 100" in line.notes[1]
