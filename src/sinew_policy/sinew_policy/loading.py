"""A bundle made ready to decide: verified, held against the robot and, if any, the running one."""

from __future__ import annotations

import dataclasses

from sinew_core.bundle.controller import PolicyController
from sinew_core.bundle.fit import require_fit
from sinew_core.bundle.reader import Bundle, load_bundle
from sinew_core.errors import BundleError
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.model import RobotModel
from sinew_policy.parameters import PolicyParameters


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Policy:
    """A verified bundle that fits.

    Attributes:
        bundle: what decides.
        robot: what it moves, its joints named as in the bundle.
        controller: from joint state and target to command.
        remarks: differences that are safe, one sentence each.
    """

    bundle: Bundle
    robot: RobotModel
    controller: PolicyController
    remarks: tuple[str, ...]


def load_policy(parameters: PolicyParameters, folder: str, running: Policy | None = None) -> Policy:
    """Load the bundle in `folder`, to begin with or to follow the running one without a gap.

    What the parameters leave open is as the bundle was trained, and while another one is running
    as that one was.

    Raises:
        SinewError: for a bad bundle, and for one that does not fit: what, expected, found, remedy.
    """
    bundle = load_bundle(folder)
    reference = (running.bundle if running else bundle).specification
    robot = running.robot if running else _load_robot(parameters, bundle)
    remarks = require_fit(
        bundle,
        robot,
        control_rate_hz=parameters.control_rate_hz or reference.rates.control_rate_hz,
        filter_rate_hz=parameters.filter_rate_hz or reference.rates.filter_rate_hz,
        mode=parameters.mode or reference.action.command_mode,
    )
    controller = PolicyController(bundle, robot.chain, unusual_std=parameters.unusual_std)
    if running and controller.sees_object and not running.controller.sees_object:
        raise BundleError(
            f"bundle {folder} does not fit the running graph: observation: found object_pose, "
            "allowed what the running policy sees: clean up, set the bundle, configure, activate"
        )
    return Policy(bundle=bundle, robot=robot, controller=controller, remarks=remarks)


def _load_robot(parameters: PolicyParameters, bundle: Bundle) -> RobotModel:
    """Load the robot, its joints named as in the bundle, without the prefix."""
    robot = load_robot(
        parameters.robot or bundle.manifest.robot,
        urdf=parameters.urdf,
        tool_link=parameters.tool_link,
        base_link=parameters.base_link,
    )
    names = tuple(name.removeprefix(parameters.joint_prefix) for name in robot.joint_names)
    return dataclasses.replace(robot, joint_names=names)
