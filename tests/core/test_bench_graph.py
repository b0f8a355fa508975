"""The figures of `./sinew bench graph`, and what its exit status says."""

import numpy as np
import pytest

from benchmarks.__main__ import BENCHMARKS, JUDGED, main
from benchmarks.bounded import Bounded
from benchmarks.graph import benchmark
from benchmarks.graph.bundle import write_swaying_policy
from benchmarks.graph.figures import (
    growth_percent,
    latencies_ms,
    overlapping,
    unanswered,
    whole_way_ms,
)
from benchmarks.graph.rig import RATES, command_in_force
from sinew_core.bundle import load_bundle
from sinew_core.bundle.controller import PolicyController
from sinew_core.robots.catalogue import load_robot
from sinew_ros.raw import ControllerCommandWriter

MS = 1_000_000


def test_a_latency_runs_from_stamp_to_receipt():
    assert latencies_ms([2 * MS, 4 * MS], [2_500_000, 5 * MS]).tolist() == [0.5, 1.0]


def test_the_whole_way_ends_with_the_first_output_that_follows_the_answer():
    # Outputs at 3, 5 and 7 ms with the commands for the states of 0, 0 and 4 ms in force: the
    # state of 2 ms was overtaken by that of 4 ms, and both had their output at 7 ms. That of 6 ms
    # had none.
    way = whole_way_ms([0, 2 * MS, 4 * MS, 6 * MS], [0, 0, 4 * MS], [3 * MS, 5 * MS, 7 * MS])
    assert way.tolist() == [3.0, 5.0, 3.0]


def test_a_state_without_a_command_is_counted_unless_it_is_among_the_last():
    states = [i * 2 * MS for i in range(100)]
    answered = [s for s in states if s not in (20 * MS, 22 * MS, 196 * MS)]
    assert unanswered(states, answered) == 2


def test_what_was_on_its_way_during_a_standstill_is_told_apart():
    begins, ends = np.array([0, 10, 20]), np.array([5, 15, 25])
    assert overlapping(begins, ends, [(4, 11)]).tolist() == [True, True, False]
    assert overlapping(begins, ends, [(5, 10)]).tolist() == [False, False, False]


def test_growth_counts_from_the_warm_sample():
    assert growth_percent([50, 100, 101], 1) == pytest.approx(1.0)


def test_the_command_in_force_is_read_from_an_output():
    writer = ControllerCommandWriter(7)
    answered, command = 1_700_000_000_123_456_789, 1_700_000_000_121_456_789
    assert command_in_force(writer.write([0.1] * 7, answered, command)) == command
    assert command_in_force(writer.write([0.1] * 7, answered)) == 0


def test_the_policy_of_the_benchmark_holds_an_arm_at_home(tmp_path):
    robot = load_robot("panda")
    bundle = load_bundle(write_swaying_policy(tmp_path / "bundle", robot, RATES))
    controller = PolicyController(bundle, robot.chain)
    away = robot.home_rad + 0.3 * np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    here = robot.chain.tool_position(away)
    command = controller.decide(away.tolist(), [0.0] * 7, here.tolist())
    # The target is where the tool is, so that nothing sways: 0.5/s times 0.3 rad, through tanh of
    # an action of 1 for a tenth of each velocity limit.
    scale = 0.1 * robot.limits.velocity_rad_s
    expected = scale * np.tanh(0.5 * (robot.home_rad - away) / scale)
    assert np.allclose(command, expected, atol=2e-3)


@pytest.mark.parametrize(("p99_ms", "status"), [(1.9, 0), (2.1, 1)])
def test_a_missed_bar_is_the_exit_status(monkeypatch, tmp_path, p99_ms, status):
    def run(report, _options):
        report.put(Bounded(what="p99", unit="ms", samples=[p99_ms], bound=2.0))

    monkeypatch.setattr(benchmark, "run", run)
    assert set(JUDGED) <= set(BENCHMARKS)
    assert main(["graph", "--output", str(tmp_path)]) == status
