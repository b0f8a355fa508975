"""What every number of an observation and of an action means: name, unit, frame, scale."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from sinew_core.errors import BundleError, suggest
from sinew_core.robots.arrays import as_numbers

ACTION_UNITS = {
    "joint_velocity": "rad/s",
    "joint_position": "rad per control period",
    "joint_effort": "N m",
    "joint_acceleration": "rad/s²",
    "tool_velocity": "m/s",
}
ACTION_MODES = tuple(ACTION_UNITS)
COMMAND_MODES = ("joint_velocity", "joint_position", "joint_effort")
"""What safety filter and driver take for commands."""
_COMMANDED = {"tool_velocity": "joint_velocity", "joint_acceleration": "joint_effort"}
"""Commands of the action modes that are none themselves."""
TOOL_COMPONENTS = ("x", "y", "z")
"""Components of a tool's velocity, along the axes of the base."""
FRAMES = ("", "joint", "base")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FieldSpec:
    """One field of the observation; the policy sees the SI value times `scale`, per component."""

    name: str
    size: int
    unit: str
    frame: str
    scale: tuple[float, ...]
    description: str

    def __post_init__(self) -> None:
        """Raise `BundleError` for a field that contradicts itself."""
        if self.frame not in FRAMES:
            remedy = suggest(self.frame, FRAMES[1:])
            raise BundleError(f"observation field {self.name}: frame '{self.frame}': {remedy}")
        _check_scale(f"observation field {self.name}", self.scale, self.size)

    def to_mapping(self) -> dict[str, object]:
        """Return plain values for a manifest."""
        return {**dataclasses.asdict(self), "scale": list(self.scale)}


@dataclasses.dataclass(frozen=True)
class ObservationSpec:
    """The fields of the observation vector, in order."""

    fields: tuple[FieldSpec, ...]

    def __post_init__(self) -> None:
        """Raise `BundleError` for two fields of one name."""
        names = self.names
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise BundleError(f"observation repeats {', '.join(repeated)}: name each field once")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields, in order."""
        return tuple(field.name for field in self.fields)

    @property
    def size(self) -> int:
        """Length of the observation vector."""
        return sum(field.size for field in self.fields)

    def slice(self, name: str) -> slice:
        """Return where a field lies in the observation vector.

        Raises:
            BundleError: for a name that is not a field.
        """
        start = 0
        for field in self.fields:
            if field.name == name:
                return slice(start, start + field.size)
            start += field.size
        raise BundleError(f"observation has no field '{name}': {suggest(name, self.names)}")

    def to_mapping(self) -> dict[str, object]:
        """Return plain values for a manifest."""
        return {"size": self.size, "fields": [field.to_mapping() for field in self.fields]}

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, object], source: str = "observation"
    ) -> ObservationSpec:
        """Build from what `to_mapping` returned.

        Raises:
            BundleError: for missing, unknown or contradictory entries, with `source` in front.
        """
        _check_keys(mapping, ("size", "fields"), source)
        rows = mapping["fields"]
        if not isinstance(rows, Sequence) or isinstance(rows, str):
            raise BundleError(f"{source}: fields is {rows!r}: expected a list of fields")
        spec = cls(tuple(_field(row, f"{source}: fields[{i}]") for i, row in enumerate(rows)))
        if mapping["size"] != spec.size:
            raise BundleError(
                f"{source}: size is {mapping['size']!r}: its fields add up to {spec.size}"
            )
        return spec


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToolMotion:
    """How a tool's velocity becomes velocities of n joints, see `robots.tool_velocity`.

    Attributes:
        damping_m: of the inverse, m: no joint velocity per tool velocity exceeds 1 / (2 damping).
        rotation_weight_m: length that weighs the tool's orientation against its position, m.
        return_per_m: how much of the way home orientation and posture return, per metre.
        home_rad: (n,) rad, position that they return to.
        joint_speed_rad_s: (n,) rad/s, largest speed of each joint.
    """

    damping_m: float
    rotation_weight_m: float
    return_per_m: float
    home_rad: tuple[float, ...]
    joint_speed_rad_s: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise `BundleError` for numbers without sense."""
        _check_scale("tool motion", self.joint_speed_rad_s, len(self.home_rad))
        _check_scale("tool motion damping_m", (self.damping_m,), 1)
        others = (self.rotation_weight_m, self.return_per_m, *self.home_rad)
        if not all(map(math.isfinite, others)) or min(others[:2]) < 0.0:
            raise BundleError(f"tool motion: {others}: finite numbers, the first two not negative")

    def to_mapping(self) -> dict[str, object]:
        """Return plain values for a manifest."""
        values = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_mapping(cls, mapping: object, source: str = "tool") -> ToolMotion:
        """Build from what `to_mapping` returned.

        Raises:
            BundleError: for missing, unknown or contradictory entries, with `source` in front.
        """
        if not isinstance(mapping, Mapping):
            raise BundleError(f"{source} is {mapping!r}: expected a mapping")
        _check_keys(mapping, tuple(f.name for f in dataclasses.fields(cls)), source)
        single = {k: [v] for k, v in mapping.items()}
        return cls(
            damping_m=_numbers(single, "damping_m", source)[0],
            rotation_weight_m=_numbers(single, "rotation_weight_m", source)[0],
            return_per_m=_numbers(single, "return_per_m", source)[0],
            home_rad=_numbers(mapping, "home_rad", source),
            joint_speed_rad_s=_numbers(mapping, "joint_speed_rad_s", source),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AccelerationMotion:
    """How accelerations of n joints become their efforts, see `robots.joint_acceleration`.

    Attributes:
        speed_rad_s: where an action of 1 no longer accelerates a joint.
        bodies: (10 n,) what the joints carry, a row of `robots.dynamics`.
    """

    speed_rad_s: float
    bodies: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise `BundleError` for numbers without sense."""
        _check_scale("acceleration speed_rad_s", (self.speed_rad_s,), 1)
        if not all(map(math.isfinite, self.bodies)):
            raise BundleError("acceleration bodies: every number must be finite")

    def to_mapping(self) -> dict[str, object]:
        """Return plain values for a manifest."""
        return {"speed_rad_s": self.speed_rad_s, "bodies": list(self.bodies)}

    @classmethod
    def from_mapping(cls, mapping: object, source: str = "acceleration") -> AccelerationMotion:
        """Build from what `to_mapping` returned.

        Raises:
            BundleError: for missing, unknown or contradictory entries, with `source` in front.
        """
        if not isinstance(mapping, Mapping):
            raise BundleError(f"{source} is {mapping!r}: expected a mapping")
        _check_keys(mapping, tuple(f.name for f in dataclasses.fields(cls)), source)
        single = {"speed_rad_s": [mapping["speed_rad_s"]]}
        return cls(
            speed_rad_s=_numbers(single, "speed_rad_s", source)[0],
            bodies=_numbers(mapping, "bodies", source),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """The meaning of an action in [-1, 1]^size: its mode, and what 1 stands for per component.

    Attributes:
        mode: one of `ACTION_MODES`.
        joint_names: (n,) the joints that it moves.
        scale: (size,) in `unit`.
        nudges: (k, size) actions among which the policy chooses; empty: any action.
        tool: how a tool's velocity becomes the joints'; of tool_velocity only.
        acceleration: how accelerations become efforts; of joint_acceleration only.
    """

    mode: str
    joint_names: tuple[str, ...]
    scale: tuple[float, ...]
    nudges: tuple[tuple[float, ...], ...] = ()
    tool: ToolMotion | None = None
    acceleration: AccelerationMotion | None = None

    def __post_init__(self) -> None:
        """Raise `BundleError` for an unknown mode or parts that do not fit each other."""
        if self.mode not in ACTION_MODES:
            raise BundleError(f"action mode '{self.mode}': {suggest(self.mode, ACTION_MODES)}")
        _check_scale("action", self.scale, len(self.components))
        for index, nudge in enumerate(self.nudges):
            if len(nudge) != self.size or not all(-1.0 <= value <= 1.0 for value in nudge):
                raise BundleError(
                    f"action nudges[{index}] is {nudge}: give {self.size} values in [-1, 1]"
                )
        if (self.tool is None) == (self.mode == "tool_velocity"):
            raise BundleError(f"action mode {self.mode}: tool belongs to tool_velocity alone")
        if self.tool is not None and len(self.tool.home_rad) != self.n_joints:
            raise BundleError(
                f"action: home_rad of tool has {len(self.tool.home_rad)} values: expected "
                f"{self.n_joints}, one for each joint"
            )
        if (self.acceleration is None) == (self.mode == "joint_acceleration"):
            raise BundleError(
                f"action mode {self.mode}: acceleration belongs to joint_acceleration alone"
            )
        if self.acceleration is not None and len(self.acceleration.bodies) != 10 * self.n_joints:
            raise BundleError(
                f"action: bodies of acceleration has {len(self.acceleration.bodies)} values: "
                f"expected {10 * self.n_joints}, ten for each joint"
            )

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the components: the joints, or the axes of the base."""
        return TOOL_COMPONENTS if self.mode == "tool_velocity" else self.joint_names

    @property
    def size(self) -> int:
        """Number of components."""
        return len(self.scale)

    @property
    def n_joints(self) -> int:
        """Number of joints."""
        return len(self.joint_names)

    @property
    def command_mode(self) -> str:
        """What it asks of safety filter and driver, one of `COMMAND_MODES`."""
        return command_mode(self.mode)

    @property
    def unit(self) -> str:
        """Unit of the scale."""
        return ACTION_UNITS[self.mode]

    def to_mapping(self) -> dict[str, object]:
        """Return plain values for a manifest; nudges only where there are any."""
        nudges = {"nudges": [list(nudge) for nudge in self.nudges]} if self.nudges else {}
        return {
            "mode": self.mode,
            "unit": self.unit,
            "joint_names": list(self.joint_names),
            "scale": list(self.scale),
            **nudges,
            **({} if self.tool is None else {"tool": self.tool.to_mapping()}),
            **(
                {}
                if self.acceleration is None
                else {"acceleration": self.acceleration.to_mapping()}
            ),
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], source: str = "action") -> ActionSpec:
        """Build from what `to_mapping` returned.

        Raises:
            BundleError: for missing, unknown or contradictory entries, with `source` in front.
        """
        mode = mapping.get("mode")
        optional = [
            *(["nudges"] if "nudges" in mapping else []),
            *(["tool"] if mode == "tool_velocity" else []),
            *(["acceleration"] if mode == "joint_acceleration" else []),
        ]
        _check_keys(mapping, ("mode", "unit", "joint_names", "scale", *optional), source)
        spec = cls(
            mode=_text(mapping, "mode", source),
            joint_names=_texts(mapping, "joint_names", source),
            scale=_numbers(mapping, "scale", source),
            nudges=_rows(mapping.get("nudges", ()), f"{source}: nudges"),
            tool=ToolMotion.from_mapping(mapping["tool"], f"{source}: tool")
            if "tool" in optional
            else None,
            acceleration=AccelerationMotion.from_mapping(
                mapping["acceleration"], f"{source}: acceleration"
            )
            if "acceleration" in optional
            else None,
        )
        if mapping["unit"] != spec.unit:
            raise BundleError(
                f"{source}: unit is {mapping['unit']!r}: mode {spec.mode} has '{spec.unit}'"
            )
        return spec


def command_mode(action_mode: str) -> str:
    """Return what an action mode asks of safety filter and driver, one of `COMMAND_MODES`."""
    return _COMMANDED.get(action_mode, action_mode)


def _check_scale(owner: str, scale: tuple[float, ...], size: int) -> None:
    if size < 1 or len(scale) != size:
        raise BundleError(f"{owner}: {len(scale)} scales for size {size}: give one per component")
    if not all(math.isfinite(s) and s > 0 for s in scale):
        raise BundleError(f"{owner}: scale {scale}: every scale must be positive and finite")


def _field(row: object, source: str) -> FieldSpec:
    if not isinstance(row, Mapping):
        raise BundleError(f"{source} is {row!r}: expected a mapping")
    _check_keys(row, tuple(f.name for f in dataclasses.fields(FieldSpec)), source)
    size = row["size"]
    if type(size) is not int:
        raise BundleError(f"{source}: size is {size!r}: expected an integer")
    return FieldSpec(
        name=_text(row, "name", source),
        size=size,
        unit=_text(row, "unit", source),
        frame=_text(row, "frame", source),
        scale=_numbers(row, "scale", source),
        description=_text(row, "description", source),
    )


def _check_keys(mapping: Mapping[str, object], allowed: tuple[str, ...], source: str) -> None:
    missing = [key for key in allowed if key not in mapping]
    unknown = [f"'{key}' ({suggest(str(key), allowed)})" for key in mapping if key not in allowed]
    if missing:
        raise BundleError(f"{source}: missing {', '.join(missing)}: write all of {allowed}")
    if unknown:
        raise BundleError(f"{source}: unknown {', '.join(unknown)}")


def _text(mapping: Mapping[str, object], key: str, source: str) -> str:
    value = mapping[key]
    if not isinstance(value, str):
        raise BundleError(f"{source}: {key} is {value!r}: expected text")
    return value


def _texts(mapping: Mapping[str, object], key: str, source: str) -> tuple[str, ...]:
    value = mapping[key]
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
        raise BundleError(f"{source}: {key} is {value!r}: expected a list of names")
    return tuple(value)


def _numbers(mapping: Mapping[str, object], key: str, source: str) -> tuple[float, ...]:
    numbers = as_numbers(mapping[key])
    if numbers is None:
        raise BundleError(f"{source}: {key} is {mapping[key]!r}: expected a list of numbers")
    return tuple(numbers)


def _rows(value: object, source: str) -> tuple[tuple[float, ...], ...]:
    if not isinstance(value, list | tuple):
        raise BundleError(f"{source} is {value!r}: expected a list of lists of numbers")
    named = {f"[{index}]": row for index, row in enumerate(value)}
    return tuple(_numbers(named, key, source) for key in named)
