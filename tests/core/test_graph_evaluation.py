import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinew_core.errors import RunError
from sinew_core.graph_evaluation import EpisodeJudge, EpisodeTicks, LinkMeter, violations
from sinew_core.graph_record import EvaluationRecord, read_traces, summarise, write_traces
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.tasks import make_task
from sinew_core.tasks.judge import HoldJudge
from sinew_core.tasks.reach import ReachParameters

PANDA = load_robot("panda")
TARGET = np.array([0.4, 0.0, 0.4])
AWAY = np.array([0.5, 0.0, 0.4])
REST = np.zeros(7)
WEIGHED = ReachParameters(
    distance_weight=0.0,
    precision_weight=0.0,
    energy_weight=0.01,
    smoothness_weight=2.0,
)


def judge(tool_positions, max_control_steps=75, task=None):
    """Return a judge whose forward kinematics yields these tool positions in turn."""
    positions = iter(tool_positions)
    made = EpisodeJudge(
        judge=HoldJudge(ReachParameters(hold_s=0.08), Rates()),
        limits=PANDA.limits,
        tool_xyz=lambda q: tuple(next(positions)),
        max_control_steps=max_control_steps,
        task=task,
    )
    made.begin(TARGET)
    return made


def observe(made, index, velocity=REST, control_tick=True):
    return made.observe(index * 40_000_000, PANDA.home_rad, velocity, control_tick=control_tick)


def test_holding_the_target_ends_the_episode_with_success():
    # 0.08 s at 25 Hz: the first and the last good tick lie two periods apart, so three good ticks
    made = judge([AWAY, TARGET, TARGET, TARGET])
    assert [observe(made, i) for i in range(3)] == [None, None, None]
    episode = observe(made, 3)
    assert episode.success
    assert episode.control_steps == 3
    assert episode.time_s == pytest.approx([0.0, 0.04, 0.08, 0.12])


def test_moving_through_the_target_is_no_success():
    made = judge([TARGET] * 4, max_control_steps=3)
    fast = np.full(7, 0.06)
    assert [observe(made, i, fast) for i in range(3)] == [None, None, None]
    assert not observe(made, 3, fast).success


def test_states_between_control_ticks_are_recorded_but_not_judged():
    made = judge([TARGET] * 10)
    for i in range(10):
        assert observe(made, i, control_tick=False) is None


def test_a_joint_outside_its_limit_or_too_fast_is_a_violation():
    limits = PANDA.limits
    beyond = PANDA.home_rad.copy()
    beyond[3] = limits.position_upper_rad[3] + 1e-5
    positions = np.array([PANDA.home_rad, beyond, PANDA.home_rad])
    velocities = np.array([limits.velocity_rad_s, REST, -1.002 * limits.velocity_rad_s])
    assert violations(limits, positions, velocities).tolist() == [False, True, True]


def test_violations_are_counted_per_state():
    made = judge([AWAY] * 4, max_control_steps=3)
    fast = 2.0 * PANDA.limits.velocity_rad_s
    for i in range(3):
        observe(made, i, fast)
    assert observe(made, 3).limit_violations == 3


def test_the_summary_has_rate_and_interval():
    made = judge([AWAY] * 2, max_control_steps=1)
    observe(made, 0)
    failed = observe(made, 1)
    made = judge([TARGET] * 3)
    observe(made, 0)
    observe(made, 1)
    reached = observe(made, 2)
    figures = summarise([failed, reached])
    assert figures["success_rate"] == 0.5
    low, high = figures["success_ci95"]
    assert 0.09 < low < 0.1  # Wilson for 1 of 2: 0.0945 to 0.9055
    assert 0.9 < high < 0.91
    assert figures["length_mean"] == 1.5


def test_traces_come_back_as_written(tmp_path):
    made = judge([AWAY] * 2, max_control_steps=1)
    observe(made, 0, np.full(7, 0.5))
    episode = observe(made, 1)
    write_traces(tmp_path / "traces.npz", [episode], lambda q: (0.5, 0.0, 0.4))
    (trace,) = read_traces(tmp_path / "traces.npz")
    assert not trace.success
    assert trace.distance_m == pytest.approx([0.1, 0.1])  # TARGET is at x = 0.4
    assert np.array_equal(trace.velocity_rad_s, episode.velocity_rad_s)


def push(made, index, object_m, control_tick=True):
    stamp = index * 10_000_000
    return made.observe(stamp, PANDA.home_rad, REST, control_tick=control_tick, object_m=object_m)


def test_where_there_is_an_object_it_is_judged_at_control_ticks_and_kept_between(tmp_path):
    # Three good ticks in a row, see above; between ticks where it is said to be does not matter.
    made = judge([])  # the tool is never asked for
    assert push(made, 0, AWAY) is None
    assert push(made, 1, TARGET, control_tick=False) is None
    assert push(made, 2, TARGET) is None
    assert push(made, 3, AWAY, control_tick=False) is None
    assert push(made, 4, TARGET) is None
    episode = push(made, 5, TARGET)
    assert episode.success
    assert np.array_equal(episode.object_m, [AWAY, AWAY, TARGET, TARGET, TARGET, TARGET])
    write_traces(tmp_path / "traces.npz", [episode], lambda q: (0.0, 0.0, 0.0))
    (trace,) = read_traces(tmp_path / "traces.npz")
    assert trace.distance_m == pytest.approx([0.1, 0.1, 0.0, 0.0, 0.0, 0.0])


def test_an_object_that_is_lost_is_nowhere_near_the_target():
    made = judge([], max_control_steps=3)
    nowhere = (np.inf, np.inf, np.inf)
    for index, place in enumerate([TARGET, TARGET, nowhere]):
        assert push(made, index, place) is None
    assert not push(made, 3, TARGET).success


def test_latency_runs_from_the_state_to_the_first_output_that_follows_it():
    meter = LinkMeter(10_000_000)
    meter.state(10_000_000, received_s=1.000)
    meter.output(10_000_000, received_s=1.002)
    meter.output(10_000_000, received_s=1.012)  # the same decision, still in force
    meter.state(20_000_000, received_s=1.010)
    meter.output(20_000_000, received_s=1.014)
    assert meter.latency_ms()["latency_ms_p50"] == pytest.approx(3.0)  # median of 2 and 4


def test_gaps_in_the_stamps_are_lost_states():
    meter = LinkMeter(10_000_000)
    for stamp in (10_000_000, 20_000_000, 50_000_000):
        meter.state(stamp, 0.0)
    assert meter.lost == 2


@given(
    late=st.lists(st.floats(0.0, 2.4), min_size=2, max_size=60),
    drift=st.floats(-0.02, 0.02),
)
def test_a_state_that_is_late_is_not_lost(late, drift):
    meter = LinkMeter(10_000_000)
    now = 0.0
    for number, delay in enumerate([*late, 0.0, 0.0, 0.0]):
        # The driver catches up as soon as it can.
        now = max(now + 0.01, number + delay) if number else 0.0
        meter.state(round(now * (1.0 + drift) * 1e7), 0.0)
    assert meter.lost == 0


@given(lost=st.sets(st.integers(1, 98)), drift=st.floats(-0.02, 0.02), data=st.data())
def test_lost_states_are_counted_whatever_the_jitter(lost, drift, data):
    meter = LinkMeter(10_000_000)
    for number in range(100):
        if number not in lost:
            jitter = data.draw(st.floats(-0.1, 0.1))
            meter.state(round((number + jitter) * (1.0 + drift) * 1e7), 0.0)
    assert meter.lost == len(lost)


def test_a_reset_is_no_gap():
    meter = LinkMeter(10_000_000)
    meter.state(10_000_000, 0.0)
    meter.pause()
    meter.state(1_000_000_000, 0.0)
    assert meter.lost == 0


def test_a_state_that_is_repeated_is_a_loss_once_the_graph_has_answered_one():
    meter = LinkMeter(10_000_000)
    meter.repeated()  # while the nodes of a graph that has just started connect
    assert meter.lost == 0
    meter.state(10_000_000, 0.0)
    meter.repeated()
    meter.pause()
    meter.repeated()
    assert meter.lost == 2


def test_the_record_counts_faults_and_only_its_own_interventions():
    made = judge([AWAY] * 2, max_control_steps=1)
    observe(made, 0)
    record = EvaluationRecord()
    record.episodes.append(observe(made, 1))
    record.faults["states are stale"] += 1
    for total in (100, 103, 107):
        record.count_interventions(total)
    figures = record.figures()
    assert (figures["interventions"], figures["faults"]) == (7, 1)
    assert figures["fault_reasons"] == {"states are stale": 1}
    assert record.sentence() == (
        "0 of 1 episodes succeeded, 0 limit violations, fault (1): states are stale"
    )


def test_the_return_is_the_sum_of_the_rewards_after_the_first_tick():
    # Away by 0.1 m: goal = -5 e - e / (e + 0.05), e = sqrt(0.01 + 0.0004) - 0.02 = 0.0819804, so
    # -0.409902 - 0.621156 = -1.031058 for each of two steps; the first tick has no reward.
    task = make_task("reach", PANDA, ReachParameters(), Rates())
    made = judge([AWAY] * 3, max_control_steps=2, task=task)
    assert [observe(made, i) for i in range(2)] == [None, None]
    assert observe(made, 2).total_reward == pytest.approx(-2.062116, abs=1e-5)


@pytest.mark.parametrize("given", [True, False])
def test_a_reward_that_depends_on_efforts_and_actions_needs_them(given):
    # Power 7 * |2 * 0.5| = 7 W at 0.01; action changes 0 -> 1 -> 0.5: mean squares 1 and 0.25 at 2.
    task = make_task("reach", PANDA, WEIGHED, Rates())
    made = judge([TARGET] * 3, max_control_steps=2, task=task)
    known = {"effort": [2.0] * 7, "action": [1.0] * 7} if given else {}
    for i in range(2):
        made.observe(i * 40_000_000, PANDA.home_rad, [0.5] * 7, control_tick=True, **known)
    known = {"effort": [2.0] * 7, "action": [0.5] * 7} if given else {}
    last = made.observe(80_000_000, PANDA.home_rad, [0.5] * 7, control_tick=True, **known)
    assert last.total_reward == (pytest.approx(-2.64) if given else None)


def test_the_jerk_is_the_second_difference_of_the_velocities():
    # 0, 0, 0.0016 and 0.0032 rad/s at 0.04 s: (0 - 0 + 0.0016) / 0.0016 = 1, then 0; all joints
    # the same, so the RMS is sqrt(0.5).
    made = judge([AWAY] * 4, max_control_steps=3)
    for i, speed in enumerate([0.0, 0.0, 0.0016]):
        observe(made, i, np.full(7, speed))
    assert observe(made, 3, np.full(7, 0.0032)).jerk_rad_s3 == pytest.approx(math.sqrt(0.5))


def test_an_episode_of_two_ticks_has_no_jerk():
    made = judge([AWAY] * 2, max_control_steps=1)
    observe(made, 0)
    assert observe(made, 1).jerk_rad_s3 is None


def test_ticks_in_real_time_keep_to_the_grid_of_the_first_state():
    ticks = EpisodeTicks(40_000_000, 10_000_000, lockstep=False)
    due = [ms for ms in [3, 13, 23, 33, 44, 53, 63, 95, 104, 113, 123] if ticks.is_due(ms * 10**6)]
    # The grid is 3, 43, 83, 123 ms; 95 is the first after 83, and does not shift what follows.
    assert due == [3, 44, 95, 123]


def test_a_filter_that_starts_anew_counts_from_zero():
    record = EvaluationRecord()
    for total in (100, 103, 2, 5):
        record.count_interventions(total)
    assert record.figures()["interventions"] == 3 + 2 + 3


def test_figures_that_cannot_be_written_are_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    figures, path = {"episodes": 3, "successes": 2}, tmp_path / "file" / "figures.json"
    with pytest.raises(RunError, match=r"cannot be written \(.+\): .*\"successes\": 2"):
        EvaluationRecord().write(path, figures, traced=0, tool_xyz=lambda q: (0.0, 0.0, 0.0))


@pytest.mark.parametrize("back_ns", [100_000_000, 3_600_000_000_000])
def test_ticks_go_on_once_the_clock_was_set_back(back_ns):
    ticks = EpisodeTicks(40_000_000, 10_000_000, lockstep=False)
    stamps = [10**18 + 10_000_000 * i - (back_ns if i >= 50 else 0) for i in range(100)]
    due = [i for i, stamp in enumerate(stamps) if ticks.is_due(stamp)]
    assert due[:13] == list(range(0, 50, 4))
    assert due[13:] == list(range(54, 100, 4))  # four states after the jump, and so on
