import json

import gymnasium
import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks.__main__ import main
from benchmarks.bounded import Bounded
from benchmarks.comparison import Comparison, Goal, alternate, median, significant
from benchmarks.options import Options
from benchmarks.report import Report, text_table
from benchmarks.trial import is_successful, time_to_success
from sinew_core.errors import RunError


def comparison(**changes):
    values = {"what": "steps", "unit": "1/s", "ours": [20.0, 30.0, 70.0], "peer": [9.0, 10.0, 12.0]}
    return Comparison(**{**values, **changes})


def report_in(folder):
    return Report("sim", "a title", folder, {"cores": "2"}, Options().to_mapping())


class CountingEnv(gymnasium.Env):
    """Succeeds in the first step of the episodes whose seed is even, else ends after three."""

    def __init__(self):
        self.seeds = []

    def reset(self, *, seed=None, options=None):
        self.seeds.append(seed)
        self.steps = 0
        return np.zeros(1), {}

    def step(self, action):
        self.steps += 1
        success = self.seeds[-1] % 2 == 0
        return np.zeros(1), 0.0, False, self.steps == 3, {"is_success": success}


class FakeTrainer:
    """Takes 2 s for 100 steps; from 300 steps on it succeeds."""

    def __init__(self, clock):
        self.env = CountingEnv()
        self.clock = clock
        self.env_steps = 0
        self.acted_after = set()

    def advance(self):
        self.clock.now_s += 2.0
        self.env_steps += 100
        return self.env_steps

    def act(self, observation):
        self.clock.now_s += 0.5
        self.acted_after.add(self.env_steps)
        return observation


class FakeClock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def run_fake(trainer, clock, *, every_steps, limit_s=1000.0):
    def seeds(count):
        return [0] * count if trainer.env_steps >= 300 else [1] * count

    return time_to_success(
        trainer,
        seeds,
        every_steps=every_steps,
        limit_s=limit_s,
        clock=clock,
        wall_clock=clock,
    )


def test_the_row_holds_the_medians_and_their_ratio():
    assert comparison(goal=Goal(bound=2.5)).row() == {
        "what": "steps",
        "ours": 30.0,
        "peer": 10.0,
        "unit": "1/s",
        "ratio": 3.0,
        "goal": 2.5,
        "met": True,
    }


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal(bound=3.0), True),
        (Goal(bound=3.1), False),
        (Goal(bound=3.0, at_most=True), True),
        (Goal(bound=2.9, at_most=True), False),
        (None, None),
    ],
)
def test_a_goal_bounds_the_ratio_from_its_side(goal, met):
    assert comparison(goal=goal).met() is met


def test_a_speed_up_is_the_peers_time_over_ours():
    assert comparison(ours=[2.0], peer=[30.0], speed_up=True).ratio() == 15.0


def test_a_missed_sample_counts_as_slower_than_every_other():
    assert median([1.0, None, 3.0]) == 3.0
    assert median([1.0, None, None]) is None


def test_an_unfinished_peer_gives_a_lower_bound():
    line = comparison(ours=[10.0], peer=[None], goal=Goal(bound=10.0), speed_up=True, limit=300.0)
    assert line.row()["peer"] is None
    assert line.ratio() == 30.0
    assert line.cells()[2] == "not reached in 300 (1 of 1 missed)"
    assert line.cells()[4] == "> 30.00"


def test_one_unfinished_run_of_ours_fails_the_goal():
    line = comparison(
        ours=[1.0, 1.0, None], peer=[50.0], goal=Goal(bound=10.0), speed_up=True, limit=300.0
    )
    assert line.ratio() == 50.0
    assert line.met() is False


@pytest.mark.parametrize(
    ("ours", "goal", "met"),
    [
        ([0.0], Goal(bound=0.0, at_most=True), True),
        ([1.0], Goal(bound=0.0, at_most=True), False),
        ([3.0, 5.0, 9.0], Goal(bound=5.0), True),
        ([3.0, None, 9.0], Goal(bound=5.0), False),
        ([3.0], None, None),
    ],
)
def test_without_a_peer_the_goal_bounds_ours(ours, goal, met):
    line = comparison(ours=ours, peer=(), goal=goal)
    assert line.met() is met
    assert (line.row()["peer"], line.row()["ratio"]) == (None, None)
    assert (line.cells()[2], line.cells()[4]) == ("-", "-")


def test_there_is_no_ratio_to_zero():
    assert comparison(ours=[2.0], peer=[0.0]).row()["ratio"] is None
    assert comparison(ours=[0.0], peer=[2.0]).ratio() == 0.0


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00"), (0.01234, "0.0123"), (9.876, "9.88"), (123.4, "123"), (12345.6, "12,346")],
)
def test_three_significant_digits(value, text):
    assert significant(value) == text


def test_the_sides_take_turns_and_swap_who_goes_first():
    calls = []

    def side(name):
        def call():
            calls.append(name)
            return float(len(calls))

        return call

    ours, peer = alternate(side("ours"), side("peer"), 2)
    assert calls == ["ours", "peer", "peer", "ours"]
    assert (ours, peer) == ([1.0, 4.0], [2.0, 3.0])


def bounded(**changes):
    values = {"what": "reaction", "unit": "ms", "samples": [4.0, 9.0, 5.0], "bound": 10.0}
    return Bounded(**{**values, **changes})


@pytest.mark.parametrize(
    ("samples", "ours", "inside", "met"),
    [
        ([4.0, 10.0], 10.0, 2, True),
        ([4.0, 10.1], 10.1, 1, False),
        ([4.0, None], None, 1, False),
        ([None], None, 0, False),
    ],
)
def test_a_bounded_row_holds_the_largest_sample_and_every_one_has_to_be_inside(
    samples, ours, inside, met
):
    line = bounded(samples=samples)
    assert line.row() == {
        "what": "reaction",
        "ours": ours,
        "peer": None,
        "unit": "ms",
        "ratio": None,
        "goal": 10.0,
        "met": met,
    }
    assert line.cells()[-1] == f"{inside} of {len(samples)}"


def test_a_bounded_line_shows_least_median_and_largest():
    assert bounded().cells() == ["reaction", "4.00", "5.00", "9.00", "ms", "≤ 10", "3 of 3"]


def test_lines_with_a_peer_and_with_a_bound_have_tables_of_their_own(tmp_path):
    report = report_in(tmp_path)
    report.put(comparison())
    report.put(bounded(samples=[0.0, None], notes=("why one failed",)))
    report.finish(complete=True)
    rows = json.loads((tmp_path / "report.json").read_text())["rows"]
    assert [(row["what"], row["peer"]) for row in rows] == [("steps", 10.0), ("reaction", None)]
    peers, bounds = report.table().split("\n\n")
    assert peers.split()[:3] == ["what", "ours", "peer"]
    assert bounds.split()[:4] == ["what", "min", "median", "max"]
    page = (tmp_path / "report.html").read_text()
    for text in ("1 of 2 within 10 ms", "why one failed", "data:image/png"):
        assert text in page


def test_a_comparison_is_on_disk_as_soon_as_it_is_put_in(tmp_path):
    report = report_in(tmp_path / "bench-sim")
    report.put(comparison())
    content = json.loads((tmp_path / "bench-sim" / "report.json").read_text())
    assert content["complete"] is False
    assert [row["ratio"] for row in content["rows"]] == [3.0]
    assert content["details"][0]["ours_samples"] == [20.0, 30.0, 70.0]


def test_a_comparison_with_more_samples_replaces_the_earlier_one(tmp_path):
    report = report_in(tmp_path)
    report.put(comparison())
    report.put(comparison(what="other"))
    report.put(comparison(ours=[40.0]))
    assert [(c.what, c.ratio()) for c in report.comparisons] == [("steps", 4.0), ("other", 3.0)]


def test_the_page_shows_goals_samples_and_machine(tmp_path):
    report = report_in(tmp_path)
    report.put(comparison(goal=Goal(bound=5.0), notes=("how it was measured",)))
    report.put(comparison(what="time", unit="s", peer=[None], limit=9.0, speed_up=True))
    report.put(comparison(what="faults", unit="violations", ours=[0.0], peer=()))
    report.draw("way", Figure(figsize=(1, 1)), "the way it went")
    report.finish(complete=True)
    assert (tmp_path / "way.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "report.html").read_text()
    for text in (
        "≥ 5",
        "how it was measured",
        "cores",
        "data:image/png",
        "not reached in 9",
        "went",
    ):
        assert text in page
    assert "interrupted" not in page


def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="--output"):
        report_in(tmp_path / "file" / "bench-sim")


def test_numbers_stand_to_the_right():
    assert text_table(("what", "n"), [["a", "10"], ["bcdef", "9"]]) == (
        "what    n\na      10\nbcdef   9"
    )


def test_an_unknown_benchmark_is_refused_with_a_suggestion(capsys):
    assert main(["reech"]) == 2
    assert "unknown benchmark 'reech': did you mean 'reach'?" in capsys.readouterr().err


def test_help_lists_every_benchmark(capsys):
    with pytest.raises(SystemExit) as status:
        main(["--help"])
    assert status.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in ("policy", "sim", "safety", "reach"))


def test_ten_failures_of_200_are_allowed_and_eleven_are_not():
    # 95 % of 200 are 190; odd seeds fail.
    assert is_successful(CountingEnv(), lambda o: o, [1] * 10 + [0] * 190)
    assert not is_successful(CountingEnv(), lambda o: o, [1] * 11 + [0] * 189)


def test_judging_ends_as_soon_as_too_many_have_failed():
    env = CountingEnv()
    assert not is_successful(env, lambda o: o, [1] * 200)
    assert len(env.seeds) == 11


def test_only_training_is_on_the_clock():
    clock = FakeClock()
    trial = run_fake(FakeTrainer(clock), clock, every_steps=100)
    # Three times 100 steps of 2 s each, though each judged step also took half a second.
    assert (trial.seconds, trial.env_steps) == (6.0, 300)


def test_it_is_judged_at_the_first_chance_after_each_period():
    clock = FakeClock()
    trainer = FakeTrainer(clock)
    run_fake(trainer, clock, every_steps=150)
    assert trainer.acted_after == {200, 300}


def test_a_run_is_given_up_at_the_limit():
    clock = FakeClock()
    trial = run_fake(FakeTrainer(clock), clock, every_steps=1000, limit_s=5.0)
    # 2, 4, 6 s: the third advance is the first beyond 5 s.
    assert (trial.seconds, trial.wall_s, trial.env_steps) == (None, 6.0, 300)
