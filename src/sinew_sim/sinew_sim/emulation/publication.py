"""What joint states of real arms look like: order, other joints, missing values, thinned rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sinew_core.errors import ConfigError
from sinew_core.joint_order import joint_order
from sinew_sim.emulation.parameters import EMPTY, NANS, ArmParameters

_TURN = 2.0 * math.pi


@dataclass(frozen=True, kw_only=True)
class StateMessage:
    """The arrays of one joint state; velocity and effort may be empty, as the message allows."""

    names: tuple[str, ...]
    position: tuple[float, ...]
    velocity: tuple[float, ...]
    effort: tuple[float, ...]


class StateLayout:
    """Lays the state of an arm out as its driver does."""

    def __init__(self, joint_names: Sequence[str], prefix: str, parameters: ArmParameters) -> None:
        """Take the robot's joints without the prefix.

        Raises:
            ConfigError: an order or the endless joints do not fit the robot.
        """
        p, names = parameters, tuple(joint_names)
        order = p.joint_order or names
        self._order = joint_order(order, names, "arm.joint_order")
        self._endless = endless(p.endless_joints, names)
        self._velocity, self._effort = p.velocity, p.effort
        self._apart = p.extra_apart
        self._extra = tuple(prefix + name for name in p.extra_joints)
        self._names = tuple(prefix + names[i] for i in self._order)
        size = -(-len(names) // p.parts)
        self._slices = [slice(k, k + size) for k in range(0, len(names), size)]

    def messages(
        self,
        position: Sequence[float],
        velocity: Sequence[float],
        effort: Sequence[float],
        *,
        with_extra: bool = True,
    ) -> list[StateMessage]:
        """Return the messages of one state (n,): rad, rad/s, N m, in the order of the robot."""
        turned = [wrapped(q) if w else q for q, w in zip(position, self._endless, strict=True)]
        extra = self._extra if with_extra else ()
        beside = () if self._apart else extra
        found = [self._message(part, turned, velocity, effort, ()) for part in self._slices[:-1]]
        found.append(self._message(self._slices[-1], turned, velocity, effort, beside))
        if extra and self._apart:
            zeros = (0.0,) * len(extra)
            found.append(StateMessage(names=extra, position=zeros, velocity=zeros, effort=zeros))
        return found

    def _message(
        self,
        part: slice,
        position: Sequence[float],
        velocity: Sequence[float],
        effort: Sequence[float],
        extra: tuple[str, ...],
    ) -> StateMessage:
        joints = self._order[part]
        zeros = [0.0] * len(extra)
        return StateMessage(
            names=self._names[part] + extra,
            position=(*(position[i] for i in joints), *zeros),
            velocity=_contents(self._velocity, [*(velocity[i] for i in joints), *zeros]),
            effort=_contents(self._effort, [*(effort[i] for i in joints), *zeros]),
        )


class Thinning:
    """Chooses the states that go out at a lower rate, as a merger by the clock does."""

    def __init__(self, rate_hz: float) -> None:
        """Choose at most so many a second."""
        self._period_ns = round(1e9 / rate_hz)
        self._due_ns: int | None = None

    def due(self, stamp_ns: int) -> bool:
        """Tell whether the state of this stamp goes out."""
        due = self._due_ns
        if due is None or not due - self._period_ns <= stamp_ns < due + self._period_ns:
            self._due_ns = stamp_ns + self._period_ns  # the first one, or after a jump of the clock
            return True
        if stamp_ns < due:
            return False
        self._due_ns = due + self._period_ns
        return True


def wrapped(position_rad: float) -> float:
    """Return the same angle within -pi to pi, where pi itself is -pi."""
    return position_rad - _TURN * math.floor((position_rad + math.pi) / _TURN)


def endless(names: Sequence[str], joint_names: Sequence[str]) -> list[bool]:
    """Return for each joint of the robot whether it is among those named.

    Raises:
        ConfigError: for a name that is no joint.
    """
    unknown = [name for name in names if name not in joint_names]
    if unknown:
        raise ConfigError(
            f"arm.endless_joints: the robot has no {', '.join(unknown)}: "
            f"choose from {', '.join(joint_names)}"
        )
    return [name in names for name in joint_names]


def _contents(kind: str, values: Sequence[float]) -> tuple[float, ...]:
    if kind == EMPTY:
        return ()
    return (math.nan,) * len(values) if kind == NANS else tuple(values)
