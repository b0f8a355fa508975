"""The plan of an excite node, made in a thread that nobody waits for in vain."""

import time

import pytest

from sinew_core.errors import ConfigError
from sinew_core.robots.catalogue import load_robot
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.sysid.excitation.parameters import ExcitationParameters
from sinew_sysid.excite_parameters import ExciteParameters
from sinew_sysid.excite_plan import PlanThread


def wait_for(thread):
    deadline_s = time.monotonic() + 60.0
    while not thread.poll() and time.monotonic() < deadline_s:
        time.sleep(0.05)


def test_the_folder_may_be_below_the_home_as_that_of_the_bag_beside(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ExciteParameters(output="~/myarm").folder == tmp_path / "myarm"


def test_a_picture_that_cannot_be_written_ends_the_planning(tmp_path):
    (tmp_path / "plan.png").mkdir()
    thread = PlanThread(
        load_robot("panda"),
        ExciteParameters(output=str(tmp_path), plan_only=True),
        ExcitationParameters(kind="chirp", chirp_s=4.0),
        SafetyParameters(),
    )
    with pytest.raises(ConfigError, match=r"plan\.png cannot be written .*: choose another output"):
        wait_for(thread)
