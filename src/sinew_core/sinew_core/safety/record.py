"""What an output of the safety filter was made of, so that it can be made again, bit for bit.

Joint states and commands tell most of it. What they do not tell stands in a short text beside each
output, words separated by blanks, the first letter of each saying what it is:

| word | meaning |
|---|---|
| `n812` | number of the output since the node started, from 1; a repetition keeps its number |
| `h2` | before it, two periods without an output were accounted for |
| `f` | then what had been published was no longer in force: the arm may have been placed |
| `r1f2e3d4c` | then the filter was started at the measured state of this check |
| `s1f2e3d4c` | then it was asked for the values of this check, of the command in force |
| `s` | or for no motion, while no command was in force |
| `b` | or it braked |
| `i` | or the output is a hold, of an arm that is not armed |
| `m1f2e3d4c` | the measured state of this check was new; without it none was |
|  | in a hold: it counts; of positions, the reference goes there, after an arm that was moved |
| `x0.5` | speed scale; without it 1 |
| `c1f2e3d4c` | check of the node's configuration |

A check is the CRC-32 of the values as little-endian doubles, in joint order, in hexadecimal; those
of a measured state are its positions, then its velocities.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sinew_core.safety.command_mode import CommandMode, Values
from sinew_core.safety.filter import FilterResult
from sinew_core.safety.scaling import SpeedScaling
from sinew_core.safety.whereabouts import Distances, Sight

KINDS = "sbi"


class CycleRecord(NamedTuple):
    """One record; each check is '' where there is none."""

    number: int
    held: int = 0
    forgot: bool = False
    start: str = ""
    kind: str = "i"
    desired: str = ""
    measured: str = ""
    scale: float = 1.0
    configuration: str = ""

    def __str__(self) -> str:
        """Return the text that goes beside the output."""
        return _text(*self)

    @classmethod
    def parse(cls, text: str) -> CycleRecord:
        """Read a record.

        Raises:
            ValueError: if it is none.
        """
        words = {word[0]: word[1:] for word in text.split(" ") if word}
        kinds = [kind for kind in KINDS if kind in words]
        if (
            "n" not in words
            or "c" not in words
            or len(kinds) != 1
            or set(words) - set("nhfrsbimxc")
        ):
            raise ValueError(f"'{text}' is no record of a cycle")
        return cls(
            number=int(words["n"]),
            held=int(words.get("h", "0")),
            forgot="f" in words,
            start=words.get("r", ""),
            kind=kinds[0],
            desired=words.get("s", ""),
            measured=words.get("m", ""),
            scale=float(words.get("x", "1")),
            configuration=words["c"],
        )


def _text(
    number: int,
    held: int,
    forgot: bool,
    start: str,
    kind: str,
    desired: str,
    measured: str,
    scale: float,
    configuration: str,
) -> str:
    """Return the words of a record; a named tuple would take longer than the filter has."""
    words = f"n{number} "
    if held:
        words += f"h{held} "
    if forgot:
        words += "f "
    if start:
        words += f"r{start} "
    words += kind + desired
    if measured:
        words += " m" + measured
    if scale != 1.0:
        words += f" x{scale!r}"
    return f"{words} c{configuration}"


def is_hold(text: str) -> bool:
    """Return whether the text beside an output is the record of a hold."""
    try:
        return CycleRecord.parse(text).kind == "i"
    except ValueError:
        return False


def values_check(n_values: int) -> Callable[[Sequence[float]], str]:
    """Return the function that gives the check of so many values."""
    pack = struct.Struct(f"<{n_values}d").pack
    return lambda values: f"{zlib.crc32(pack(*values)):08x}"


def state_check(n_joints: int) -> Callable[[Sequence[float], Sequence[float]], str]:
    """Return the function that gives the check of positions and velocities (n_joints,)."""
    pack = struct.Struct(f"<{2 * n_joints}d").pack
    return lambda position, velocity: f"{zlib.crc32(pack(*position, *velocity)):08x}"


def text_check(text: str) -> str:
    """Return the check of a configuration's text."""
    return f"{zlib.crc32(text.encode()):08x}"


class RecordedMode:
    """A command mode that scales what it is asked, and keeps what is asked and done for the record.

    It stands between the supervisor and the mode, whose methods say what they do.

    Attributes:
        scaling: its `value` may be changed between cycles.
        asked: what was asked for last (n,), after scaling; empty where nothing was.
    """

    def __init__(
        self, mode: CommandMode, scaling: SpeedScaling, n_joints: int, configuration: str = ""
    ) -> None:
        """Wrap one mode; `configuration` is the check that every record carries."""
        self.scaling = scaling
        self.asked: Sequence[float] = ()
        self._mode = mode
        self._check = values_check(n_joints)
        self._state_check = state_check(n_joints)
        self._configuration = configuration
        self._number = 0
        self._desired: Sequence[float] | None = None
        self._desired_check = ""
        self._clear()

    def _clear(self) -> None:
        """Begin the record of the next output."""
        self._held, self._forgot = 0, False
        self._started = self._asked_check = self._measured = ""
        self._kind, self._scale = "i", 1.0
        self._result: FilterResult | None = None

    @property
    def output(self) -> Values | None:
        """What was published last (n,)."""
        return self._mode.output

    @property
    def answer(self) -> Values | None:
        """The last output (n,) in the unit of what is asked for."""
        return self._mode.answer

    @property
    def rests(self) -> bool:
        """Whether what was published last asks for no motion."""
        return self._mode.rests

    def travel_rad(self, velocity: Sequence[float], period_s: float) -> float:
        """Return the largest travel of a joint in the last period."""
        return self._mode.travel_rad(velocity, period_s)

    def step(
        self,
        desired: Sequence[float] | None,
        position: Sequence[float] | None,
        velocity: Sequence[float],
    ) -> FilterResult:
        """Scale and filter one command (n,); None asks for no motion, at any scale."""
        if desired is None:
            self.asked = self._mode.idle or ()
            self._asked_check = ""
            result = self._mode.step(None, position, velocity)
        else:
            if desired is not self._desired:
                self._desired, self._desired_check = desired, self._check(desired)
            self._asked_check = self._desired_check
            self.asked = self.scaling.apply(desired, self._mode.output)
            result = self._mode.step(self.asked, position, velocity)
        return self._ran("s", result, position, velocity)

    def brake(self, position: Sequence[float] | None, velocity: Sequence[float]) -> FilterResult:
        """Decelerate for one period."""
        result = self._mode.brake(position, velocity)
        self.asked = self.asked or self._mode.answer or ()
        return self._ran("b", result, position, velocity)

    def skip(self, periods: int) -> None:
        """Account for missed periods."""
        self._mode.skip(periods)
        self._held += periods

    def forget(self) -> None:
        """Take nothing that was published as still in force."""
        self._mode.forget()
        self._forgot = True

    def start(self, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Start where the arm is held, as measured (n,) rad, rad/s."""
        self._mode.start(position, velocity)
        self.asked = ()
        self._started = self._state_check(position, velocity)

    def sight(self, time_ns: int, position: Sequence[float]) -> Sight:
        """Return what a measured position (n,) rad says of the arm while it is held."""
        return self._mode.sight(time_ns, position)

    def astray(self) -> Distances:
        """Return the joints off what is held, in rad, for which nothing is sent."""
        return self._mode.astray()

    def unchanged(self) -> Distances:
        """Return the joints off what is held, in rad, that are measured where the hold began."""
        return self._mode.unchanged()

    def hold(self, position: Sequence[float] | None, velocity: Sequence[float]) -> Values | None:
        """Return what keeps the arm at rest, None where that cannot be known."""
        held = self._mode.hold(position, velocity)
        if held is not None and position is not None:
            self._measured = self._state_check(position, velocity)
        return held

    def configure(self, configuration: str) -> None:
        """Let records carry the check of another configuration from now on."""
        self._configuration = configuration

    def take(self) -> tuple[str, FilterResult | None]:
        """Return the record of the present output and the filter's result, None for a hold."""
        self._number += 1
        result = self._result
        text = _text(
            self._number,
            self._held,
            self._forgot,
            self._started,
            self._kind,
            self._asked_check,
            self._measured,
            self._scale,
            self._configuration,
        )
        self._clear()
        return text, result

    def _ran(
        self,
        kind: str,
        result: FilterResult,
        position: Sequence[float] | None,
        velocity: Sequence[float],
    ) -> FilterResult:
        self._measured = "" if position is None else self._state_check(position, velocity)
        self._kind, self._scale, self._result = kind, self.scaling.value, result
        return result
