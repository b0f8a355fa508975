"""The arm that a bag was recorded from: by its own description, unless another one is given."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from sinew_core.bags.recording import Recording
from sinew_core.errors import RobotError
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.described_by import description_of, difference
from sinew_core.robots.model import RobotModel


def described_robot(
    name: str,
    urdf: str,
    read: Callable[[RobotModel], Recording],
    say: Callable[[str], None] = lambda _: None,
) -> tuple[RobotModel, Recording]:
    """Return the robot with the URDF given, else the bag's, else its own, and its recording.

    Args:
        name: as for `load_robot`.
        urdf: path of a URDF; empty: that of the bag.
        read: reads the recording of a robot, whose limits and weight tell wrong units.
        say: told where the bag's description is another arm than the robot's own.

    Raises:
        RobotError: when the bag's description cannot be used.
        BagError: when the bag cannot be read.
    """
    robot = load_robot(name, urdf=urdf)
    recording = read(robot)
    text = recording.robot_description
    if urdf or not text.strip() or text.strip() == robot.urdf_text.strip():
        return robot, recording
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "robot_description.urdf"
        path.write_text(text, encoding="utf-8")
        try:
            own = load_robot(name, urdf=str(path))
        except RobotError as error:
            told = str(error).replace(str(path), f"robot_description in {recording.source}")
            raise RobotError(f"{told}; or give a URDF that fits, urdf:=FILE") from None
    other = difference(description_of(own), description_of(robot), payload=False)
    if other:
        say(
            f"the arm is that of robot_description in {recording.source}, which is not the one "
            f"that robot:={name} has by itself: {other}"
        )
    return own, read(own)
