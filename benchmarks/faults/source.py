"""A source of constant velocity commands, to be killed, stopped and paused."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from sinew_core.parameters import parameter
from sinew_core.rates import Rates, is_tick
from sinew_ros.main import SinewNode, run_node
from sinew_ros.messages import CommandMessage
from sinew_ros.parameters import declare_from
from sinew_ros.qos import RELIABLE, state_subscription
from sinew_ros.stamps import period_ns, stamp_ns


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceParameters(Rates):
    """What to send, and when."""

    velocity_rad_s: tuple[float, ...] = parameter((), "What is commanded", unit="rad/s")
    lockstep: bool = parameter(False, "Answer the states of control ticks by their stamps")


class Source(SinewNode):
    """Answer joint states at the control rate, always with the same velocities."""

    def __init__(self) -> None:
        """Open the topics."""
        super().__init__("source")
        self._p = p = declare_from(self, SourceParameters)
        self._control_ns = period_ns(p.control_rate_hz)
        self._states_per_command = p.state_rate_hz // p.control_rate_hz
        self._seen = 0
        self._message: CommandMessage | None = None
        self._commands = self.create_publisher(JointTrajectory, "policy/command", RELIABLE)
        qos = state_subscription(lockstep=p.lockstep)
        self.create_subscription(JointState, "joint_states", self._answer, qos)

    def _answer(self, state: JointState) -> None:
        stamp = stamp_ns(state.header.stamp)
        self._seen += 1
        due = (
            is_tick(stamp, self._control_ns)
            if self._p.lockstep
            else self._seen % self._states_per_command == 0
        )
        if due:
            if self._message is None:
                self._message = CommandMessage(
                    state.name, "joint_velocity", "source", self._p.control_period_s
                )
            self._commands.publish(self._message.fill(stamp, self._p.velocity_rad_s))


def main(args: Sequence[str] | None = None) -> int:
    """Run the source."""
    return run_node(Source, args)


if __name__ == "__main__":
    sys.exit(main())
