"""Replay a recorded run of the safety filter: make every output again and compare it, bit for bit.

Free of ROS. Joint states, commands and outputs are given in the order in which they were recorded.
An output may have been recorded before what it answers, and waits for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from sinew_core.errors import ReplayError
from sinew_core.safety.command_mode import CommandMode, Values
from sinew_core.safety.filter import Cause, FilterResult
from sinew_core.safety.record import values_check
from sinew_core.safety.recording import Inputs, Intervention, Output, State
from sinew_core.safety.scaling import SpeedScaling

WAIT_NS = 1_000_000_000
"""How much later than an output its joint state or command may have been recorded."""

MakeMode = Callable[[str], tuple[CommandMode, SpeedScaling]]
"""Makes the mode and the scaling of the configuration with this check."""


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

    def __init__(self, joint_names: Sequence[str], make_mode: MakeMode) -> None:
        """Begin; `make_mode` raises a `ConfigError` for a configuration that is not known."""
        self.reproduced = self.repeated = self.unchecked = self.missing = self.interventions = 0
        self.totals: Counter[tuple[str, Cause]] = Counter()
        self.began_ns = 0
        self._names = tuple(joint_names)
        self._make_mode = make_mode
        self._check = values_check(len(self._names))
        self._inputs = Inputs(len(self._names))
        self._waiting: list[Output] = []
        self._last: Output | None = None
        # What the mode is known to be: as in the run; as far as a hold of its last output asks;
        # and whether it was started, which commands and braking ask for.
        self._known = self._output_known = self._started = False
        # Whether a hold that goes after an arm is known to have set out where the replay has it.
        self._stood = False
        self._mode: CommandMode | None = None
        self._scaling: SpeedScaling | None = None
        self._asked: Sequence[float] = ()

    def state(self, stamp_ns: int, position: Sequence[float], velocity: Sequence[float]) -> None:
        """Take a joint state: (n,) rad, rad/s in joint order."""
        self._inputs.state(stamp_ns, position, velocity)

    def command(self, stamp_ns: int, values: Sequence[float]) -> None:
        """Take a command: (n,) in joint order."""
        self._inputs.command(stamp_ns, values)

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
                if not late and self._inputs.lacks(output):
                    return
                done += 1
                yield from self._replay(output)
        finally:
            del self._waiting[:done]

    def _replay(self, output: Output) -> Iterator[Intervention]:
        record, last = output.record, self._last
        if last is not None and record.number == last.record.number:
            self._compare(output, last.values)
            self.repeated += 1
            return
        mode, scaling = self._follow(output)
        self._last = output
        known = self._can_check(output, mode)
        self._stood = self._stood or not record.measured
        if not known:
            self.unchecked += 1
            return
        self._prepare(output, mode)
        result = None
        if record.kind == "i":
            self._compare(output, self._hold(output, mode))
        else:
            result = self._run(output, mode, scaling)
            self._compare(output, result.command)
        self.reproduced += 1
        if result is not None and result.intervened:
            self.interventions += 1
            yield from self._changes(output, result, mode.answer or ())

    def _follow(self, output: Output) -> tuple[CommandMode, SpeedScaling]:
        """Return the mode and scaling, anew for a new node; notice outputs that are lacking."""
        record, last = output.record, self._last
        number = last.record.number if last is not None else 0
        again = record.number <= number
        if last is not None:
            self.missing += record.number - 1 - (0 if again else number)
        other = last is None or record.configuration != last.record.configuration
        if other or again or self._mode is None or self._scaling is None:
            self._mode, self._scaling = self._make_mode(record.configuration)
            self._known = self._output_known = record.number == 1
            self._started = self._stood = False
        elif record.number != number + 1:
            self._mode.forget()
            self._known = self._output_known = self._started = self._stood = False
        elif not self._known and last is not None:
            self._mode.output, self._output_known = last.values, True
        return self._mode, self._scaling

    def _can_check(self, output: Output, mode: CommandMode) -> bool:
        """Tell whether all that the output was made of is known, but for what was recorded."""
        record = output.record
        if record.start:
            return self._output_known or record.forgot or mode.hold_needs == "nothing"
        if record.kind != "i":
            return self._started
        if mode.hold_needs == "nothing" or self._started:
            return True
        at_output = self._output_known and (self._stood or not record.measured)
        known = self._known or (at_output and mode.hold_needs == "output")
        if known and (not record.measured or self._inputs.find_state(output, record.measured)):
            return True
        # A recording that begins with the outputs may lack the states that came just before it.
        self._known = self._output_known = False
        return False

    def _prepare(self, output: Output, mode: CommandMode) -> None:
        """Let the mode go through what came before the output."""
        record = output.record
        if record.held and self._started:
            mode.skip(record.held)
        if record.forgot:
            mode.forget()
        if record.start:
            mode.start(*self._find_state(output, record.start))
            self._asked = ()
            self._known = self._output_known = self._started = True

    def _hold(self, output: Output, mode: CommandMode) -> Values:
        """Let the mode hold; where it holds by nothing, not even states are needed."""
        position, velocity = None, output.values
        if mode.hold_needs != "nothing":
            position, velocity = self._measured(output)
        held = mode.hold(position, velocity)
        if held is None:
            raise ReplayError(f"{self._place(output)}: the filter could not know what to hold")
        return held

    def _run(self, output: Output, mode: CommandMode, scaling: SpeedScaling) -> FilterResult:
        """Let the mode step or brake as the record says."""
        record = output.record
        position, velocity = self._measured(output)
        scaling.value = record.scale
        if record.kind == "b":
            result = mode.brake(position, velocity)
            self._asked = self._asked or mode.answer or ()
            return result
        if not record.desired:
            self._asked = mode.idle or ()
            return mode.step(None, position, velocity)
        self._asked = scaling.apply(self._find_command(output), mode.output)
        return mode.step(self._asked, position, velocity)

    def _changes(
        self, output: Output, result: FilterResult, answer: Values
    ) -> Iterator[Intervention]:
        for name, asked, sent, cause in zip(
            self._names, self._asked, answer, result.causes, strict=True
        ):
            if cause is not Cause.NONE:
                self.totals[name, cause] += 1
                yield Intervention(output.time_ns, name, asked, sent, cause)

    def _measured(self, output: Output) -> tuple[Values | None, Values]:
        """Return position and velocity, None and any values where none were measured."""
        check = output.record.measured
        return self._find_state(output, check) if check else (None, output.values)

    def _find_state(self, output: Output, check: str) -> State:
        found = self._inputs.find_state(output, check)
        if found is None:
            raise ReplayError(
                f"{self._place(output)}: no joint state of stamp {output.state_ns} in the bag has "
                "the values that the filter had: it is missing, or it was changed"
            )
        return found

    def _find_command(self, output: Output) -> Values:
        found = self._inputs.find_command(output)
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
