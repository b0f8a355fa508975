"""What an output of the safety filter was made of, so that it can be made again, bit for bit.

Joint states and commands tell most of it. What they do not tell stands in a short text beside each
output, words separated by blanks, the first letter of each saying what it is:

| word | meaning |
|---|---|
| `n812` | number of the output since the node started, from 1; a repetition keeps its number |
| `h2` | before it, two periods without an output were accounted for |
| `r1f2e3d4c` | then the filter was started at rest at the position of this check |
| `v1f2e3d4c` | or it was started there in motion, at the last output |
| `s1f2e3d4c` | then it was asked for the values of this check, of the command in force |
| `b` | or it braked |
| `i` | or the output is the idle one, of an arm that is not armed |
| `m1f2e3d4c` | the measured position of this check was new; without it none was |
| `x0.5` | speed scale; without it 1 |
| `c1f2e3d4c` | check of the node's configuration |

A check is the CRC-32 of the values as little-endian doubles, in joint order, in hexadecimal.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from sinew_core.safety.filter import FilterResult
from sinew_core.safety.scaling import SpeedScaling


class Filter(Protocol):
    """The part of the filters that is used here."""

    @property
    def command(self) -> tuple[float, ...]:
        """The last output (n,)."""

    def reset(
        self, position_rad: Sequence[float], velocity_rad_s: Sequence[float] | None = None
    ) -> None:
        """Start from a measured state."""

    def step(
        self, desired: Sequence[float], measured_position_rad: Sequence[float] | None
    ) -> FilterResult:
        """Clamp one command."""

    def brake(self, measured_position_rad: Sequence[float] | None) -> FilterResult:
        """Decelerate."""

    def hold(self, periods: int) -> None:
        """Account for missed periods."""


class CycleRecord(NamedTuple):
    """One record; each check is '' where there is none."""

    number: int
    held: int = 0
    reset: str = ""
    moving: bool = False
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
        kinds = [kind for kind in "sbi" if kind in words]
        if (
            "n" not in words
            or "c" not in words
            or len(kinds) != 1
            or set(words) - set("nhrvsbimxc")
        ):
            raise ValueError(f"'{text}' is no record of a cycle")
        return cls(
            number=int(words["n"]),
            held=int(words.get("h", "0")),
            reset=words.get("r") or words.get("v", ""),
            moving="v" in words,
            kind=kinds[0],
            desired=words.get("s", ""),
            measured=words.get("m", ""),
            scale=float(words.get("x", "1")),
            configuration=words["c"],
        )


def _text(
    number: int,
    held: int,
    reset: str,
    moving: bool,
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
    if reset:
        words += f"{'v' if moving else 'r'}{reset} "
    words += kind + desired
    if measured:
        words += " m" + measured
    if scale != 1.0:
        words += f" x{scale!r}"
    return f"{words} c{configuration}"


def values_check(n_joints: int) -> Callable[[Sequence[float]], str]:
    """Return the function that gives the check of `n_joints` values."""
    pack = struct.Struct(f"<{n_joints}d").pack
    return lambda values: f"{zlib.crc32(pack(*values)):08x}"


def text_check(text: str) -> str:
    """Return the check of a configuration's text."""
    return f"{zlib.crc32(text.encode()):08x}"


class RecordedFilter:
    """A filter that scales what it is asked, and keeps what is asked and done for the record.

    Attributes:
        scaling: its `value` may be changed between cycles.
        asked: what the filter was asked for last (n,), after scaling.
    """

    def __init__(
        self, arm_filter: Filter, scaling: SpeedScaling, n_joints: int, configuration: str = ""
    ) -> None:
        """Wrap one filter; `configuration` is the check that every record carries."""
        self.scaling = scaling
        self.asked: Sequence[float] = ()
        self._filter = arm_filter
        self._check = values_check(n_joints)
        self._configuration = configuration
        self._result: FilterResult | None = None
        self._number = self._held = 0
        self._reset = self._measured = ""
        self._moving = self._braked = False
        self._desired: Sequence[float] | None = None
        self._desired_check = ""

    @property
    def command(self) -> tuple[float, ...]:
        """The last output of the filter (n,)."""
        return self._filter.command

    def reset(
        self, position_rad: Sequence[float], velocity_rad_s: Sequence[float] | None = None
    ) -> None:
        """Start from a position (n,) rad; a velocity must be that of the last output."""
        self._filter.reset(position_rad, velocity_rad_s)
        self.asked = ()
        self._reset, self._moving = self._check(position_rad), velocity_rad_s is not None

    def step(
        self, desired: Sequence[float], measured_position_rad: Sequence[float] | None
    ) -> FilterResult:
        """Scale and filter one command (n,)."""
        if desired is not self._desired:
            self._desired, self._desired_check = desired, self._check(desired)
        self.asked = self.scaling.apply(desired, self._filter)
        result = self._filter.step(self.asked, measured_position_rad)
        return self._ran(result, measured_position_rad)

    def brake(self, measured_position_rad: Sequence[float] | None) -> FilterResult:
        """Decelerate for one period."""
        result = self._filter.brake(measured_position_rad)
        self.asked = self.asked or result.command
        self._braked = True
        return self._ran(result, measured_position_rad)

    def hold(self, periods: int) -> None:
        """Account for missed periods."""
        self._filter.hold(periods)
        self._held += periods

    def take(self) -> tuple[str, FilterResult | None]:
        """Return the record of the present output and the filter's result, None for an idle one."""
        self._number += 1
        result, idle = self._result, self._result is None
        stepped = not idle and not self._braked
        text = _text(
            self._number,
            self._held,
            self._reset,
            self._moving,
            "s" if stepped else "i" if idle else "b",
            self._desired_check if stepped else "",
            self._measured,
            1.0 if idle else self.scaling.value,
            self._configuration,
        )
        self._result, self._held, self._reset, self._measured = None, 0, "", ""
        self._moving = self._braked = False
        return text, result

    def _ran(self, result: FilterResult, measured: Sequence[float] | None) -> FilterResult:
        self._measured = "" if measured is None else self._check(measured)
        self._result = result
        return result
