import json
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import gymnasium
import pytest

from benchmarks.learner import benchmark as learner
from benchmarks.learner.sides import (
    Size,
    off_policy_parameters,
    on_policy_parameters,
    our_samples,
    our_updates,
    peer_samples,
    peer_updates,
)
from benchmarks.learning import benchmark
from benchmarks.learning.exact import value_iteration
from benchmarks.learning.ours import budget
from benchmarks.learning.peers import PEERS
from benchmarks.learning.results import updated
from benchmarks.learning.score import Score, interval
from benchmarks.learning.tasks import TASKS, parts
from benchmarks.options import Options
from benchmarks.report import Report
from sinew_core.errors import ConfigError, RunError
from sinew_core.training.gym.configuration import TABULAR


def score(**changes):
    values = {
        "what": "PPO on Pendulum",
        "unit": "return",
        "env_steps": 100,
        "random": -1200.0,
        "solved": -200.0,
        "ours": [-300.0, -260.0],
        "peer": [-250.0, -230.0],
    }
    return Score(**{**values, **changes})


def report_in(folder):
    return Report("learning", "a title", folder, {}, Options().to_mapping())


def test_a_tenth_of_the_range_from_random_to_solved_is_allowed():
    # Peer's mean -240, a tenth of the range from -1200 to -200 is 100.
    assert score().least() == -340.0
    assert score(ours=[-340.0]).met()
    assert not score(ours=[-340.1]).met()


def test_where_the_peer_solves_the_task_ours_has_to_solve_it():
    assert score(peer=[-150.0]).least() == -200.0
    assert not score(peer=[-150.0], ours=[-201.0]).met()
    assert score(peer=[-201.0]).least() == -301.0


def test_the_interval_of_a_mean_is_students():
    # Mean 2, standard error 1 / sqrt(3), two degrees of freedom: 4.303.
    assert interval([1.0, 2.0, 3.0]) == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5))
    assert interval([4.0]) == (4.0, 4.0)


def test_the_line_of_a_score_shows_means_intervals_and_what_is_wanted(tmp_path):
    report = report_in(tmp_path)
    report.put(score())
    report.finish(complete=True)
    row = json.loads((tmp_path / "report.json").read_text())["rows"][0]
    assert (row["ours"], row["peer"], row["goal"], row["met"]) == (-280.0, -240.0, -340.0, True)
    # 12.706 * 20 either side of the mean of two scores 40 apart.
    assert "-280 [-534.1, -25.88]" in report.table()


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.name)
def test_every_part_has_a_file_with_a_budget_and_a_peer(part):
    assert budget(part) > 0
    assert part.algorithm in {*PEERS, TABULAR}
    assert part.seeds >= 5


class Fork(gymnasium.Env):
    """From state 0, action 0 ends with 1; action 1 leads to state 1, from which either ends."""

    P: ClassVar = {
        0: {0: [(1.0, 0, 1.0, True)], 1: [(1.0, 1, 0.0, False)]},
        1: {0: [(1.0, 1, 0.0, True)], 1: [(0.5, 1, 4.0, True), (0.5, 0, 0.0, True)]},
    }


@pytest.mark.parametrize(("gamma", "best"), [(0.6, [1, 1]), (0.4, [0, 1])])
def test_value_iteration_looks_ahead_as_far_as_the_discount_says(gamma, best):
    # The way through state 1 is worth gamma * 0.5 * 4 = 1.2 or 0.8, the other 1.
    assert value_iteration(Fork(), gamma).tolist() == best


def test_parts_are_chosen_by_words_in_their_names():
    chosen = [part.name for part in parts("dqn_cart,q_learning")]
    assert chosen == ["dqn_cartpole", "q_learning_frozenlake", "q_learning_taxi"]


def test_names_of_parts_differ_and_solved_is_better_than_random():
    names = [part.name for part in parts()]
    assert len(set(names)) == len(names)
    assert all(task.random < task.solved for task in TASKS)


def test_the_table_of_the_results_is_that_of_the_report(tmp_path):
    report = report_in(tmp_path)
    report.put(score(what="A"))
    report.put(score(what="B", ours=[-150.0], peer=[-160.0]))
    content = json.loads((tmp_path / "report.json").read_text())
    text = updated("# Title\n\n<!-- results -->\nold\n<!-- end -->\nafter\n", content)
    lines = text.splitlines()
    assert lines[:3] == ["# Title", "", "<!-- results -->"]
    assert lines[-2:] == ["<!-- end -->", "after"]
    scores = "-280 [-534.1, -25.88] | -240 [-367.1, -112.9]"
    assert f"| A | 100 | 2 | -1200 | -200 | {scores} | -340 | yes |" in lines
    assert "| B | 100 | 1 | -1200 | -200 | -150 | -160 | -200 | yes |" in lines
    with pytest.raises(RunError, match="put the marks there"):
        updated("no marks", content)


def test_a_score_that_is_kept_is_not_measured_again(tmp_path, monkeypatch):
    measured = []

    def fake(side):
        def run(part, seed):
            measured.append((side, part.name, seed))
            if len(measured) == 4:
                raise KeyboardInterrupt
            return -100.0 - seed

        return run

    monkeypatch.setattr(benchmark, "SIDES", {side: fake(side) for side in ("ours", "peer")})
    options = Options(given_seeds=2, only="ppo_pendulum")
    report = report_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        benchmark.run(report, options)
    assert [line.ours for line in report.scores] == [(-100.0,)]
    benchmark.run(report, options)
    # The fourth was interrupted; only it is measured again.
    assert measured[3:] == [("peer", "ppo_pendulum", 1)] * 2
    assert report.scores[0].peer == (-100.0, -101.0)


def test_quick_takes_one_seed(tmp_path, monkeypatch):
    seeds = []
    fake = {side: lambda part, seed: seeds.append(seed) or 0.5 for side in ("ours", "peer")}
    monkeypatch.setattr(benchmark, "SIDES", fake)
    benchmark.run(report_in(tmp_path), Options(quick=True, only="touch_joint_effort"))
    assert seeds == [0] * (2 * len(parts("touch_joint_effort")))


def test_a_part_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="ppo_pendulum"):
        benchmark.run(report_in(tmp_path), Options(only="pendulm"))


@pytest.mark.parametrize("algorithm", sorted({name for name, _, _ in learner.UPDATES}))
def test_gradient_steps_are_counted_on_both_sides(algorithm):
    parameters, size = off_policy_parameters(algorithm, 8, batch_size=16), Size(held=32, steps=8)
    for rate in (our_updates(parameters, size), peer_updates(algorithm, parameters, size)):
        assert 10 < rate() < 1e6


@pytest.mark.parametrize("algorithm", sorted({name for name, *_ in learner.SAMPLES}))
def test_samples_are_counted_on_both_sides(algorithm):
    parameters, size = on_policy_parameters(algorithm, 64), Size(held=0, steps=64)
    for rate in (our_samples(parameters, 10, size), peer_samples(algorithm, parameters, 10, size)):
        assert 100 < rate() < 1e8


GROWTH = """
from benchmarks.learner import memory
few = memory.ours(1_000)  # loads and allocates whatever does not depend on the number
before = memory.resident_mib()
many = memory.ours(400_000)
print(memory.resident_mib() - before)
"""


def test_a_filled_learner_takes_the_memory_of_its_transitions():
    # In a process of its own: what this one has freed would be used again.
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", GROWTH]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    grown = float(done.stdout)
    # Of float32: twice 24 of observation, 7 of action, 7 of velocity, 6 of position and 3 scalars.
    expected = 400_000 * 4 * (2 * 24 + 7 + 7 + 6 + 3) / 2**20
    assert 0.8 * expected < grown < 2.0 * expected
