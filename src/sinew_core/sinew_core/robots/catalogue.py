"""The robots that Sinew knows, and robots that a user brings as a robot file or a URDF."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from sinew_core.errors import RobotError, suggest
from sinew_core.robots.arrays import Array, as_numbers
from sinew_core.robots.limits import LIMIT_NAMES, JointLimits, check_limit_names
from sinew_core.robots.model import Box, RobotModel, check_fit
from sinew_core.robots.reach import default_reach_box
from sinew_core.robots.urdf import UrdfJoint, chain_between, parse_urdf

CUSTOM = "custom"
"""Name of a robot that only a URDF describes."""

# What a URDF cannot say. Deliberately slow: full speed in 0.5 s, full acceleration in 0.05 s, full
# effort in 0.1 s; a robot file replaces them.
DEFAULT_SPEED_UP_S = 0.5
DEFAULT_ACCELERATION_RISE_S = 0.05
DEFAULT_EFFORT_RISE_S = 0.1

_FOLDER = Path(__file__).resolve().parent / "config"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FROM_URDF = {
    "position_lower_rad": "lower",
    "position_upper_rad": "upper",
    "velocity_rad_s": "velocity",
    "effort_nm": "effort",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RobotFile:
    """The content of a robot file (YAML).

    Attributes:
        urdf: path of the URDF, relative to the robot file.
        joints: names in order; when given, they must be the URDF's joints from base to tool.
        home_rad: when empty, 0 for each joint whose limits contain 0, else the limits' middle.
        limits: by field of `JointLimits`; what is absent comes from the URDF or the defaults.
        reach_box_m: `lower` and `upper`, three numbers each; when empty, found by search.
    """

    name: str
    urdf: str = ""
    base_link: str = ""
    tool_link: str = ""
    joints: tuple[str, ...] = ()
    home_rad: tuple[float, ...] = ()
    limits: dict[str, object] = dataclasses.field(default_factory=dict)
    reach_box_m: dict[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)


_FIELDS = tuple(f.name for f in dataclasses.fields(RobotFile))


def robot_names() -> tuple[str, ...]:
    """Return the names that `load_robot` knows without a path."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_robot(
    name: str, *, urdf: str = "", tool_link: str = "", base_link: str = ""
) -> RobotModel:
    """Load a robot by name, by its robot file, or by its URDF.

    Args:
        name: one of `robot_names()`, the path of a robot file (.yaml), or 'custom' for a robot that
            only `urdf` describes.
        urdf: path of a URDF that replaces the robot file's; expand xacro first.
        tool_link: replaces the robot file's; may be left out where the URDF has one leaf only.
        base_link: replaces the robot file's; the URDF's root by default.

    Limits that no robot file gives come from the URDF (position, velocity, effort); acceleration,
    jerk and effort rate, which a URDF cannot hold, are then assumed slow, full speed in
    `DEFAULT_SPEED_UP_S` and so on, and `RobotModel.assumed_limits` names them.

    Raises:
        RobotError: for an unknown name, files that cannot be read or used, and missing values.
    """
    if urdf or name not in robot_names():
        return _load(name, urdf, tool_link, base_link)
    return _known(name, tool_link, base_link)


@functools.lru_cache(maxsize=16)
def _known(name: str, tool_link: str, base_link: str) -> RobotModel:
    """Load a robot by its name, whose files do not change, once for all that is kept of a robot."""
    return _load(name, "", tool_link, base_link)


def _load(name: str, urdf: str, tool_link: str, base_link: str) -> RobotModel:
    file, folder = _find(name, urdf)
    path = Path(urdf) if urdf else folder / file.urdf
    parsed = parse_urdf(_read(path, "URDF"), str(path))
    base = base_link or file.base_link or parsed.root()
    tool = tool_link or file.tool_link or parsed.leaf()
    chain, joints = chain_between(parsed, base, tool)
    names = tuple(joint.name for joint in joints)
    if file.joints and names != file.joints:
        raise RobotError(
            f"{path}: joints from '{base}' to '{tool}' are {', '.join(names)}: the robot file of "
            f"'{file.name}' lists {', '.join(file.joints)}; rename them or use name 'custom'"
        )
    limits, assumed = _limits(file, joints, str(path))
    home = _home(file, limits)
    check_fit(file.name, names, limits, home)
    if file.reach_box_m:
        box = Box(
            lower_m=_array(file.reach_box_m["lower"]), upper_m=_array(file.reach_box_m["upper"])
        )
    else:
        box = default_reach_box(chain, limits, home)
    return RobotModel(
        name=file.name,
        joint_names=names,
        limits=limits,
        home_rad=home,
        base_link=base,
        tool_link=tool,
        urdf_text=parsed.text,
        chain=chain,
        reach_box=box,
        assumed_limits=assumed,
    )


def parse_robot_file(text: str, source: str) -> RobotFile:
    """Read a robot file's text; `source` is how errors name it.

    Raises:
        RobotError: for text that is not YAML, unknown keys (with a suggestion) and wrong types.
    """
    try:
        content = yaml.load(text, Loader=_LOADER)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise RobotError(f"{source} does not parse as YAML ({reason}): correct it") from None
    if not isinstance(content, dict):
        raise RobotError(f"{source}: expected a mapping with {', '.join(_FIELDS)}")
    unknown = [
        f"unknown key '{k}': {suggest(str(k), _FIELDS)}" for k in content if k not in _FIELDS
    ]
    if unknown:
        raise RobotError(f"{source}: " + "; ".join(unknown))
    values: dict[str, object] = {}
    for key, value in content.items():
        values[key] = _checked(key, value, source)
    if not values.get("name"):
        raise RobotError(f"{source}: name is missing: add it")
    return RobotFile(**values)  # type: ignore[arg-type]  # each value was checked by its key


def _checked(key: str, value: object, source: str) -> object:
    """Return the value of one key in the type that `RobotFile` declares."""
    if key in ("name", "urdf", "base_link", "tool_link") and isinstance(value, str):
        return value
    if key == "joints" and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if key == "home_rad" and (numbers := as_numbers(value)) is not None:
        return tuple(numbers)
    if key == "limits" and isinstance(value, dict):
        check_limit_names(value, source)
        return value
    if key == "reach_box_m" and isinstance(value, dict) and set(value) == {"lower", "upper"}:
        corners = {k: tuple(as_numbers(v) or ()) for k, v in value.items()}
        if all(len(corner) == 3 for corner in corners.values()):
            return corners
    expected = {
        "joints": "a list of names",
        "home_rad": "a list of numbers",
        "limits": f"a mapping with some of {', '.join(LIMIT_NAMES)}",
        "reach_box_m": "a mapping with lower and upper, three numbers each",
    }.get(key, "text")
    raise RobotError(f"{source}: {key} is {value!r}: expected {expected}")


def _find(name: str, urdf: str) -> tuple[RobotFile, Path]:
    """Return the robot file of a name and the folder that its paths are relative to."""
    if name == CUSTOM:
        if not urdf:
            raise RobotError("robot 'custom' needs a URDF: give its path as urdf")
        return RobotFile(name=CUSTOM), Path()
    is_path = name.endswith((".yaml", ".yml"))
    if not is_path and name not in robot_names():
        remedy = suggest(name, (*robot_names(), CUSTOM))
        raise RobotError(f"unknown robot '{name}': {remedy} Or give the path of a robot .yaml")
    path = Path(name) if is_path else _FOLDER / f"{name}.yaml"
    file = parse_robot_file(_read(path, "robot file"), str(path))
    if not (file.urdf or urdf):
        raise RobotError(f"{path}: urdf is missing: add the path of the robot's URDF")
    return file, path.parent


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise RobotError(f"{what} {path} cannot be read ({error}): check the path") from None


def _limits(
    file: RobotFile, joints: Sequence[UrdfJoint], source: str
) -> tuple[JointLimits, tuple[str, ...]]:
    """Return the robot file's limits, completed by the URDF, and the names of those assumed."""
    values = dict(file.limits)
    for name, attribute in _FROM_URDF.items():
        if name not in values:
            values[name] = _urdf_limits(joints, attribute, name, source)
    defaults = (
        ("acceleration_rad_s2", "velocity_rad_s", DEFAULT_SPEED_UP_S),
        ("jerk_rad_s3", "acceleration_rad_s2", DEFAULT_ACCELERATION_RISE_S),
        ("effort_rate_nm_s", "effort_nm", DEFAULT_EFFORT_RISE_S),
    )
    assumed = tuple(name for name, _, _ in defaults if name not in values)
    for name, of, rise_s in defaults:
        if name in assumed:
            numbers = as_numbers(values[of])
            # What is no list of numbers is left for the validation of the limits to name.
            values[name] = values[of] if numbers is None else [v / rise_s for v in numbers]
    return JointLimits.from_mapping(values, source if not file.limits else file.name), assumed


def _urdf_limits(
    joints: Sequence[UrdfJoint], attribute: str, name: str, source: str
) -> list[float]:
    missing = [
        joint.name
        for joint in joints
        if attribute not in joint.limits
        or (joint.kind == "continuous" and attribute in ("lower", "upper"))
    ]
    if missing:
        raise RobotError(
            f"{source}: no {attribute} limit for {', '.join(missing)}: add "
            f"<limit {attribute}=...> to a revolute joint, or use a robot .yaml with limits: {name}"
        )
    return [joint.limits[attribute] for joint in joints]


def _home(file: RobotFile, limits: JointLimits) -> Array:
    if file.home_rad:
        return _array(file.home_rad)
    lower, upper = limits.position_lower_rad, limits.position_upper_rad
    return np.where((lower <= 0.0) & (upper >= 0.0), 0.0, 0.5 * (lower + upper))


def _array(values: Sequence[float]) -> Array:
    return np.array(values, dtype=np.float64)
