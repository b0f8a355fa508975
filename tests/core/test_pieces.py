"""A recorded motion is cut into pieces that are simulated from their own start."""

import dataclasses

import numpy as np
import pytest

from sinew_core.bags.recording import Commands, Recording
from sinew_core.sysid.output_error import slope
from sinew_core.sysid.pieces import HISTORY_S, cut, usable_span


def recorded(begin_s=0.0, end_s=10.0, command_begin_s=0.0, command_end_s=10.0, gaps=()):
    time_s = np.arange(begin_s, end_s, 0.01)
    sent_s = np.arange(command_begin_s, command_end_s, 0.02)
    return Recording(
        source="bag",
        joint_names=("a",),
        time_s=time_s,
        position_rad=(1.0 + 2.0 * time_s + 3.0 * time_s**2)[:, None],
        velocity_rad_s=None,
        effort_nm=None,
        zero_ns=0,
        commands=Commands(mode="position", time_s=sent_s, values=sent_s[:, None], topic="c"),
        gaps=gaps,
    )


def test_motion_is_cut_at_gaps_only():
    pieces = cut(recorded(gaps=(300, 305)), 0.0, 9.0)
    # The five samples between two gaps are too few to tell anything.
    assert [p.time_s.size for p in pieces] == [300, 596]
    assert pieces[1].time_s[0] == pytest.approx(3.05)


def test_windows_are_equal_and_leave_nothing_out():
    pieces = cut(recorded(), 0.0, 9.995, window_s=0.9)
    assert sum(p.time_s.size for p in pieces) == 1000
    lengths = [p.time_s[-1] - p.time_s[0] for p in pieces]
    assert np.ptp(lengths) < 0.02
    assert lengths[0] == pytest.approx(0.9, abs=0.03)


def test_a_start_is_where_and_as_fast_as_the_first_samples_are():
    # q = 1 + 2 t + 3 t^2 at 4 s: 57 rad, 26 rad/s.
    piece = cut(recorded(), 4.0, 9.0)[0]
    assert piece.start_position_rad == pytest.approx([57.0], rel=1e-6)
    assert piece.start_velocity_rad_s == pytest.approx([26.0], rel=1e-6)


@pytest.mark.parametrize("speed_rad_s", [0.0, 0.5])
def test_a_start_strays_as_far_as_it_says(speed_rad_s):
    motion, noise_rad, joints = recorded(end_s=0.5), 1e-4, 2000
    rng = np.random.default_rng(0)
    line = 1.0 + speed_rad_s * motion.time_s[:, None]
    noisy = line + noise_rad * rng.standard_normal((motion.time_s.size, joints))
    piece = cut(dataclasses.replace(motion, position_rad=noisy), 0.0, 1.0)[0]
    position_spread, velocity_spread = np.split(piece.start_spread, 2)
    position = (piece.start_position_rad - 1.0) / (noise_rad * position_spread)
    velocity = (piece.start_velocity_rad_s - speed_rad_s) / (noise_rad * velocity_spread)
    assert np.sqrt(np.mean(position**2)) == pytest.approx(1.0, abs=0.1)
    if speed_rad_s == 0.0:
        assert np.mean(piece.start_velocity_rad_s == 0.0) > 0.7
    else:
        assert np.sqrt(np.mean(velocity**2)) == pytest.approx(1.0, abs=0.1)


def test_a_joint_that_does_not_move_at_all_starts_at_rest():
    motion = recorded(end_s=0.5)
    still = np.full(motion.position_rad.shape, 0.3)
    piece = cut(dataclasses.replace(motion, position_rad=still), 0.0, 1.0)[0]
    assert piece.start_velocity_rad_s[0] == 0.0
    assert piece.start_position_rad[0] == pytest.approx(0.3, abs=1e-15)
    assert np.isfinite(piece.start_spread).all()
    assert (piece.start_spread > 0.0).all()


def test_a_piece_keeps_the_commands_that_may_still_arrive():
    piece = cut(recorded(), 4.0, 6.0)[0]
    assert piece.driving.time_s[0] < 4.0 - HISTORY_S
    assert piece.driving.time_s[-1] == pytest.approx(6.0, abs=0.05)


def test_every_third_sample_is_kept_where_there_are_too_many():
    piece = cut(recorded(), 0.0, 9.0, stride=3)[0]
    assert np.diff(piece.time_s) == pytest.approx(0.03)


def test_nothing_is_used_before_commands_are_known_or_after_they_end():
    begin, end = usable_span(recorded(command_begin_s=2.0, command_end_s=7.0), 0.5)
    # The first command, its period, and what it may take to the drive.
    assert begin == pytest.approx(2.0 + 0.02 + 0.5)
    assert end == pytest.approx(6.98 + 0.1)


def test_commands_that_began_before_the_states_are_known_from_the_start():
    assert usable_span(recorded(begin_s=1.0), 0.5)[0] <= 1.0


def test_without_commands_the_efforts_drive():
    recording = dataclasses.replace(recorded(), commands=None, effort_nm=np.ones((1000, 1)))
    piece = cut(recording, 2.0, 4.0)[0]
    assert piece.replays
    assert piece.driving.mode == "effort"
    assert usable_span(recording, 0.5) == (0.0, pytest.approx(9.99))


@pytest.mark.parametrize("offsets", [(0.1, -0.1), (0.1, 0.2), (-0.1, -0.2)])
def test_slopes_of_a_parabola_are_exact(offsets):
    # f = 1 + 2 x + 3 x^2 at 0.5: slope 2 + 3 = 5.
    def f(x):
        return np.array([1.0 + 2.0 * x + 3.0 * x * x])

    sides = [f(0.5 + offset) for offset in offsets]
    assert slope(f(0.5), offsets, sides) == pytest.approx([5.0])


def test_where_one_side_diverged_the_other_tells():
    base, side = np.array([1.0]), np.array([1.5])
    assert slope(base, (0.1, -0.1), [side, None]) == pytest.approx([5.0])
    assert slope(base, (0.1, -0.1), [None, side]) == pytest.approx([-5.0])
    assert slope(base, (0.1, -0.1), [None, None]).tolist() == [0.0]
