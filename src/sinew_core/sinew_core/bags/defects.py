"""The kinds of defects that a bag can have and still be read, and how they are collected."""

from __future__ import annotations

from sinew_core.bags.recording import Defect

REMEDIES = {
    "lost_messages": "the bag is cut off: recover it with ./sinew bag recover, or record again",
    "unfinished": "its last file is not read: complete it with ./sinew bag recover",
    "no_position": "messages without one position per name are left out: publish positions",
    "stamp_zero": "a clock starts before it is set: start recording later",
    "stamp_backward": "stamps that go back are left out: one publisher, one clock",
    "stamp_repeated": "states stamped twice are left out: record one publisher",
    "gap": "motion is used between gaps only: record on a faster disk, or reliably",
    "nan_position": "left out: look after the sensor or driver",
    "position_spike": "left out: look after the sensor, or for a second publisher",
    "partial_messages": "joints come in several messages and are interpolated to one time",
    "no_velocity": "velocities are not used: they are taken from the positions",
    "nan_velocity": "left out: look after the driver",
    "velocity_units": "velocities are not used: publish rad/s",
    "no_effort": "efforts are not used: publish N m, if the arm measures them",
    "nan_effort": "left out: look after the driver",
    "effort_units": "efforts are not used: publish N m at the joint (not currents or percent)",
    "effort_sign": "efforts are not used: they are not those of this arm as its URDF stands",
    "no_commands": "record the topic of the controller's commands, or name it: command_topic:=",
    "command_malformed": "left out: commands have one finite value per joint",
    "command_points": "the first point of each trajectory is used: send one point at a time",
    "command_log_time": "commands carry no stamp: record on the computer of the controller",
    "command_order": "brought to the robot's order",
    "command_clock": "stamps and log times are of different clocks, and were fitted",
    "command_answered": "stamps run at another rate than log time: the stamps answered are used",
    "command_warped": "stamps run at another rate than log time: record in real time",
    "description_repeated": "several robot descriptions differ: the last counts",
}
"""What to do about each kind, or what was done."""


class Findings:
    """Collects the defects of a bag in the order found."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: list[Defect] = []

    def add(self, kind: str, topic: str, count: int, first_ns: int, text: str) -> None:
        """Note a defect that occurred `count` times, first at log time `first_ns`."""
        assert kind in REMEDIES, kind
        line = f"{topic}: {text} ({REMEDIES[kind]})"
        self._found.append(
            Defect(kind=kind, topic=topic, count=int(count), first_ns=int(first_ns), text=line)
        )

    def all(self) -> tuple[Defect, ...]:
        """Return what was found."""
        return tuple(self._found)
