"""Limits and histories that the tests of the safety filter share."""

from __future__ import annotations

from hypothesis import strategies as st

from sinew_core.robots.limits import JointLimits
from sinew_core.safety.parameters import SafetyParameters

PANDA = JointLimits(
    position_lower_rad=[-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973],
    position_upper_rad=[2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973],
    velocity_rad_s=[2.175] * 4 + [2.61] * 3,
    acceleration_rad_s2=[15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0],
    jerk_rad_s3=[5000.0] * 7,
    effort_nm=[87.0] * 4 + [12.0] * 3,
    effort_rate_nm_s=[1000.0] * 7,
)
HOME = [0.0, -0.5, 0.0, -2.0, 0.0, 1.5, 0.7]
EXACT = SafetyParameters(
    margin_rad=0.0,
    noise_rad=0.0,
    drift_rad_s=0.0,
    gain_error=0.0,
    interpolation=0.0,
    velocity_scale=1.0,
    acceleration_scale=1.0,
)


def one_joint(lower=-1.0, upper=1.0, velocity=1.0, acceleration=10.0) -> JointLimits:
    return JointLimits(
        position_lower_rad=[lower],
        position_upper_rad=[upper],
        velocity_rad_s=[velocity],
        acceleration_rad_s2=[acceleration],
        jerk_rad_s3=[1e4],
        effort_nm=[10.0],
        effort_rate_nm_s=[1e3],
    )


assumptions = st.builds(
    SafetyParameters,
    margin_rad=st.floats(0.0, 0.02),
    noise_rad=st.sampled_from([0.0, 1e-4, 2e-3]),
    drift_rad_s=st.sampled_from([0.0, 0.002]),
    gain_error=st.sampled_from([0.0, 0.002, 0.05]),
    jitter=st.sampled_from([0.0, 0.1, 0.3]),
    max_latency_periods=st.integers(0, 4),
    dead_time_periods=st.sampled_from([0.0, 0.5, 3.0]),
    interpolation=st.sampled_from([0.0, 0.25, 0.5]),
)
any_float = st.floats(allow_nan=True, allow_infinity=True, width=64)
