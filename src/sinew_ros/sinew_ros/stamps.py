"""Time stamps as integer nanoseconds, the only form in which they are compared or divided."""

from __future__ import annotations

from builtin_interfaces.msg import Time

NS_PER_S = 1_000_000_000


def stamp_ns(stamp: Time) -> int:
    """Return the nanoseconds of a message stamp."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def set_stamp(stamp: Time, nanoseconds: int) -> None:
    """Write nanoseconds into a message stamp that is used again and again."""
    stamp.sec, stamp.nanosec = divmod(nanoseconds, NS_PER_S)


def to_stamp(nanoseconds: int) -> Time:
    """Return a new message stamp."""
    sec, nanosec = divmod(nanoseconds, NS_PER_S)
    return Time(sec=sec, nanosec=nanosec)


def period_ns(rate_hz: int) -> int:
    """Return the period of a rate, exact for every rate that divides 1e9."""
    return NS_PER_S // rate_hz
