"""An emulated arm: the simulated one behind a controller that stops, and a guard that stops it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sinew_sim.arm import SimulatedArm
from sinew_sim.emulation.controller import EmulatedController
from sinew_sim.emulation.guards import Guard


class EmulatedArm:
    """Lets commands through to the simulated arm as the real one's computers do.

    An arm whose controller is not active brakes and rests, whatever is sent.

    Attributes:
        controller: active or not.
        closed: whether the guard has closed the connection, so that joint states end.
    """

    def __init__(
        self,
        arm: SimulatedArm,
        controller: EmulatedController,
        guard: Guard | None,
        *,
        follows: bool = True,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the parts; `forget` drops a motion under way, such as a trajectory's."""
        self.controller = controller
        self.closed = False
        self._arm, self._guard = arm, guard
        self._follows, self._forget = follows, forget
        self._came = 0
        self._passed = arm.command.copy()
        if guard is not None:
            guard.rest(arm.command)

    def accept(self, values: Sequence[float]) -> bool:
        """Take a command in the controller's order; return False for one that is refused.

        One that an inactive controller hears is not refused: it has no effect.
        """
        if not self.controller.active:
            self.controller.take(values)
            return True
        ordered = self.controller.take(values)
        if ordered is None:
            return False
        self._came += 1
        return self._arm.accept(ordered) if self._follows else True

    def hears(self) -> bool:
        """Tell whether a trajectory that has come is to be taken; count it where not."""
        if not self.controller.active:
            self.controller.ignored += 1
        return self.controller.active and self._follows

    def stepping(self, step: Callable[[], None]) -> Callable[[], None]:
        """Return what advances the arm by one period, `step` where nothing stops it."""

        def advance() -> None:
            self._judge()
            if self.controller.active and self._follows:
                step()
            else:
                self._arm.brake()

        return advance

    def deactivate(self, reason: str) -> None:
        """Stop the controller, and with it the arm."""
        self.controller.deactivate(reason)
        self._forget()

    def activate(self) -> str:
        """Start the controller again, which waits for the next command; return '' or why not."""
        if self.closed:
            return "the connection is closed: ~/reset opens it"
        self.controller.activate()
        self._rest()
        return ""

    def reset(self) -> None:
        """Begin anew after the arm was placed, with connection and controller as at the start."""
        self.closed = False
        self.controller.activate()
        self._rest()

    def _judge(self) -> None:
        if self._guard is None or not self.controller.active:
            return
        command = self._arm.command
        violation = self._guard.violation(command, self._came)
        self._came = 0
        if violation:
            command[:] = self._passed  # what is refused never reaches the drives
            self.closed = self._guard.closes
            self.deactivate(violation)
        else:
            self._passed[:] = command

    def _rest(self) -> None:
        self._forget()
        self._came = 0
        self._arm.stand()
        self._passed[:] = self._arm.command
        if self._guard is not None:
            self._guard.rest(self._arm.command)
