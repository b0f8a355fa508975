"""Pieces of a recording, their filter and their derivatives, against signals known exactly."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sinew_core.bags.recording import Recording
from sinew_core.errors import BagError
from sinew_core.sysid.preprocess import LowPass, derivatives, make_pieces, resampled

RATE_HZ = 200.0


def recorded(time_s, gaps=(), effort=True):
    q = np.stack([np.sin(2 * np.pi * 0.5 * time_s), np.cos(2 * np.pi * 1.5 * time_s)], axis=1)
    return Recording(
        source="bag", joint_names=("a", "b"), time_s=time_s, position_rad=q, velocity_rad_s=None,
        effort_nm=10.0 * q if effort else None, zero_ns=0, commands=None, gaps=gaps,
    )  # fmt: skip


def test_the_filter_halves_its_cutoff_and_shifts_nothing():
    # Order 4 there and back: |H|^2 = 1 / (1 + (f / fc)^8): 1/2 at fc, 1 - 3.9e-7 at fc / 6.3.
    time_s = np.arange(4000) / RATE_HZ
    low = LowPass(rate_hz=RATE_HZ, cutoff_hz=10.0)
    for frequency, gain in ((10.0, 0.5), (1.6, 1.0)):
        wave = np.sin(2 * np.pi * frequency * time_s)
        inner = slice(500, -500)
        np.testing.assert_allclose(low.apply(wave)[inner], gain * wave[inner], atol=1e-3)


@pytest.mark.parametrize("frequency", [0.5, 2.0])
def test_derivatives_of_a_sine_are_those_of_calculus(frequency):
    w = 2 * np.pi * frequency
    time_s = np.arange(400) / RATE_HZ
    first, second = derivatives(np.sin(w * time_s)[:, None], 1.0 / RATE_HZ)
    # Fourth order: (w h)^4 / 30 and / 90 relative: 5.2e-7 and 1.7e-7 at 2 Hz and 200 Hz.
    np.testing.assert_allclose(first[2:-2, 0], w * np.cos(w * time_s)[2:-2], atol=1e-6 * w)
    np.testing.assert_allclose(
        second[2:-2, 0], -w * w * np.sin(w * time_s)[2:-2], atol=1e-6 * w * w
    )


def test_derivatives_of_a_quartic_are_exact():
    time_s = np.arange(20) * 0.1
    first, second = derivatives(time_s[:, None] ** 4, 0.1)
    np.testing.assert_allclose(first[2:-2, 0], 4 * time_s[2:-2] ** 3, atol=1e-11)
    np.testing.assert_allclose(second[2:-2, 0], 12 * time_s[2:-2] ** 2, atol=1e-10)


def test_stamps_with_jitter_give_the_motion_on_a_uniform_grid():
    rng = np.random.default_rng(0)
    time_s = np.arange(2000) / RATE_HZ + rng.uniform(-1e-3, 1e-3, 2000)
    ((piece,), *_) = make_pieces(recorded(time_s))
    expected = np.cos(2 * np.pi * 1.5 * piece.time_s)
    # Cubic splines at 10 ms: (w h)^4 / 384 = 2.1e-7, up to ten times as much at uneven stamps.
    np.testing.assert_allclose(piece.position_rad[:, 1], expected, atol=4e-6)
    v = piece.motion().velocity_rad_s[piece.rows, 1]
    w = 2 * np.pi * 1.5
    np.testing.assert_allclose(v, -w * np.sin(w * piece.row_time_s), atol=2e-3)


def test_efforts_are_taken_later_as_asked():
    ((piece,), *_) = make_pieces(recorded(np.arange(2000) / RATE_HZ))
    later = piece.effort_nm(0.01)[:-4, 0]
    expected = 10.0 * np.sin(2 * np.pi * 0.5 * (piece.time_s[:-4] + 0.01))
    # Straight lines over 10 ms: 10 (w h)^2 / 8 = 1.23e-3.
    np.testing.assert_allclose(later, expected, atol=1.3e-3)


def test_motion_is_cut_at_gaps_and_short_pieces_are_left_out():
    time_s = np.concatenate([np.arange(1000), 1200 + np.arange(30), 1400 + np.arange(600)]) / 200
    pieces, odd = make_pieces(recorded(time_s, gaps=(1000, 1030)), 10.0)
    # Read at 100 Hz, from the second sample to the last but one.
    assert [(p.time_s[0], len(p.time_s)) for p in pieces] == [(0.005, 499), (7.005, 299)]
    for piece in (*pieces, *odd):
        # 10 Hz need 0.2 s at each end.
        assert piece.row_time_s[0] == pytest.approx(piece.time_s[0] + 0.2)
        assert piece.row_time_s[-1] <= piece.time_s[-1] - 0.2 + 1e-9


def test_a_fast_recording_is_thinned_and_a_slow_one_has_a_lower_cutoff():
    ((fast,), _) = make_pieces(recorded(np.arange(5000) / 1000.0))
    assert 1.0 / fast.period_s == pytest.approx(500.0)
    ((slow,),) = make_pieces(recorded(np.arange(500) / 20.0), 10.0)
    assert slow.smooth.cutoff_hz == pytest.approx(3.0)


@given(st.lists(st.integers(1, 300), max_size=5), st.integers(2, 700))
@example(gaps=[], count=111)  # its median period is 5 ms and a rounding
@settings(max_examples=25)
def test_any_pieces_are_finite_or_refused(gaps, count):
    time_s = np.arange(count) / RATE_HZ
    at = tuple(sorted({g for g in gaps if g < count}))
    for g in at:
        time_s[g:] += 0.5
    # Every second sample, without one at either end: two filter periods at each end and five rows
    # of 4 are 40 + 20 of them.
    bounds = [0, *at, count]
    if max((b - a - 3) // 2 + 1 for a, b in itertools.pairwise(bounds)) < 60:
        with pytest.raises(BagError, match="record at least"):
            make_pieces(recorded(time_s, gaps=at), 10.0)
        return
    for piece in itertools.chain(*make_pieces(recorded(time_s, gaps=at), 10.0)):
        assert np.isfinite(piece.filtered(piece.position_rad)).all()
        assert np.isfinite(piece.motion().acceleration_rad_s2).all()
        assert len(piece.row_time_s) > 0


def test_resampling_holds_the_ends():
    out = resampled(np.array([0.0, 1.0]), np.array([[0.0], [2.0]]), np.array([-1.0, 0.5, 9.0]))
    assert out[:, 0].tolist() == [0.0, 1.0, 2.0]
