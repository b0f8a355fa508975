"""What turns a command into joint efforts inside a real arm: its joint controllers.

| mode | command | motor effort of a joint |
|---|---|---|
| `position` | q_cmd, rad | kp (q_cmd - q) - kd v |
| `velocity` | v_cmd, rad/s | kp_v (v_cmd - v) + ki_v * integral of (v_cmd - v) |
| `effort` | tau_cmd, N m | tau_cmd |

With gravity compensation the effort that gravity asks of the nominal arm at q is added. The sum is
clipped to the effort limits. Between two commands the last one holds (`zoh`), or the controller
goes on a straight line from one to the next and so is one command period late (`linear`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.robots.arrays import Array, frozen_array

MODES = ("position", "velocity", "effort")
HOLDS = ("zoh", "linear")
GAINS = {"position": ("kp", "kd"), "velocity": ("kp_v", "ki_v"), "effort": ()}
"""The gains of each mode, each (n,); the names of parameters are `kp/JOINT` and so on."""
GAIN_UNITS = {"kp": "N m/rad", "kd": "N m s/rad", "kp_v": "N m s/rad", "ki_v": "N m/rad"}


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmController:
    """The joint controllers of an arm of n joints.

    Attributes:
        mode: what the commands are.
        gains: (n,) by name, those of the mode.
        gravity_compensation: whether the nominal arm's gravity effort is added.
        hold: what is done between two commands.
    """

    mode: str
    gains: dict[str, Array]
    gravity_compensation: bool
    hold: str = "zoh"

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        frozen = {name: frozen_array(values) for name, values in self.gains.items()}
        object.__setattr__(self, "gains", frozen)
