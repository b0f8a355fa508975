"""Whether a recording can be used to identify an arm, told before anything runs."""

from __future__ import annotations

import numpy as np

from sinew_core.bags.recording import Recording
from sinew_core.errors import IdentificationError
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.controller_file import KnownController
from sinew_core.sysid.noise import noise_sigma

SHORTEST_S = 2.0
FEWEST_SAMPLES = 60
LEAST_MOTION_RAD = 0.005
LEAST_MOTION_SIGMAS = 20.0
"""A motion is to exceed its noise by so much, peak to peak."""
NO_SCALE = (
    "no effort was measured and no gain of the controller is known, so positions tell only ratios"
)


def check_usable(recording: Recording, robot: RobotModel, known: KnownController | None) -> None:
    """Check that a recording is of a robot, under its controller, in motion, and long enough.

    Raises:
        IdentificationError: with what is wrong, and the remedy.
    """
    _check_joints(recording, robot)
    _check_length(recording)
    _check_commands(recording, known)
    _check_motion(recording)


def check_driven_alike(recording: Recording, held_out: Recording) -> None:
    """Check that motion to validate on was driven as that which is fitted.

    Under the measured efforts alone, which drift, an arm goes far off the way that it takes under
    its controllers: an error of the one says nothing of the other.

    Raises:
        IdentificationError: with what drove each, and the remedy.
    """
    modes = [each.commands.mode if each.commands else "" for each in (recording, held_out)]
    if modes[0] == modes[1]:
        return
    fitted, other = (_driven_by(each) for each in (recording, held_out))
    raise IdentificationError(
        f"held_out {held_out.source} has {other}, but {recording.source}, which is fitted, has "
        f"{fitted}: name the topic of the controller's commands in both with command_topic:=, or "
        "hold out a bag that was recorded alike"
    )


def _driven_by(recording: Recording) -> str:
    commands = recording.commands
    if commands is None:
        return "no commands that were found"
    return f"{commands.mode} commands on {commands.topic}"


def lacks_scale(recording: Recording, known: KnownController | None, *, use_effort: bool) -> bool:
    """Tell whether nothing has the scale of a force: see `NO_SCALE`.

    Args:
        recording: of an arm.
        known: of its controllers.
        use_effort: whether measured efforts are fitted.
    """
    if known is None or recording.commands is None or recording.commands.mode == "effort":
        return False
    gains = [values for values in known.gains.values() if values is not None]
    if known.gravity_compensation or any(np.isfinite(values).any() for values in gains):
        return False
    return recording.effort_nm is None or not use_effort


def still_joints(recording: Recording) -> tuple[str, ...]:
    """Return the joints that stay where they are, up to noise."""
    spans = np.ptp(recording.position_rad, axis=0)
    noise = noise_sigma(recording.time_s, recording.position_rad)
    least = np.maximum(LEAST_MOTION_RAD, LEAST_MOTION_SIGMAS * noise)
    pairs = zip(recording.joint_names, (spans < least).tolist(), strict=True)
    return tuple(name for name, still in pairs if still)


def _check_joints(recording: Recording, robot: RobotModel) -> None:
    if recording.joint_names != robot.joint_names:
        raise IdentificationError(
            f"{recording.source} is of the joints {', '.join(recording.joint_names)}, but robot "
            f"'{robot.name}' has {', '.join(robot.joint_names)}: give the robot that was recorded"
        )


def _check_length(recording: Recording) -> None:
    count = recording.time_s.size
    duration_s = float(recording.time_s[-1] - recording.time_s[0]) if count else 0.0
    if duration_s < SHORTEST_S or count < FEWEST_SAMPLES:
        raise IdentificationError(
            f"{recording.source} has {count} joint states in {duration_s:.3g} s: at least "
            f"{FEWEST_SAMPLES} in {SHORTEST_S:g} s are needed: record a minute of motion"
        )


def _check_commands(recording: Recording, known: KnownController | None) -> None:
    commands = recording.commands
    if commands is None or not commands.time_s.size:
        if recording.effort_nm is None:
            raise IdentificationError(
                f"{recording.source} has neither commands nor measured efforts: record the "
                "controller's command topic beside joint_states"
            )
        if known is not None:
            # Efforts could be replayed, but whoever knows the controller means its commands.
            why = "; ".join(d.text for d in recording.defects if d.kind == "no_commands")
            raise IdentificationError(
                f"{recording.source} has no {known.mode} commands for its controller: "
                f"{why or 'name their topic with command_topic:='}; or leave out controller:= to "
                "use measured efforts alone"
            )
        return
    if known is None:
        raise IdentificationError(
            f"{recording.source} has commands on {commands.topic} but nothing is known of the "
            "controller that took them: give a controller file with its mode and gains"
        )
    if commands.mode != known.mode:
        raise IdentificationError(
            f"{recording.source} has {commands.mode} commands on {commands.topic}, but the "
            f"controller is said to take {known.mode} commands: correct 'mode' in the controller "
            "file, or name the topic that the controller listens to"
        )
    begin = max(float(recording.time_s[0]), float(commands.time_s[0]))
    end = min(float(recording.time_s[-1]), float(commands.time_s[-1]))
    if end - begin < SHORTEST_S:
        raise IdentificationError(
            f"{recording.source} has commands on {commands.topic} for {max(0.0, end - begin):.3g} s"
            f" of its joint states: at least {SHORTEST_S:g} s are needed: record both together"
        )


def _check_motion(recording: Recording) -> None:
    if len(still_joints(recording)) == len(recording.joint_names):
        most = float(np.ptp(recording.position_rad, axis=0).max())
        raise IdentificationError(
            f"{recording.source}: no joint moves by more than {most:.2g} rad, at least "
            f"{LEAST_MOTION_RAD:g} rad beyond the noise are needed: move the arm through its range"
        )
