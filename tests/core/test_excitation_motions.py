import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sinew_core.robots.catalogue import load_robot
from sinew_core.sysid.excitation.chirp import ChirpMotion
from sinew_core.sysid.excitation.fourier import FourierMotion, coordinate_count
from sinew_core.sysid.excitation.homing import way_home
from sinew_core.sysid.excitation.reference import Reference, joined

HOME = np.array([0.3, -0.7])
RATE_HZ = 500


@st.composite
def fourier_motions(draw):
    harmonics = draw(st.integers(2, 6))
    size = (coordinate_count(harmonics), 2)
    coordinates = draw(arrays(float, size, elements=st.floats(-2.0, 2.0)))
    return FourierMotion(home_rad=HOME, coordinates=coordinates, period_s=draw(st.integers(1, 9)))


@st.composite
def chirps(draw):
    positive = st.floats(0.1, 3.0)
    return ChirpMotion(
        home_rad=HOME,
        reach_rad=np.array([draw(positive), draw(positive)]),
        velocity_rad_s=np.array([draw(positive), 2.0]),
        acceleration_rad_s2=np.array([5.0, draw(positive)]),
        share=np.array([1.0, draw(st.floats(0.0, 1.0))]),
        from_hz=0.1,
        to_hz=draw(st.floats(0.2, 3.0)),
        duration_s=draw(st.integers(4, 12)),
    )


def assert_rests_at_home(motion):
    for end in (0, -1):
        assert (motion.position_rad[end] == HOME).all()
        assert not motion.velocity_rad_s[end].any()
        assert not motion.acceleration_rad_s2[end].any()


def assert_derivatives_agree(motion):
    """Central differences agree, but where a chirp's envelope changes its third derivative."""
    step_s = 1.0 / RATE_HZ
    inside = slice(1, -1)
    for values, slopes in (
        (motion.position_rad, motion.velocity_rad_s),
        (motion.velocity_rad_s, motion.acceleration_rad_s2),
    ):
        differences = (values[2:] - values[:-2]) / (2.0 * step_s)
        scale = np.abs(slopes).max() + 1e-9
        assert np.abs(differences - slopes[inside]).max() < 0.03 * scale + 1e-7


@given(motion=fourier_motions())
def test_a_fourier_motion_starts_and_ends_at_rest_at_home(motion):
    exact = motion.sampled(np.array([0.0, motion.period_s]))
    for values, expected in zip(exact, (HOME, 0.0, 0.0), strict=True):
        assert np.abs(values - expected).max() < 1e-9
    reference = motion.reference(RATE_HZ)
    assert_rests_at_home(reference)
    assert_derivatives_agree(reference)


@given(motion=chirps())
def test_a_chirp_starts_and_ends_at_rest_at_home(motion):
    reference = motion.reference(RATE_HZ)
    assert_rests_at_home(reference)
    assert_derivatives_agree(reference)
    assert (np.abs(reference.position_rad - HOME) <= motion.reach_rad).all()


def test_a_chirp_rises_from_one_frequency_to_the_other():
    motion = ChirpMotion(
        home_rad=HOME,
        reach_rad=np.ones(2),
        velocity_rad_s=np.full(2, 1e9),
        acceleration_rad_s2=np.full(2, 1e9),
        share=np.ones(2),
        from_hz=1.0,
        to_hz=3.0,
        duration_s=20.0,
    )
    offset = motion.reference(RATE_HZ).position_rad[:, 0] - HOME[0]
    crossings = np.flatnonzero(np.diff(np.signbit(offset))) / RATE_HZ
    # The frequency is 1 + 2 t / 20 Hz: two crossings a turn, (t + t^2 / 20) * 2 of them until t.
    for low, high in ((4.0, 6.0), (14.0, 16.0)):
        expected = 2.0 * ((high - low) + (high**2 - low**2) / 20.0)
        assert np.sum((crossings > low) & (crossings < high)) == pytest.approx(expected, abs=1.0)


@given(motion=st.one_of(fourier_motions(), chirps()), factor=st.floats(1.0, 3.0))
def test_slowing_keeps_the_path_and_lowers_speed_and_acceleration(motion, factor):
    before, after = motion.reference(RATE_HZ), motion.slowed(factor, RATE_HZ).reference(RATE_HZ)
    true_factor = after.duration_s / before.duration_s
    assert factor - 1e-9 <= true_factor < factor + 1.0 / RATE_HZ
    for j in range(2):
        path = np.interp(after.time_s / true_factor, before.time_s, before.position_rad[:, j])
        assert np.abs(path - after.position_rad[:, j]).max() < 2e-3
    for field, power in (("velocity_rad_s", 1), ("acceleration_rad_s2", 2)):
        peak = np.abs(getattr(before, field)).max() / true_factor**power
        assert np.abs(getattr(after, field)).max() == pytest.approx(peak, rel=0.01, abs=1e-4)


def test_joined_motions_follow_each_other_without_a_sample_twice():
    rest = Reference.resting(HOME, 0.01, RATE_HZ)
    motion = FourierMotion(home_rad=HOME, coordinates=np.full((2, 2), 0.1), period_s=1.0).reference(
        RATE_HZ
    )
    whole = joined([rest, motion, rest], RATE_HZ)
    assert len(whole.time_s) == RATE_HZ + 1 + 2 * 5
    assert np.allclose(np.diff(whole.time_s), 1.0 / RATE_HZ)
    assert np.array_equal(whole.position_rad[5 : 5 + RATE_HZ + 1], motion.position_rad)


@given(offset=arrays(float, 7, elements=st.floats(-1.0, 1.0)))
def test_the_way_home_is_straight_slow_and_ends_at_rest_at_home(offset):
    robot = load_robot("iiwa14")
    way = way_home(robot, (robot.home_rad + offset).tolist(), speed_rad_s=0.2, rate_hz=200)
    assert np.allclose(way.position_rad[0], robot.home_rad + offset)
    assert np.allclose(way.position_rad[-1], robot.home_rad, atol=1e-12)
    assert not way.velocity_rad_s[[0, -1]].any()
    assert np.abs(way.velocity_rad_s).max() <= 0.2 + 1e-12
    acceleration = np.abs(way.acceleration_rad_s2) / robot.limits.acceleration_rad_s2
    assert acceleration.max() <= 0.1 + 1e-4
    share = (way.position_rad - robot.home_rad) @ offset
    assert np.allclose(
        (way.position_rad - robot.home_rad) * (offset @ offset), np.outer(share, offset)
    )
