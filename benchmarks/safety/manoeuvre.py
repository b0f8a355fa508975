"""One braking manoeuvre: a joint driven at its limit at full speed, through each limiter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.safety import peers
from benchmarks.safety.compared import EXACT, OURS, PEERS, PERIOD_S, ROS2_CONTROL, SERVO
from benchmarks.safety.plant import Array
from sinew_core.robots.limits import JointLimits
from sinew_core.safety.filter import VelocityFilter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UPPER_RAD, SPEED_RAD_S, ACCELERATION_RAD_S2 = 1.7628, 2.175, 7.5
"""Joint 2 of the Franka Emika Panda."""
_PERIODS = 160
_COLOURS = ("#1f6feb", "#d1242f", "#bf8700", "#8250df")


def trace(which: int) -> tuple[Array, Array]:
    """Return positions and velocities (160,) of the joint, asked for full speed all the time.

    The drive follows exactly, as fast as its acceleration limit allows.
    """
    ours = VelocityFilter(_joint(), EXACT, PERIOD_S)
    q, v, step = 0.0, 0.0, ACCELERATION_RAD_S2 * PERIOD_S
    ours.reset([q])
    positions, velocities = [], []
    for _ in range(_PERIODS):
        if which == OURS:
            sent = ours.step([SPEED_RAD_S], [q]).command[0]
        else:
            sent = _send_as_peer(which, q, v)
        v = peers.between(sent, v - step, v + step)
        q += PERIOD_S * v
        positions.append(q)
        velocities.append(v)
    return np.array(positions), np.array(velocities)


def _send_as_peer(which: int, q: float, v: float) -> float:
    low, high = -UPPER_RAD, UPPER_RAD
    if which == ROS2_CONTROL:
        step = ACCELERATION_RAD_S2 * PERIOD_S
        return peers.saturation(SPEED_RAD_S, q, v, low, high, SPEED_RAD_S, step, PERIOD_S)
    if which == SERVO:
        margin = peers.SERVO_MARGIN_RAD
        return 0.0 if peers.halts(SPEED_RAD_S, q, low, high, margin, PERIOD_S) else SPEED_RAD_S
    k = ACCELERATION_RAD_S2 / SPEED_RAD_S
    return peers.soft_limit(SPEED_RAD_S, q, low, high, SPEED_RAD_S, k)


def _joint() -> JointLimits:
    return JointLimits(
        position_lower_rad=np.array([-UPPER_RAD]),
        position_upper_rad=np.array([UPPER_RAD]),
        velocity_rad_s=np.array([SPEED_RAD_S]),
        acceleration_rad_s2=np.array([ACCELERATION_RAD_S2]),
        jerk_rad_s3=np.array([1e4]),
        effort_nm=np.array([87.0]),
        effort_rate_nm_s=np.array([1e3]),
    )


def braking_figure() -> Figure:
    """Return position and velocity over time of all limiters."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    time_s = PERIOD_S * np.arange(1, _PERIODS + 1)
    for colour, (name, which) in zip(_COLOURS, {"Sinew": OURS, **PEERS}.items(), strict=True):
        positions, velocities = trace(which)
        above.plot(time_s, positions, color=colour, label=name)
        below.plot(time_s, velocities, color=colour)
    above.axhline(UPPER_RAD, color="black", linestyle=":", linewidth=1.0)
    above.set_ylabel("position, rad (limit dotted)")
    below.set_ylabel("velocity, rad/s")
    below.set_xlabel("s")
    above.legend(fontsize=8)
    for axis in (above, below):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle("full speed at the limit: 2.175 rad/s, 7.5 rad/s², 100 Hz", fontsize=10)
    return figure
