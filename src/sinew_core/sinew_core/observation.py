"""The only code that turns signals into an observation, in training as on the arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sinew_core.errors import BundleError, suggest
from sinew_core.specs import ActionSpec, FieldSpec, ObservationSpec

FloatArray = NDArray[np.float64]
Observation = NDArray[np.float32]
Positions = NDArray[np.float32] | NDArray[np.float64]
ToolPositionFunction = Callable[[FloatArray, FloatArray], object]
"""Writes the tool position (3,) m in the base frame for joint positions (n,) rad: f(q, out)."""

GOAL_FIELDS = ("target_from_tool_base", "target_from_object_base", "target_position_base")
OBJECT_FIELDS = (
    "object_from_tool_base",
    "target_from_object_base",
    "object_axis_base",
    "object_displacement_base",
)
FIELD_NAMES = (
    "joint_position",
    "joint_velocity",
    "tool_position_base",
    "target_position_base",
    "target_from_tool_base",
    "previous_action",
    *OBJECT_FIELDS,
)


class Chain(Protocol):
    """What the builder needs of a kinematic chain."""

    def tool_position(self, q: FloatArray) -> FloatArray:
        """Return the tool position (3,) m in the base frame for joint positions (n,) rad."""
        ...


class Limits(Protocol):
    """What the scales of the reach observation derive from."""

    @property
    def position_lower_rad(self) -> FloatArray:
        """Lower position limits (n,) rad."""
        ...

    @property
    def position_upper_rad(self) -> FloatArray:
        """Upper position limits (n,) rad."""
        ...

    @property
    def velocity_rad_s(self) -> FloatArray:
        """Velocity limits (n,) rad/s."""
        ...


class Signals:
    """What the sensors and the task say at one control tick; write into the arrays in place."""

    __slots__ = (
        "joint_position",
        "joint_velocity",
        "object_axis_base",
        "object_displacement_base",
        "object_position_base",
        "previous_action",
        "target_position_base",
    )

    def __init__(self, n_joints: int, action_size: int | None = None) -> None:
        """Allocate zeros: positions (n,) rad, velocities (n,) rad/s, target (3,) m, action.

        An action has a component for each joint unless `action_size` says otherwise. An object has
        a position (3,) m, its x axis (3,), and what it moved since the last control tick (3,) m.
        """
        self.joint_position: FloatArray = np.zeros(n_joints)
        self.joint_velocity: FloatArray = np.zeros(n_joints)
        self.target_position_base: FloatArray = np.zeros(3)
        self.previous_action: FloatArray = np.zeros(action_size or n_joints)
        self.object_position_base: FloatArray = np.zeros(3)
        self.object_axis_base: FloatArray = np.zeros(3)
        self.object_displacement_base: FloatArray = np.zeros(3)

    def follow_object(self, pose: Sequence[float], *, moving: bool) -> None:
        """Take the object's pose at a control tick.

        Args:
            pose: (7,) its centre in m and its unit quaternion (w, x, y, z), both in the base frame.
            moving: whether it was seen at the last tick too; else it has not moved.
        """
        x, y, z, w, i, j, k = pose
        place, moved = self.object_position_base, self.object_displacement_base
        np.negative(place, moved)
        place[:] = x, y, z
        np.add(place, moved, moved)
        if not moving:
            moved[:] = 0.0
        axis = self.object_axis_base
        axis[:] = w * w + i * i - j * j - k * k, 2.0 * (i * j + w * k), 2.0 * (i * k - w * j)


class ObservationBuilder:
    """Turns signals into the float32 vector that an `ObservationSpec` describes.

    Every component is computed in float64, scaled, and rounded to float32 once, so that any two
    callers with equal signals get equal bits.

    Attributes:
        spec: what it builds.
        tool_position_base: (3,) m, of the last signals.
        sees_object: whether a field tells of an object.
    """

    def __init__(self, spec: ObservationSpec, tool_position: Chain | ToolPositionFunction) -> None:
        """Take the specification and the forward kinematics, plain or compiled.

        Args:
            spec: fields in order; each name must be one of `FIELD_NAMES`.
            tool_position: a kinematic chain, or a function f(q, out) such as its compiled twin.

        Raises:
            BundleError: for a field that cannot be computed or has another size.
        """
        self.spec = spec
        self.tool_position_base: FloatArray = np.zeros(3)
        self._write_tool_position = _as_function(tool_position)
        _check_fields(spec)
        self._names = spec.names
        self._scale = np.concatenate([np.array(f.scale, dtype=np.float64) for f in spec.fields])
        self._values: FloatArray = np.zeros(spec.size)
        self._relative: FloatArray = np.zeros(3)
        self.sees_object = not set(OBJECT_FIELDS).isdisjoint(spec.names)

    def build(self, signals: Signals, out: Observation | None = None) -> Observation:
        """Return the observation (size,) float32, in `out` if given.

        `tool_position_base` holds the tool position (3,) m of these signals afterwards.
        """
        tool = self.tool_position_base
        self._write_tool_position(signals.joint_position, tool)
        np.subtract(signals.target_position_base, tool, self._relative)
        parts = {
            "joint_position": signals.joint_position,
            "joint_velocity": signals.joint_velocity,
            "tool_position_base": tool,
            "target_position_base": signals.target_position_base,
            "target_from_tool_base": self._relative,
            "previous_action": signals.previous_action,
        }
        if self.sees_object:
            parts |= self._object_parts(signals)
        np.concatenate([parts[name] for name in self._names], out=self._values)
        if out is None:
            out = np.empty(self._values.size, dtype=np.float32)
        np.multiply(self._values, self._scale, out, casting="same_kind")
        return out

    def _object_parts(self, signals: Signals) -> dict[str, FloatArray]:
        place = signals.object_position_base
        return {
            "object_from_tool_base": place - self.tool_position_base,
            "target_from_object_base": signals.target_position_base - place,
            "object_axis_base": signals.object_axis_base,
            "object_displacement_base": signals.object_displacement_base,
        }

    def relabel(
        self, observation: Observation, seen_goal: Positions, target: Positions
    ) -> Observation:
        """Return copies of observations as they would be with other targets (hindsight).

        Args:
            observation: (batch, size), made by `build`.
            seen_goal: (batch, 3) m, base frame, where `build` put tool or object then, whichever
                the target is observed from.
            target: (batch, 3) m, base frame, the targets to put in.

        Returns:
            (batch, size) float32, equal to the last bit to what `build` makes with these targets.
        """
        relabelled: Observation = observation.copy()
        for name in GOAL_FIELDS:
            if name in self.spec.names:
                where = self.spec.slice(name)
                value = target if name == "target_position_base" else target - seen_goal
                np.multiply(value, self._scale[where], relabelled[:, where], casting="same_kind")
        return relabelled


def reach_observation_spec(
    limits: Limits, *, action: ActionSpec | None = None, reach_m: float = 0.2
) -> ObservationSpec:
    """Return the observation of the reach task.

    Args:
        limits: joint limits; they scale positions and velocities to about [-1, 1].
        action: what the previous one was; None: one component for each joint.
        reach_m: distance from tool to target that counts as 1.

    | index (n joints) | field | unit | 1 stands for |
    |---|---|---|---|
    | 0 … n-1 | joint_position | rad | the larger position limit of the joint |
    | n … 2n-1 | joint_velocity | rad/s | the velocity limit of the joint |
    | 2n … 2n+2 | target_from_tool_base | m, base frame | `reach_m` |
    | 2n+3 … 2n+2+size | previous_action | of [-1, 1] | 1 |
    """
    largest = np.maximum(np.abs(limits.position_lower_rad), np.abs(limits.position_upper_rad))
    return ObservationSpec(
        (
            _field("joint_position", 1.0 / largest, "rad", "joint", "measured joint positions"),
            _field(
                "joint_velocity",
                1.0 / limits.velocity_rad_s,
                "rad/s",
                "joint",
                "measured joint velocities",
            ),
            _field(
                "target_from_tool_base",
                np.full(3, 1.0 / reach_m),
                "m",
                "base",
                "vector from the tool to the target, along the axes of the base",
            ),
            _field(
                "previous_action",
                np.ones(action.size if action else len(largest)),
                "",
                "base" if action and action.tool else "joint",
                "the action of the last tick",
            ),
        )
    )


def push_observation_spec(
    limits: Limits, action: ActionSpec, *, reach_m: float = 0.2, displacement_m: float = 0.01
) -> ObservationSpec:
    """Return the observation of the push task: that of reach, with an object.

    Args:
        limits: joint limits, as for `reach_observation_spec`.
        action: what the previous one was.
        reach_m: distance that counts as 1.
        displacement_m: way of the object in a control period that counts as 1.

    | index (n joints) | field | unit | 1 stands for |
    |---|---|---|---|
    | 0 … 2n-1 | joint_position, joint_velocity | | as for reach |
    | 2n … 2n+2 | tool_position_base | m, base frame | 1 m |
    | 2n+3 … 2n+5 | object_from_tool_base | m, base frame | `reach_m` |
    | 2n+6 … 2n+8 | target_from_object_base | m, base frame | `reach_m` |
    | 2n+9 … 2n+11 | object_axis_base: the object's x axis | base frame | 1 |
    | 2n+12 … 2n+14 | object_displacement_base, since the last tick | m | `displacement_m` |
    | 2n+15 … | previous_action | of [-1, 1] | 1 |
    """
    joint_position, joint_velocity, _, previous_action = reach_observation_spec(
        limits, action=action
    ).fields
    near = np.full(3, 1.0 / reach_m)
    moved = np.full(3, 1.0 / displacement_m)
    return ObservationSpec(
        (
            joint_position,
            joint_velocity,
            _field("tool_position_base", np.ones(3), "m", "base", "position of the tool"),
            _field("object_from_tool_base", near, "m", "base", "vector from tool to object"),
            _field("target_from_object_base", near, "m", "base", "vector from object to target"),
            _field("object_axis_base", np.ones(3), "", "base", "x axis of the object"),
            _field(
                "object_displacement_base", moved, "m", "base", "way of the object since last tick"
            ),
            previous_action,
        )
    )


def _field(name: str, scale: FloatArray, unit: str, frame: str, description: str) -> FieldSpec:
    return FieldSpec(
        name=name,
        size=len(scale),
        unit=unit,
        frame=frame,
        scale=tuple(float(s) for s in scale),
        description=description,
    )


def _check_fields(spec: ObservationSpec) -> None:
    joints = 0
    for field in spec.fields:
        if field.name not in FIELD_NAMES:
            raise BundleError(
                f"observation field '{field.name}' is unknown: {suggest(field.name, FIELD_NAMES)}"
            )
        if field.name == "previous_action":
            continue  # as many as the action has: the signals bring them
        cartesian = field.name.endswith("_base")
        joints = joints or (0 if cartesian else field.size)
        expected = 3 if cartesian else joints
        if field.size != expected:
            raise BundleError(
                f"observation field {field.name}: size {field.size}: expected {expected}"
            )


def _as_function(tool_position: Chain | ToolPositionFunction) -> ToolPositionFunction:
    if callable(tool_position):
        return tool_position
    chain = tool_position

    def write(q: FloatArray, out: FloatArray) -> None:
        out[:] = chain.tool_position(q)

    return write
