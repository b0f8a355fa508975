"""The whole configuration of a safety filter, as its node publishes it and a replay reads it.

The text is a ROS 2 parameter file of the node with a second section, `robot`: joint names, limits
and a check of the robot description, by which a changed robot file is noticed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

import yaml

from sinew_core.controllers import output_topic
from sinew_core.errors import ConfigError, RobotError
from sinew_core.joint_order import joint_order
from sinew_core.parameters import Parameters
from sinew_core.randomisation import CONTROLLER_MODES, Randomisation, check_assumptions
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import check_compensation, load_sim_params
from sinew_core.safety.command_mode import CommandMode, make_command_mode
from sinew_core.safety.integrating import make_integrating_mode
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.realtime import real_time_assumptions, trajectory_assumptions
from sinew_core.safety.record import text_check
from sinew_core.safety.scaling import SpeedScaling
from sinew_core.safety.watchdogs import SupervisorParameters
from sinew_safety.parameters import SafetyFilterParameters

_SECTION = "safety_filter"
_ROS = "ros__parameters"
P = TypeVar("P", bound=Parameters)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilterConfiguration:
    """The parameters of a node, and what was found when it ran.

    Attributes:
        node: own parameters.
        watchdog: of the supervisor.
        safety: of the filter.
        robot: what a recorded configuration says of the robot, else empty.
        controller_joints: the controller's joints as they were read from it, else empty.
    """

    node: SafetyFilterParameters
    watchdog: SupervisorParameters
    safety: SafetyParameters
    robot: Mapping[str, object] = dataclasses.field(default_factory=dict)
    controller_joints: tuple[str, ...] = ()

    @property
    def lockstep(self) -> bool:
        """Whether the node answers each joint state once."""
        return self.node.pace == "lockstep"

    @property
    def controller(self) -> str:
        """The name of the controller."""
        return self.node.controller_name

    @property
    def outputs_topic(self) -> str:
        """The topic of the outputs; `~` is the node."""
        node = self.node
        if node.shadow:
            return "~/shadow"
        return output_topic(node.adapter, node.controller_name)

    @property
    def assumed(self) -> SafetyParameters:
        """The parameters `safety` with what pace and adapter add to them."""
        node, safety = self.node, self.safety
        if not self.lockstep:
            safety = real_time_assumptions(safety, node)
        if node.adapter == "trajectory":
            safety = trajectory_assumptions(safety, node.point_time_s / node.filter_period_s)
        return safety

    def prefixed(self, robot: RobotModel) -> tuple[str, ...]:
        """Return the robot's joints as joint states and controller name them."""
        return tuple(self.node.joint_prefix + name for name in robot.joint_names)

    def order(self, robot: RobotModel) -> tuple[int, ...] | None:
        """Return for each value sent its joint's index, None while the controller was not read.

        Raises:
            ConfigError: the joints read do not fit the robot.
        """
        if self.node.controller_joints == "robot":
            return tuple(range(robot.n_joints))
        if not self.controller_joints:
            return None
        whose = f"joints of controller {self.controller}"
        return joint_order(self.controller_joints, self.prefixed(robot), whose)

    def check_sim_params(self, robot: RobotModel) -> None:
        """Refuse assumptions of the filter that the arm, as it was identified, does not keep.

        Raises:
            ConfigError: says which.
        """
        node = self.node
        if not node.sim_params:
            return
        params = load_sim_params(node.sim_params, robot, CONTROLLER_MODES[node.sent_mode])
        check_compensation(params.controller, gravity_compensation=node.gravity_compensation)
        alone = Randomisation(robot=robot, base=params.dynamics)
        check_assumptions(alone, self.safety, node, node.sent_mode, params.controller)

    def make_mode(self, robot: RobotModel) -> tuple[CommandMode, SpeedScaling]:
        """Return the command mode with its filter, and the scaling, that the node runs.

        Raises:
            ConfigError: if limits, parameters and period do not fit each other.
        """
        node, safety, period_s = self.node, self.assumed, self.node.filter_period_s
        scaling = SpeedScaling(node.mode, robot.limits, safety, period_s)
        if node.sent_mode != node.mode:
            return make_integrating_mode(robot, safety, period_s), scaling
        mode = make_command_mode(
            node.mode, robot, safety, period_s, gravity_compensation=node.gravity_compensation
        )
        return mode, scaling

    def load_robot(self, *, robot: str = "", urdf: str = "") -> RobotModel:
        """Return the robot, which must be as it was when the configuration was recorded.

        Args:
            robot: replaces the configured one.
            urdf: replaces the configured one.

        Raises:
            RobotError: if it cannot be loaded, or has changed.
        """
        loaded = load_robot(robot or self.node.robot, urdf=urdf or self.node.urdf)
        if self.robot:
            now = _robot_section(loaded)
            changed = [name for name in now if now[name] != self.robot.get(name)]
            if changed:
                raise RobotError(
                    f"robot '{robot or self.node.robot}' has changed since the recording: "
                    f"{', '.join(changed)} differ: give the robot file of that time, robot:=PATH"
                )
        return loaded

    def to_yaml(self, robot: RobotModel) -> str:
        """Return the text to publish."""
        parameters = {
            **self.node.to_mapping(),
            "watchdog": self.watchdog.to_mapping(),
            "safety": self.safety.to_mapping(),
        }
        content = {_SECTION: {_ROS: parameters}, "robot": _robot_section(robot)}
        if self.controller_joints:
            content["controller"] = {"joints": list(self.controller_joints)}
        return yaml.safe_dump(content, sort_keys=False)

    @classmethod
    def from_yaml(cls, text: str, source: str) -> FilterConfiguration:
        """Read what `to_yaml` wrote, or a parameter file with a section for the safety filter.

        Raises:
            ConfigError: `source` in front.
        """
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            line = str(error).replace("\n", " ")
            raise ConfigError(f"{source}: no YAML: {line}") from None
        sections = content if isinstance(content, dict) else {}
        values = _parameters(sections)
        if values is None:
            raise ConfigError(
                f"{source}: no section '{_SECTION}' with {_ROS}: give a parameter file of the node"
            )
        robot = sections.get("robot")
        return cls(
            node=_build(SafetyFilterParameters, values, "", source),
            watchdog=_build(SupervisorParameters, values, "watchdog", source),
            safety=_build(SafetyParameters, values, "safety", source),
            robot=robot if isinstance(robot, dict) else {},
            controller_joints=_joints(sections.get("controller")),
        )


def _robot_section(robot: RobotModel) -> dict[str, object]:
    return {
        "joint_names": list(robot.joint_names),
        "limits": robot.limits.to_mapping(),
        "description_check": text_check(robot.urdf_text),
    }


def _joints(section: object) -> tuple[str, ...]:
    joints = section.get("joints") if isinstance(section, dict) else None
    return tuple(str(name) for name in joints) if isinstance(joints, list) else ()


def _parameters(sections: Mapping[str, object]) -> dict[str, object] | None:
    """Return the node's parameters, nested ones as `prefix.name`; later sections win."""
    found: dict[str, object] | None = None
    for name, section in sections.items():
        if str(name).rpartition("/")[2] in (_SECTION, "**") and isinstance(section, dict):
            given = section.get(_ROS)
            if isinstance(given, dict):
                found = {**(found or {}), **_flat(given)}
    return found


def _flat(given: Mapping[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{inner}": v for inner, v in value.items()})
        else:
            flat[str(name)] = value
    return flat


def _build(cls: type[P], values: Mapping[str, object], prefix: str, source: str) -> P:
    start = f"{prefix}." if prefix else ""
    own = {k[len(start) :]: v for k, v in values.items() if k.rpartition(".")[0] == prefix}
    return cls.from_mapping(own, f"{source}: {prefix or 'parameters'}")
