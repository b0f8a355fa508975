"""What may differ from one copy of an arm to the next: masses, joints, motors, sensors, payload.

Every quantity has a name, the same in randomisation files, in the files of absolute values that a
simulated driver takes, and in what system identification writes. SI units throughout.

| name | what | unit |
|---|---|---|
| `mass/LINK` | mass of the link that a joint moves, with all that is fixed to it | kg |
| `coulomb/JOINT` | Coulomb friction, and stiction where it is alike | N m |
| `stribeck/stiction` | friction at rest over Coulomb friction, of all joints | none |
| `stribeck/velocity_rad_s` | speed over which the one falls to the other | rad/s |
| `viscous/JOINT` | viscous friction | N m s/rad |
| `armature/JOINT` | inertia of the rotor, seen by the joint | kg m² |
| `motor_strength/JOINT` | share of the commanded effort, or velocity, that the drive gives | none |
| `payload/mass` | point mass at the tool | kg |
| `payload/x_m`, `payload/y_m`, `payload/z_m` | where, in the frame of the tool | m |
| `delay_s` | from a command until the drive has it | s |
| `jitter/command_s` | by how much more a command may be late, evenly spread | s |
| `jitter/state_s` | by how much a state may be older than its stamp, evenly spread | s |
| `sensor_noise/position_rad` | standard deviation of a measured position | rad |
| `sensor_noise/velocity_rad_s` | standard deviation of a measured velocity | rad/s |

Links of a measured shape have the names of `sinew_core.robots.link_shape` too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from sinew_core.errors import ConfigError, suggest
from sinew_core.robots.arrays import Array, frozen_array
from sinew_core.robots.inertia import Body, carried_bodies, carrying_links, steiner
from sinew_core.robots.link_shape import CENTRE, INERTIA, SHAPE, body_of, read_shapes
from sinew_core.robots.model import RobotModel

NOISE_SIGMAS = 3.0
"""Noise of a measurement is cut off at so many standard deviations, so that it has a bound."""

_ANY = "*"
_TOP = "dynamics"


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What values of one kind are allowed, and what an arm has that nobody has measured.

    `nominal` is None where the robot's description gives it.
    """

    field: str
    unit: str
    lowest: float
    highest: float
    nominal: float | None


PER_LINK = {"mass": Quantity(field="mass_kg", unit="kg", lowest=1e-3, highest=1e3, nominal=None)}
PER_JOINT = {
    "coulomb": Quantity(field="coulomb_nm", unit="N m", lowest=0.0, highest=1e3, nominal=0.0),
    "viscous": Quantity(
        field="viscous_nm_s_rad", unit="N m s/rad", lowest=0.0, highest=1e3, nominal=0.0
    ),
    "armature": Quantity(
        field="armature_kg_m2", unit="kg m²", lowest=0.0, highest=1e2, nominal=0.0
    ),
    "motor_strength": Quantity(
        field="motor_strength", unit="", lowest=0.1, highest=2.0, nominal=1.0
    ),
}
SHAPES = {
    **{
        kind: Quantity(field="shape", unit="m", lowest=-5.0, highest=5.0, nominal=None)
        for kind in CENTRE
    },
    **{
        kind: Quantity(field="shape", unit="kg m²", lowest=-1e3, highest=1e3, nominal=None)
        for kind in INERTIA
    },
}
"""Not part of the nominal values: a link has the shape of its description, or all nine of these."""
SINGLE = {
    "payload/mass": Quantity(
        field="payload_mass_kg", unit="kg", lowest=0.0, highest=1e3, nominal=0.0
    ),
    "payload/x_m": Quantity(field="payload_x_m", unit="m", lowest=-5.0, highest=5.0, nominal=0.0),
    "payload/y_m": Quantity(field="payload_y_m", unit="m", lowest=-5.0, highest=5.0, nominal=0.0),
    "payload/z_m": Quantity(field="payload_z_m", unit="m", lowest=-5.0, highest=5.0, nominal=0.0),
    "stribeck/stiction": Quantity(
        field="stiction_ratio", unit="", lowest=1.0, highest=5.0, nominal=1.0
    ),
    "stribeck/velocity_rad_s": Quantity(
        field="stribeck_rad_s", unit="rad/s", lowest=1e-3, highest=10.0, nominal=0.05
    ),
    "delay_s": Quantity(field="delay_s", unit="s", lowest=0.0, highest=1.0, nominal=0.0),
    "jitter/command_s": Quantity(
        field="command_jitter_s", unit="s", lowest=0.0, highest=0.1, nominal=0.0
    ),
    "jitter/state_s": Quantity(
        field="state_jitter_s", unit="s", lowest=0.0, highest=0.1, nominal=0.0
    ),
    "sensor_noise/position_rad": Quantity(
        field="position_noise_rad", unit="rad", lowest=0.0, highest=0.1, nominal=0.0
    ),
    "sensor_noise/velocity_rad_s": Quantity(
        field="velocity_noise_rad_s", unit="rad/s", lowest=0.0, highest=10.0, nominal=0.0
    ),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmDynamics:
    """One copy of an arm of n joints; the fields are those of the table above, joint by joint.

    The engines take what moves the arm; delay, jitter and noise are for what sends it commands and
    reads its sensors: the environment and the simulated driver.
    """

    mass_kg: Array
    coulomb_nm: Array
    viscous_nm_s_rad: Array
    armature_kg_m2: Array
    motor_strength: Array
    payload_mass_kg: float = 0.0
    payload_x_m: float = 0.0
    payload_y_m: float = 0.0
    payload_z_m: float = 0.0
    stiction_ratio: float = 1.0
    stribeck_rad_s: float = 0.05
    delay_s: float = 0.0
    command_jitter_s: float = 0.0
    state_jitter_s: float = 0.0
    position_noise_rad: float = 0.0
    velocity_noise_rad_s: float = 0.0
    shape: Array | None = None
    """(n, 9) as in `link_shape`, nan for links of the described shape; None for an arm of those."""

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        if self.shape is not None:
            object.__setattr__(self, "shape", frozen_array(self.shape))
        for quantity in (*PER_LINK.values(), *PER_JOINT.values()):
            array = frozen_array(getattr(self, quantity.field))
            object.__setattr__(self, quantity.field, array)

    @classmethod
    def nominal(cls, robot: RobotModel) -> ArmDynamics:
        """Return the arm of the robot's description: without friction, strong, and true."""
        return cls.from_values(robot, {})

    @classmethod
    def from_values(
        cls,
        robot: RobotModel,
        values: Mapping[str, float],
        source: str = "dynamics",
        base: ArmDynamics | None = None,
    ) -> ArmDynamics:
        """Return the nominal arm, or another one, with some values replaced.

        The place of a link or a joint may be `*`, which stands for all.

        Raises:
            ConfigError: for an unknown name, a value that is not allowed, or a name given twice.
        """
        complete = nominal_values(robot) if base is None else base.values(robot)
        links = carrying_links(robot)
        shapes = dict.fromkeys((f"{kind}/{link}" for link in links for kind in SHAPE), 0.0)
        given: dict[str, str] = {}
        for pattern, value in values.items():
            number = checked_value(pattern, value, source)
            known = shapes if pattern in shapes else complete
            for name in matching_names(pattern, known, source):
                if name in given:
                    raise ConfigError(
                        f"{source}: '{pattern}' and '{given[name]}' both give {name}: keep one"
                    )
                given[name] = pattern
                complete[name] = number
        return cls._from_complete(complete, read_shapes(complete, links, source))

    @classmethod
    def _from_complete(cls, values: Mapping[str, float], shape: Array | None) -> ArmDynamics:
        grouped = {
            quantity.field: [v for name, v in values.items() if name.startswith(f"{kind}/")]
            for kind, quantity in {**PER_LINK, **PER_JOINT}.items()
        }
        single = {quantity.field: values[name] for name, quantity in SINGLE.items()}
        return cls(**grouped, **single, shape=shape)  # type: ignore[arg-type]  # becomes arrays

    def values(self, robot: RobotModel) -> dict[str, float]:
        """Return every value by its name, in the order of the table."""
        named: dict[str, float] = {}
        for kind, quantity in PER_LINK.items():
            array = getattr(self, quantity.field).tolist()
            links = carrying_links(robot)
            named.update({f"{kind}/{k}": v for k, v in zip(links, array, strict=True)})
        for kind, quantity in PER_JOINT.items():
            array = getattr(self, quantity.field).tolist()
            named.update({f"{kind}/{k}": v for k, v in zip(robot.joint_names, array, strict=True)})
        named.update({name: getattr(self, q.field) for name, q in SINGLE.items()})
        if self.shape is not None:
            for link, row in zip(carrying_links(robot), self.shape.tolist(), strict=True):
                if not math.isnan(row[0]):
                    named.update({f"{k}/{link}": v for k, v in zip(SHAPE, row, strict=True)})
        return named

    def bodies(self, robot: RobotModel) -> tuple[Body, ...]:
        """Return what each joint carries; a body of another mass keeps shape and density's profile.

        First moment and inertia grow with the mass, so every body stays one that can exist. The
        payload is a point, which belongs to the last body.
        """
        bodies = []
        for i, (body, mass) in enumerate(zip(carried_bodies(robot), self.mass_kg, strict=True)):
            m = float(mass)
            if self.shape is not None and not math.isnan(self.shape[i, 0]):
                bodies.append(body_of(m, self.shape[i]))
                continue
            share = m / body.mass
            bodies.append(Body(mass=m, moment=share * body.moment, inertia=share * body.inertia))
        if self.payload_mass_kg:
            tool, m = robot.chain.tool, self.payload_mass_kg
            point = tool[:3, :3] @ [self.payload_x_m, self.payload_y_m, self.payload_z_m]
            point = point + tool[:3, 3]
            last = bodies[-1]
            bodies[-1] = Body(
                mass=last.mass + m,
                moment=last.moment + m * point,
                inertia=last.inertia + m * steiner(point),
            )
        return tuple(bodies)


def nominal_values(robot: RobotModel) -> dict[str, float]:
    """Return every value of the nominal arm by its name."""
    masses = [body.mass for body in carried_bodies(robot)]
    links = dict(zip((f"mass/{link}" for link in carrying_links(robot)), masses, strict=True))
    joints = {
        f"{kind}/{joint}": float(quantity.nominal or 0.0)
        for kind, quantity in PER_JOINT.items()
        for joint in robot.joint_names
    }
    single = {name: float(quantity.nominal or 0.0) for name, quantity in SINGLE.items()}
    return {**links, **joints, **single}


def matching_names(pattern: str, names: Mapping[str, float], source: str) -> list[str]:
    """Return the names that a pattern stands for: itself, or with `*` those of every link.

    Raises:
        ConfigError: when there is none, with a suggestion.
    """
    kind, _, place = pattern.partition("/")
    if place == _ANY and kind in {**PER_LINK, **PER_JOINT}:
        return [name for name in names if name.startswith(f"{kind}/")]
    if pattern in names:
        return [pattern]
    allowed = [*names, *(f"{kind}/{_ANY}" for kind in (*PER_LINK, *PER_JOINT))]
    raise ConfigError(f"{source}: unknown name '{pattern}': {suggest(pattern, allowed)}")


def quantity_of(name: str) -> Quantity | None:
    """Return what is known of a name's kind, None for an unknown kind."""
    kinds = {**PER_LINK, **PER_JOINT, **SHAPES}
    return SINGLE.get(name) or kinds.get(name.partition("/")[0])


def checked_value(name: str, value: object, source: str) -> float:
    """Return a value as a number within what its quantity allows; unknown names are let pass.

    Raises:
        ConfigError: for anything else.
    """
    number, quantity = checked_number(name, value, source), quantity_of(name)
    if quantity and not quantity.lowest <= number <= quantity.highest:
        raise ConfigError(
            f"{source}: {name} is {number:g}: allowed {quantity.lowest:g} to {quantity.highest:g}"
            f" {quantity.unit}".rstrip()
        )
    return number


def checked_number(name: str, value: object, source: str) -> float:
    """Return a value as a finite number.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{source}: {name} is {value!r}: expected a finite number")
    return float(value)


def read_dynamics(path: Path, robot: RobotModel) -> ArmDynamics:
    """Read absolute values from a YAML file: `dynamics:` with names and numbers below.

    Raises:
        ConfigError: when it cannot be read, or holds what `from_values` refuses.
    """
    content = read_mapping(path, (_TOP,))
    values = content.get(_TOP)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected '{_TOP}:' with names and numbers, found {values!r}")
    return ArmDynamics.from_values(robot, {str(k): v for k, v in values.items()}, str(path))


def read_mapping(path: Path, keys: tuple[str, ...]) -> dict[str, object]:
    """Return the content of a YAML file with some of these keys on top.

    Raises:
        ConfigError: when it cannot be read, or has other keys.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{path} cannot be read: {reason}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected {' and '.join(keys)} on top, found {content!r:.60}")
    for key in content:
        if key not in keys:
            raise ConfigError(f"{path}: unknown key '{key}': {suggest(str(key), keys)}")
    return content


def write_dynamics(values: Mapping[str, float]) -> str:
    """Return the text of a file that `read_dynamics` reads."""
    return yaml.safe_dump({_TOP: dict(values)}, sort_keys=False)
