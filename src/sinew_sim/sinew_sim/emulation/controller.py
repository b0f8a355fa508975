"""A ros2_control controller as commands see it: active or not, in an order of its own."""

from __future__ import annotations

from collections.abc import Sequence


class EmulatedController:
    """Takes values in its own order while it is active.

    A forward controller of ros2_controllers whose command has the wrong length fails in its update,
    and the controller manager deactivates it; a stopper such as Universal Robots' deactivates it
    and activates it again later. An inactive controller hears commands and does nothing. None of
    them has a timeout: the last command stands until the next (ros2_controllers#95).

    Attributes:
        active: whether commands reach the arm.
        reason: why not, else ''.
        ignored: commands that came while it was inactive.
    """

    def __init__(self, order: Sequence[int], *, deactivates: bool) -> None:
        """Take `order[k]`, the robot's joint of the k-th value.

        With `deactivates` a command of wrong length deactivates it.
        """
        self.active = True
        self.reason = ""
        self.ignored = 0
        n = len(order)
        self._place = [0] * n
        for k, joint in enumerate(order):
            self._place[joint] = k
        self._deactivates = deactivates

    def take(self, values: Sequence[float]) -> list[float] | None:
        """Return the values (n,) in the robot's order, None where they do not reach the arm."""
        if not self.active:
            self.ignored += 1
            return None
        if len(values) != len(self._place):
            if self._deactivates:
                self.deactivate(f"a command of {len(values)} values for {len(self._place)} joints")
            return None
        return [values[k] for k in self._place]

    def deactivate(self, reason: str) -> None:
        """Let no command through from now on; the first reason stays."""
        if self.active:
            self.active, self.reason = False, reason

    def activate(self) -> None:
        """Let commands through again, from the next on."""
        self.active, self.reason = True, ""
