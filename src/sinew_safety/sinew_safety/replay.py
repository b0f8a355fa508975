"""Replay a recorded bag through the safety filter, and say what the filter changed and why."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from rclpy.serialization import deserialize_message
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from sinew_core.bags.bag import COMMAND, CONFIGURATION, STATE, Bag, Recorded
from sinew_core.errors import BagError, ConfigError, ReplayError, SinewError
from sinew_core.robots.model import RobotModel
from sinew_core.safety.command_mode import CommandMode
from sinew_core.safety.filter import Cause
from sinew_core.safety.record import text_check
from sinew_core.safety.recording import Intervention
from sinew_core.safety.replay import Replayer
from sinew_core.safety.scaling import SpeedScaling
from sinew_ros.main import SinewNode, run_node
from sinew_ros.messages import JointStateMapper, point_values
from sinew_ros.parameters import declare_from
from sinew_ros.stamps import NS_PER_S, stamp_ns
from sinew_safety.configuration import FilterConfiguration
from sinew_safety.parameters import ReplayParameters
from sinew_safety.recorded_outputs import OutputReader

M = TypeVar("M")
_SLICE_S = 0.02
_ROW = "{:>10} {:<24} {:>12} {:>12} {:>12}  {}\n"


class Replay(SinewNode):
    """Read the bag between signals; end with status 0 if every output was made again."""

    def __init__(self) -> None:
        """Open the bag and find its topics and configuration."""
        super().__init__("replay")
        self._p = p = declare_from(self, ReplayParameters)
        self._bag = Bag(p.bag)
        self._configurations = self._read_configurations()
        first = next(iter(self._configurations.values()))
        robot, self._mode = self._load_robot(first), first.node.mode
        self._outputs = OutputReader(first, self._configuration)
        output = p.output_topic or first.outputs_topic.replace("~", p.node)
        self._topics = {
            self._topic(p.state_topic): STATE,
            self._topic(p.command_topic): COMMAND,
            self._topic(output): self._outputs.kind,
        }
        for topic, kind in self._topics.items():
            if kind != COMMAND:  # a run without any command is one, too
                given = "state" if kind == STATE else "output"
                self._bag.require(kind, topic, f"give namespace:= or {given}_topic:=")
        self._mapper = JointStateMapper(first.prefixed(robot))
        self._replayer = Replayer(robot.joint_names, self._make_mode)
        self._rows = 0
        self._work = self._run()
        self.cycle_period_s = 1e-3

    def cycle(self, missed: int) -> None:
        """Work on for a moment."""
        deadline = time.monotonic() + _SLICE_S
        for _ in self._work:
            if time.monotonic() > deadline:
                return
        self.finish(self._conclude())

    def on_stop(self) -> None:
        """Close the bag."""
        self._bag.close()

    def _topic(self, name: str) -> str:
        if name.startswith("/"):
            return name
        return "/" + "/".join(part for part in (self._p.namespace.strip("/"), name) if part)

    def _read_configurations(self) -> dict[str, FilterConfiguration]:
        """Return the recorded configurations by their checks; the one given stands for all."""
        if self._p.config:
            try:
                text = Path(self._p.config).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"config '{self._p.config}' cannot be read: {error}") from None
            return {"": FilterConfiguration.from_yaml(text, self._p.config)}
        topic = self._topic(f"{self._p.node}/configuration")
        self._bag.require(
            CONFIGURATION, topic, "give namespace:= or node:=, or the parameter file as config:="
        )
        found = self._bag.messages({topic: CONFIGURATION})
        texts = [self._decode(message, String).data for message in found]
        return {text_check(text): FilterConfiguration.from_yaml(text, topic) for text in texts}

    def _load_robot(self, configuration: FilterConfiguration) -> RobotModel:
        return configuration.load_robot(robot=self._p.robot, urdf=self._p.urdf)

    def _configuration(self, check: str) -> FilterConfiguration:
        configuration = self._configurations.get("") or self._configurations.get(check)
        if configuration is None:
            raise ConfigError(
                f"the bag has outputs of a configuration ({check}) that it does not hold: "
                "give the parameter file of that node as config:="
            )
        if configuration.node.mode != self._mode:
            raise ConfigError(
                f"the bag has outputs in {self._mode} and in {configuration.node.mode}: "
                "record each mode in a bag of its own"
            )
        return configuration

    def _make_mode(self, check: str) -> tuple[CommandMode, SpeedScaling]:
        configuration = self._configuration(check)
        return configuration.make_mode(self._load_robot(configuration))

    def _run(self) -> Iterator[None]:
        """Take the messages in turn; a step is one message."""
        sys.stdout.write(_ROW.format("time s", "joint", "asked", "sent", "change", "cause"))
        for message in self._bag.messages(self._topics):
            self._replayer.began_ns = self._replayer.began_ns or message.time_ns
            self._take(message)
            self._show(message.time_ns)
            yield
        self._show(None)

    def _show(self, time_ns: int | None) -> None:
        try:
            for change in self._replayer.advance(time_ns):
                self._print(change)
        except SinewError as error:
            if not self._mapper.complete:
                raise BagError(
                    f"joint states in the bag lack {', '.join(self._mapper.missing)}: "
                    "give robot:=, or state_topic:= of that robot"
                ) from None
            raise error

    def _take(self, message: Recorded) -> None:
        if message.kind == STATE:
            mapper = self._mapper
            used = mapper.update_raw(message.data)
            if mapper.damaged:
                raise self._bag.damaged(message, ValueError("not a joint state"))
            if used and mapper.complete:
                self._replayer.state(min(mapper.updated_ns), mapper.position, mapper.velocity)
        elif message.kind == COMMAND:
            self._take_command(self._decode(message, JointTrajectory))
        else:
            outputs, names = self._outputs, self._mapper.joint_names
            decoded: object = self._decode(message, outputs.message_type)
            self._replayer.output(outputs.read(message.time_ns, decoded, names))

    def _decode(self, message: Recorded, kind: type[M]) -> M:
        def decode(data: bytes) -> M:
            decoded: M = deserialize_message(data, kind)
            return decoded

        return self._bag.decode(message, decode)

    def _take_command(self, message: JointTrajectory) -> None:
        """Take a command; what the filter rejected as malformed is left out."""
        names = self._mapper.joint_names
        points = point_values(message, self._mode)
        if len(points) != 1 or len(points[0]) != len(names):
            return
        if sorted(message.joint_names) != sorted(names):
            return
        values = dict(zip(message.joint_names, points[0], strict=True))
        self._replayer.command(stamp_ns(message.header.stamp), [values[name] for name in names])

    def _print(self, change: Intervention) -> None:
        self._rows += 1
        if self._rows > self._p.rows:
            return
        sys.stdout.write(
            _ROW.format(
                f"{(change.time_ns - self._replayer.began_ns) / NS_PER_S:.3f}",
                change.joint,
                f"{change.asked:.6f}",
                f"{change.sent:.6f}",
                f"{change.sent - change.asked:+.6f}",
                change.cause.name.lower(),
            )
        )

    def _conclude(self) -> int:
        """Print the totals; return the exit status."""
        replayer = self._replayer
        if self._rows > self._p.rows:
            sys.stdout.write(f"and {self._rows - self._p.rows} more: rows:=N shows more\n")
        sys.stdout.write(_totals(replayer.totals))
        if not replayer.reproduced:
            raise BagError("no output could be checked: begin to record before the filter is armed")
        if replayer.unchecked:
            sys.stdout.write(
                f"{replayer.unchecked} outputs could not be checked: they come before the first "
                "arming in the bag, or after outputs that it lacks\n"
            )
        sys.stdout.write(
            f"{replayer.reproduced} outputs, {replayer.interventions} interventions, "
            "all reproduced exactly\n"
        )
        if replayer.missing:
            raise ReplayError(
                f"{replayer.missing} outputs are missing in the bag: record with a deeper queue"
            )
        return 0


def _totals(totals: Mapping[tuple[str, Cause], int]) -> str:
    """Return the table of changed cycles by joint and cause."""
    causes = [cause for cause in Cause if any(cause is c for _, c in totals)]
    row = "{:<24}" + " {:>12}" * len(causes) + "\n"
    lines = [row.format("cycles", *(cause.name.lower() for cause in causes))] if causes else []
    for joint in dict.fromkeys(joint for joint, _ in totals):
        lines.append(row.format(joint, *(totals.get((joint, cause), 0) for cause in causes)))
    return "".join(lines)


def main(args: Sequence[str] | None = None) -> int:
    """Replay a bag."""
    return run_node(Replay, args)


if __name__ == "__main__":
    sys.exit(main())
