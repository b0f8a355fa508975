"""What a recording of the safety filter holds: its outputs, and what they were made of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from sinew_core.safety.command_mode import Values
from sinew_core.safety.filter import Cause
from sinew_core.safety.record import CycleRecord, state_check, values_check

V = TypeVar("V")

_REMEMBERED = 8192


class Output(NamedTuple):
    """One recorded output.

    Attributes:
        time_ns: when it was recorded.
        state_ns: stamp of the joint state that it answers.
        command_ns: stamp of the command in force.
        values: (n,) in the unit of the mode.
    """

    time_ns: int
    state_ns: int
    command_ns: int
    values: Values
    record: CycleRecord


class Intervention(NamedTuple):
    """One joint whose command was changed in one cycle."""

    time_ns: int
    joint: str
    asked: float
    sent: float
    cause: Cause


class State(NamedTuple):
    """A measured state (n,): rad, rad/s."""

    position: Values
    velocity: Values


class Inputs:
    """The latest joint states and commands of a recording, found by stamp and check."""

    def __init__(self, n_joints: int) -> None:
        """Begin without any."""
        self._check, self._state_check = values_check(n_joints), state_check(n_joints)
        self._states: OrderedDict[tuple[int, str], State] = OrderedDict()
        self._commands: OrderedDict[tuple[int, str], Values] = OrderedDict()

    def state(self, stamp_ns: int, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Take a joint state: (n_joints,) rad, rad/s."""
        state = State(tuple(position), tuple(velocity))
        _remember(self._states, (stamp_ns, self._state_check(*state)), state)

    def command(self, stamp_ns: int, values: Sequence[float]) -> None:
        """Take a command (n_joints,)."""
        _remember(self._commands, (stamp_ns, self._check(values)), tuple(values))

    def find_state(self, output: Output, check: str) -> State | None:
        """Return the state that an output answers, None while the recording lacks it."""
        return self._states.get((output.state_ns, check))

    def find_command(self, output: Output) -> Values | None:
        """Return the command that an output was made of, None while the recording lacks it."""
        return self._commands.get((output.command_ns, output.record.desired))

    def lacks(self, output: Output) -> bool:
        """Tell whether the recording may still bring what an output was made of."""
        record = output.record
        checks = (check for check in (record.start, record.measured) if check)
        return any(self.find_state(output, check) is None for check in checks) or (
            bool(record.desired) and self.find_command(output) is None
        )


def _remember(kept: OrderedDict[tuple[int, str], V], key: tuple[int, str], value: V) -> None:
    kept[key] = value
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)
