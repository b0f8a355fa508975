"""Watch the gap between the identified and the real arm while it works, and warn when it opens.

A quiet bystander: it commands nothing, runs in a process of its own below all others' priority,
and decodes only as many joint states as it keeps.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from sinew_core.errors import ConfigError
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.sim_params import read_sim_params
from sinew_core.simulation.rollout import Plant
from sinew_core.sysid.monitor import GapMonitor
from sinew_core.sysid.residual_band import BAND_FILE, read_band
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.messages import JointStateMapper, commands_topic, label_stamp
from sinew_ros.parameters import declare_from
from sinew_ros.qos import RELIABLE, STATE_SUBSCRIPTION
from sinew_ros.raw import read_controller_command, read_stamp
from sinew_ros.stamps import NS_PER_S
from sinew_sysid.gap_monitor_parameters import GapMonitorParameters

_NICENESS = 10
_SAME_CLOCK_NS = 5 * NS_PER_S
"""States whose stamps are within this of their arrival are stamped by the wall clock."""


class GapMonitorNode(SinewNode):
    """Predict the last moment again and again; tell in the diagnostics what was missed."""

    def __init__(self) -> None:
        """Load the identified arm and its band, and listen."""
        super().__init__("gap_monitor")
        self._p = p = declare_from(self, GapMonitorParameters)
        with contextlib.suppress(OSError):
            os.nice(_NICENESS)
        robot = load_robot(p.robot, urdf=p.urdf)
        path = Path(p.sim_params)
        params = read_sim_params(path, robot)
        band = Path(p.residual_band) if p.residual_band else path.parent / BAND_FILE
        self._band = read_band(band, robot)
        mode = p.mode or (params.controller.mode if params.controller is not None else "")
        if not mode:
            raise ConfigError(
                f"{path} has no controller: give what the commands are, "
                "mode:=position, velocity or effort"
            )
        self._monitor = GapMonitor(
            Plant(robot, p.physics_rate_hz),
            params, self._band, mode, robot.limits, p, p.command_rate_hz,
        )  # fmt: skip
        self._monitor.compile(robot.home_rad)
        self._mapper = JointStateMapper([p.joint_prefix + name for name in robot.joint_names])
        self._zero_ns, self._whole, self._wall = 0, False, True
        self._reported = False
        self.create_subscription(
            JointState, "joint_states", self._state, STATE_SUBSCRIPTION, raw=True
        )
        topic = commands_topic(f"joint_{mode}", p.controller)
        self.create_subscription(Float64MultiArray, topic, self._command, RELIABLE, raw=True)
        self._diagnostics = Diagnostics(self, self._report)
        self.cycle_period_s = 1.0 / p.judge_rate_hz

    def cycle(self, missed: int) -> None:
        """Predict once."""
        self._monitor.judge()
        if self._monitor.warning != self._reported:
            self._reported = self._monitor.warning
            level = self.get_logger().warning if self._reported else self.get_logger().info
            level(self._message())
            self._diagnostics.changed()

    def _state(self, data: bytes, info: Mapping[str, int | None]) -> None:
        stamp = read_stamp(data)
        if stamp is None:
            return
        self._zero_ns = self._zero_ns or stamp
        time_s = (stamp - self._zero_ns) / NS_PER_S
        # States that name some of the joints only have to be put together, all of them.
        if self._whole and not self._monitor.wants(time_s):
            return
        mapper = self._mapper
        if not mapper.update_raw(data) or not mapper.complete:
            return
        self._whole = min(mapper.updated_ns) == stamp
        self._wall = abs(_arrival_ns(info) - stamp) < _SAME_CLOCK_NS
        self._monitor.state(time_s, mapper.position)

    def _command(self, data: bytes, info: Mapping[str, int | None]) -> None:
        """Take a command at the time when a recorder would have logged it.

        In simulated time that is the stamp of the state that it answers, where it tells.
        """
        label, values = read_controller_command(data)
        time_ns: int | None = _arrival_ns(info) if self._wall else label_stamp(label)
        if time_ns is None:
            time_ns = self._mapper.stamp_ns
        if self._zero_ns:
            self._monitor.command((time_ns - self._zero_ns) / NS_PER_S, values)

    def _message(self) -> str:
        monitor, last = self._monitor, self._monitor.last
        if last is None:
            return f"waiting for {monitor.waits_for}"
        worst = int(np.argmax(last.share))
        joint, share = self._mapper.joint_names[worst], last.share[worst]
        if monitor.warning:
            return (
                f"the arm is not as identified: {joint} misses its prediction by {share:.2g} times "
                "the limit; check payload, tool and friction, or identify it again"
            )
        return f"as identified: at most {share:.2g} of the limit ({joint})"

    def _report(self) -> Status:
        monitor, last = self._monitor, self._monitor.last
        values: dict[str, object] = {
            "robot": self._p.robot,
            "sim_params": self._p.sim_params,
            "horizon_s": self._band.horizon_s,
            "predictions": monitor.judged,
            "beyond the band": monitor.beyond,
            "restarts": monitor.restarts,
            "waiting for": monitor.waits_for or "nothing",
        }
        for i, joint in enumerate(self._mapper.joint_names if last is not None else ()):
            assert last is not None
            values[f"residual_mrad/{joint}"] = f"{1e3 * last.residual_rad[i]:.5g}"
            values[f"share_of_limit/{joint}"] = f"{last.share[i]:.4g}"
        return (Level.WARN if monitor.warning else Level.OK), self._message(), values


def _arrival_ns(info: Mapping[str, int | None]) -> int:
    """Return when a message came, by the wall clock."""
    return info.get("received_timestamp") or info.get("source_timestamp") or 0


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(GapMonitorNode, args)


if __name__ == "__main__":
    sys.exit(main())
