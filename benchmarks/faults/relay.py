"""A relay of joint states that begins to lie about them at SIGUSR1, and stops at the next one."""

from __future__ import annotations

import dataclasses
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from sensor_msgs.msg import JointState

from sinew_core.parameters import Parameters, parameter
from sinew_ros.main import SinewNode, run_node
from sinew_ros.parameters import declare_from
from sinew_ros.qos import RELIABLE
from sinew_ros.stamps import NS_PER_S, set_stamp, stamp_ns


@dataclasses.dataclass(frozen=True, kw_only=True)
class RelayParameters(Parameters):
    """How to lie."""

    freeze: bool = parameter(False, "Repeat the last values with stamps that go on")
    shift_s: float = parameter(0.0, "Added to the stamps", unit="s", minimum=-1e5, maximum=1e5)


class Relay(SinewNode):
    """Pass on `driver/joint_states` as `joint_states`."""

    urgent = True

    def __init__(self) -> None:
        """Open the topics."""
        super().__init__("relay")
        self._p = declare_from(self, RelayParameters)
        self._shift_ns = round(self._p.shift_s * NS_PER_S)
        self._lies = False
        self._frozen: JointState | None = None
        self._states = self.create_publisher(JointState, "joint_states", RELIABLE)
        self.create_subscription(JointState, "driver/joint_states", self._relay, RELIABLE)
        signal.signal(signal.SIGUSR1, self._toggle)

    def _toggle(self, _number: int, _frame: FrameType | None) -> None:
        self._lies = not self._lies

    def _relay(self, state: JointState) -> None:
        if not self._lies or self._frozen is None or not self._p.freeze:
            self._frozen = state
        stamp = stamp_ns(state.header.stamp) + (self._shift_ns if self._lies else 0)
        set_stamp(self._frozen.header.stamp, stamp)
        self._states.publish(self._frozen)


def main(args: Sequence[str] | None = None) -> int:
    """Run the relay."""
    return run_node(Relay, args)


if __name__ == "__main__":
    sys.exit(main())
