"""Replay a recorded run of the safety filter: make every output again and compare it, bit for bit.

Free of ROS. Joint states, commands and outputs are given in the order in which they were recorded.
An output may have been recorded before what it answers, and waits for it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sinew_core.errors import ReplayError
from sinew_core.safety.filter import Cause, FilterResult
from sinew_core.safety.record import CycleRecord, Filter, values_check
from sinew_core.safety.scaling import SpeedScaling

WAIT_NS = 1_000_000_000
"""How much later than an output its joint state or command may have been recorded."""
_REMEMBERED = 8192

Values = tuple[float, ...]
MakeFilter = Callable[[str], tuple[Filter, SpeedScaling]]
"""Makes the filter and the scaling of the configuration with this check."""


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


class Replayer:
    """Feed a recording through the filter again.

    Attributes:
        reproduced: outputs made again and found equal.
        repeated: outputs that repeat the one before.
        unchecked: outputs that the filter's state is not known for: the recording began later
            than the arming, or lacks outputs.
        missing: outputs that the recording lacks between the first and the last.
        interventions: reproduced outputs in which something was changed.
        totals: cycles by joint and cause.
        began_ns: when the recording began; errors count from here.
    """

    def __init__(self, joint_names: Sequence[str], make_filter: MakeFilter) -> None:
        """Begin; `make_filter` raises a `ConfigError` for a configuration that is not known."""
        self.reproduced = self.repeated = self.unchecked = self.missing = self.interventions = 0
        self.totals: Counter[tuple[str, Cause]] = Counter()
        self.began_ns = 0
        self._names = tuple(joint_names)
        self._make_filter = make_filter
        self._check = values_check(len(self._names))
        self._zeros = (0.0,) * len(self._names)
        self._states: OrderedDict[tuple[int, str], Values] = OrderedDict()
        self._commands: OrderedDict[tuple[int, str], Values] = OrderedDict()
        self._waiting: list[Output] = []
        self._last: Output | None = None
        self._known = False
        self._filter: Filter | None = None
        self._scaling: SpeedScaling | None = None
        self._asked: Sequence[float] = ()

    def state(self, stamp_ns: int, position: Sequence[float]) -> None:
        """Take a joint state: (n,) rad in joint order."""
        self._remember(self._states, stamp_ns, position)

    def command(self, stamp_ns: int, values: Sequence[float]) -> None:
        """Take a command: (n,) in joint order."""
        self._remember(self._commands, stamp_ns, values)

    def output(self, output: Output) -> None:
        """Take an output; `advance` checks it."""
        self._waiting.append(output)

    def advance(self, time_ns: int | None) -> Iterator[Intervention]:
        """Check the outputs for which all is there, at this time of the recording; None: its end.

        Raises:
            ReplayError: at the first output that cannot be made again, with its place.
            ConfigError: for a configuration that is not known.
        """
        done = 0
        try:
            for output in self._waiting:
                late = time_ns is None or time_ns - output.time_ns > WAIT_NS
                if not late and self._lacks(output):
                    return
                done += 1
                yield from self._replay(output)
        finally:
            del self._waiting[:done]

    def _remember(
        self, kept: OrderedDict[tuple[int, str], Values], stamp: int, values: Sequence[float]
    ) -> None:
        kept[stamp, self._check(values)] = tuple(values)
        if len(kept) > _REMEMBERED:
            kept.popitem(last=False)

    def _replay(self, output: Output) -> Iterator[Intervention]:
        record, last = output.record, self._last
        if last is not None and record.number == last.record.number:
            self._compare(output, last.values)
            self.repeated += 1
            return
        self._follow(output)
        self._last = output
        if record.kind == "i":
            self._compare(output, self._zeros)
            self.reproduced += 1
            return
        if not self._known and not record.reset:
            self.unchecked += 1
            return
        result = self._run(output, last.values if last is not None else self._zeros)
        self._compare(output, result.command)
        self.reproduced += 1
        if result.intervened:
            self.interventions += 1
            yield from self._changes(output, result)

    def _follow(self, output: Output) -> None:
        """Notice a new node, and outputs that the recording lacks."""
        record, last = output.record, self._last
        if last is None or record.configuration != last.record.configuration:
            self._filter, self._scaling = self._make_filter(record.configuration)
            self._known = False
        if last is None:
            return
        before = last.record.number if record.number > last.record.number else 0
        lost = record.number - before - 1
        self.missing += lost
        if lost or not before:
            self._known = False

    def _run(self, output: Output, previous: Values) -> FilterResult:
        """Let the filter do what the record says."""
        assert self._filter is not None
        assert self._scaling is not None
        record = output.record
        if record.held and self._known:
            self._filter.hold(record.held)
        if record.reset:
            position = self._find_position(output, record.reset, previous)
            if record.moving:
                self._filter.reset(position, previous)
            else:
                self._filter.reset(position)
            self._asked, self._known = (), True
        measured = (
            self._find_position(output, record.measured, previous) if record.measured else None
        )
        self._scaling.value = record.scale
        if record.kind == "b":
            result = self._filter.brake(measured)
            self._asked = self._asked or result.command
            return result
        self._asked = self._scaling.apply(self._find_desired(output, previous), self._filter)
        return self._filter.step(self._asked, measured)

    def _changes(self, output: Output, result: FilterResult) -> Iterator[Intervention]:
        for name, asked, sent, cause in zip(
            self._names, self._asked, result.command, result.causes, strict=True
        ):
            if cause is not Cause.NONE:
                self.totals[name, cause] += 1
                yield Intervention(output.time_ns, name, asked, sent, cause)

    def _lacks(self, output: Output) -> bool:
        """Tell whether the recording may still bring what an output was made of."""
        record, last = output.record, self._last
        previous = last.values if last is not None else self._zeros
        positions = (check for check in (record.reset, record.measured) if check)
        return any(self._position(output, c, previous) is None for c in positions) or (
            bool(record.desired) and self._desired(output, previous) is None
        )

    def _position(self, output: Output, check: str, previous: Values) -> Values | None:
        if self._check(previous) == check:
            return previous
        return self._states.get((output.state_ns, check))

    def _desired(self, output: Output, previous: Values) -> Values | None:
        check = output.record.desired
        found = self._commands.get((output.command_ns, check))
        if found is None:
            idle = (self._zeros, previous)
            found = next((values for values in idle if self._check(values) == check), None)
        return found

    def _find_position(self, output: Output, check: str, previous: Values) -> Values:
        found = self._position(output, check, previous)
        if found is None:
            raise ReplayError(
                f"{self._place(output)}: no joint state of stamp {output.state_ns} in the bag has "
                "the positions that the filter had: it is missing, or it was changed"
            )
        return found

    def _find_desired(self, output: Output, previous: Values) -> Values:
        found = self._desired(output, previous)
        if found is None:
            raise ReplayError(
                f"{self._place(output)}: no command of stamp {output.command_ns} in the bag has "
                "the values that the filter had: it is missing, or it was changed"
            )
        return found

    def _compare(self, output: Output, expected: Values) -> None:
        if self._check(output.values) == self._check(expected):
            return
        for name, found, made in zip(self._names, output.values, expected, strict=True):
            if found.hex() != made.hex():
                raise ReplayError(
                    f"{self._place(output)}: {name} was sent {found!r}, the replay gives {made!r}"
                )

    def _place(self, output: Output) -> str:
        seconds = (output.time_ns - self.began_ns) / 1e9
        return f"output {output.record.number}, {seconds:.3f} s into the recording"
