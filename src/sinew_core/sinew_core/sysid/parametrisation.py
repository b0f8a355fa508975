"""Which values of an arm are fitted, and the coordinates that a fit moves in.

Coordinates theta (p,) and values (p,) belong to the same p names. For most the coordinate is the
value. The ten values of a link that is fitted whole share ten coordinates (`log_cholesky`), in
which no step leads to a link that cannot exist; there `names[i]` is the i-th value's, and theta[i]
the i-th coordinate, of the same link.

Priors say what a robot's description is worth where the data are silent: a relative standard
deviation of masses and whole inertias. Whether the data alone fix a value is for the information of
the data alone to tell; it does not include the priors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sinew_core.errors import RobotError
from sinew_core.robots.arm_controller import ArmController
from sinew_core.robots.arm_dynamics import PER_JOINT, PER_LINK, SINGLE, ArmDynamics
from sinew_core.robots.arrays import Array, frozen_array
from sinew_core.robots.inertia import carrying_links
from sinew_core.robots.link_shape import SHAPE, shape_of
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.sysid import log_cholesky
from sinew_core.sysid.controller_file import KnownController
from sinew_core.sysid.parameter_names import (
    DEFAULT_PATTERNS,
    Parameter,
    describe,
    guessed_controller,
    matching_parameters,
)

STEP_SHARE = 0.01
"""Finite differences step by this share of a value's size."""
PRIOR_RELATIVE_SIGMA = 0.2
_WHOLE = ("mass", *SHAPE)
_SHAPE_UNITS = ("kg", *["m"] * 3, *["kg m²"] * 6)
_LOG_RANGE, _LENGTH_RANGE = 3.0, 10.0
_FIELDS = {kind: q.field for kind, q in {**PER_LINK, **PER_JOINT}.items()}


@dataclass(frozen=True, kw_only=True)
class _Coordinate:
    """One row of a parametrisation; see there."""

    name: str
    unit: str
    nominal: float
    start: float
    lower: float
    upper: float
    step: float
    prior_mean: float
    prior_sigma: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Parametrisation:
    """The p values of one arm that are fitted, and all that is not.

    Attributes:
        robot: the arm.
        base: its dynamics, whose values that are not fitted stay.
        known: what is known of its joint controllers.
        controller: what is known, and guesses for the gains that are fitted.
        names: (p,) of the values.
        units: (p,) of the values.
        nominal: (p,) values of the robot's description, nan for none.
        start: (p,) coordinates to start from.
        lower, upper: (p,) bounds of the coordinates; at most some are infinite.
        step: (p,) of central differences, 1 % of what counts as a large change.
        prior_mean: (p,) coordinates that the description suggests.
        prior_sigma: (p,) how far off they may be, inf where nothing is known beforehand.
        whole_links: place of the first coordinate of every link fitted whole, by its index.
    """

    robot: RobotModel
    base: ArmDynamics
    known: KnownController
    controller: ArmController
    names: tuple[str, ...]
    units: tuple[str, ...]
    nominal: Array
    start: Array
    lower: Array
    upper: Array
    step: Array
    prior_mean: Array
    prior_sigma: Array
    whole_links: Mapping[int, int]

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        for field in ("nominal", "start", "lower", "upper", "step", "prior_mean", "prior_sigma"):
            object.__setattr__(self, field, frozen_array(getattr(self, field)))

    @property
    def size(self) -> int:
        """Return p."""
        return len(self.names)

    def index(self, name: str) -> int | None:
        """Return the place of a value, None where it is not fitted."""
        return self.names.index(name) if name in self.names else None

    def with_start(self, theta: Array) -> Parametrisation:
        """Return the same with another start (p,), moved inside the bounds."""
        return dataclasses.replace(self, start=np.clip(theta, self.lower, self.upper))

    def value_array(self, theta: Array) -> Array:
        """Return the values (p,) of coordinates (p,)."""
        values = np.array(theta, dtype=np.float64)
        for place in self.whole_links.values():
            block = slice(place, place + log_cholesky.SIZE)
            values[block] = log_cholesky.inertia_of(theta[block])
        return values

    def values(self, theta: Array) -> dict[str, float]:
        """Return the values of coordinates (p,) by name."""
        values: list[float] = self.value_array(theta).tolist()
        return dict(zip(self.names, values, strict=True))

    def values_jacobian(self, theta: Array) -> Array:
        """Return the derivatives (p, p) of the values by the coordinates."""
        jacobian = np.eye(self.size)
        for place in self.whole_links.values():
            block = slice(place, place + log_cholesky.SIZE)
            jacobian[block, block] = log_cholesky.inertia_jacobian(theta[block])
        return jacobian

    def theta_of(self, values: Mapping[str, float]) -> Array:
        """Return the coordinates (p,) of values by name, those of the start where none is given.

        Raises:
            numpy.linalg.LinAlgError: when a whole link of these values cannot exist.
        """
        row = self.value_array(self.start)
        for i, name in enumerate(self.names):
            row[i] = values.get(name, row[i])
        theta: Array = row.copy()
        for place in self.whole_links.values():
            block = slice(place, place + log_cholesky.SIZE)
            theta[block] = log_cholesky.coordinates_of(row[block])
        return theta

    def params(self, theta: Array) -> SimParams:
        """Return the arm with these coordinates (p,), within the bounds, and its controllers."""
        base = self.base
        fields = {field: np.array(getattr(base, field)) for field in _FIELDS.values()}
        single = {
            quantity.field: float(getattr(base, quantity.field)) for quantity in SINGLE.values()
        }
        gains = {name: np.array(values) for name, values in self.controller.gains.items()}
        places = {name: i for i, name in enumerate(self.robot.joint_names)}
        links = {name: i for i, name in enumerate(carrying_links(self.robot))}
        for name, value in self.values(theta).items():
            kind, _, where = name.partition("/")
            if name in SINGLE:
                single[SINGLE[name].field] = value
            elif kind in gains:
                gains[kind][places[where]] = value
            elif kind in _FIELDS:
                fields[_FIELDS[kind]][(links if kind in PER_LINK else places)[where]] = value
        changes: dict[str, object] = {**fields, **single, "shape": self._shape(theta)}
        dynamics = dataclasses.replace(base, **changes)  # type: ignore[arg-type]  # by field's name
        controller = dataclasses.replace(self.controller, gains=gains)
        return SimParams(dynamics=dynamics, controller=controller)

    def _shape(self, theta: Array) -> Array | None:
        if not self.whole_links:
            return self.base.shape
        n = self.robot.n_joints
        shape = np.full((n, len(SHAPE)), np.nan) if self.base.shape is None else self.base.shape
        shape = np.array(shape)
        for link, place in self.whole_links.items():
            shape[link] = log_cholesky.inertia_of(theta[place : place + log_cholesky.SIZE])[1:]
        return shape

    def described_values(self) -> Array:
        """Return the values (p,) that `nominal_params` has; of gains these are guesses."""
        values = np.array(self.nominal)
        for i in np.flatnonzero(np.isnan(values)).tolist():
            kind, _, joint = self.names[i].partition("/")
            values[i] = self.controller.gains[kind][self.robot.joint_names.index(joint)]
        return values

    def nominal_params(self) -> SimParams:
        """Return the arm of the robot's description, with what is known of its controllers."""
        return SimParams(dynamics=ArmDynamics.nominal(self.robot), controller=self.controller)


def make_parametrisation(
    robot: RobotModel,
    patterns: Sequence[str] = DEFAULT_PATTERNS,
    known: KnownController | None = None,
    *,
    prior_relative_sigma: float = PRIOR_RELATIVE_SIGMA,
    base: ArmDynamics | None = None,
) -> Parametrisation:
    """Return what is fitted of an arm.

    Args:
        robot: the arm.
        patterns: names of values, see `parameter_names`.
        known: what is known of its controllers; None for drives that take efforts.
        prior_relative_sigma: how far off the masses of the description may be; inf for any.
        base: values of what is not fitted, and where the fit starts; the description's by default.

    Raises:
        ConfigError: for a pattern that stands for nothing, with every one of them.
    """
    known = KnownController(mode="effort", gains={}) if known is None else known
    base = ArmDynamics.nominal(robot) if base is None else base
    names, whole = matching_parameters(patterns, robot, known)
    links = carrying_links(robot)
    whole_links: dict[int, int] = {}
    rows: list[_Coordinate] = []
    for link in whole:
        whole_links[links.index(link)] = len(rows)
        rows += _link_coordinates(robot, links.index(link), base, prior_relative_sigma)
    described = describe(names, robot, known, base)
    rows += [_coordinate(parameter, prior_relative_sigma) for parameter in described]
    return Parametrisation(
        robot=robot,
        base=base,
        known=known,
        controller=guessed_controller(robot, known),
        names=tuple(row.name for row in rows),
        units=tuple(row.unit for row in rows),
        nominal=frozen_array([row.nominal for row in rows]),
        start=frozen_array([row.start for row in rows]),
        lower=frozen_array([row.lower for row in rows]),
        upper=frozen_array([row.upper for row in rows]),
        step=frozen_array([row.step for row in rows]),
        prior_mean=frozen_array([row.prior_mean for row in rows]),
        prior_sigma=frozen_array([row.prior_sigma for row in rows]),
        whole_links=whole_links,
    )


def _coordinate(parameter: Parameter, relative_sigma: float) -> _Coordinate:
    has_prior = parameter.name.startswith("mass/")
    return _Coordinate(
        name=parameter.name,
        unit=parameter.unit,
        nominal=parameter.nominal,
        start=parameter.start,
        lower=parameter.lower,
        upper=parameter.upper,
        step=STEP_SHARE * parameter.size,
        prior_mean=parameter.nominal if has_prior else parameter.start,
        prior_sigma=relative_sigma * parameter.nominal if has_prior else np.inf,
    )


def _link_coordinates(
    robot: RobotModel, index: int, base: ArmDynamics, relative_sigma: float
) -> list[_Coordinate]:
    """Return the ten coordinates of a link that is fitted whole."""
    link = carrying_links(robot)[index]
    nominal, start = (_link_values(robot, index, arm) for arm in (ArmDynamics.nominal(robot), base))
    prior, theta = (_checked_coordinates(values, link) for values in (nominal, start))
    radius = log_cholesky.radius_of(prior)
    # Of the coordinates a, d are logarithms, of the root of a mass and of lengths; s, t lengths.
    sizes = np.array([0.5, *[1.0] * 3, *[radius] * 6])
    ranges = np.array([*[_LOG_RANGE] * 4, *[_LENGTH_RANGE * radius] * 6])
    return [
        _Coordinate(
            name=f"{kind}/{link}",
            unit=unit,
            nominal=float(nominal[i]),
            start=float(theta[i]),
            lower=float(theta[i] - ranges[i]),
            upper=float(theta[i] + ranges[i]),
            step=float(STEP_SHARE * sizes[i]),
            prior_mean=float(prior[i]),
            prior_sigma=float(relative_sigma * sizes[i]),
        )
        for i, (kind, unit) in enumerate(zip(_WHOLE, _SHAPE_UNITS, strict=True))
    ]


def _link_values(robot: RobotModel, index: int, arm: ArmDynamics) -> Array:
    """Return mass, centre and inertia (10,) of a link, without the payload."""
    body = dataclasses.replace(arm, payload_mass_kg=0.0).bodies(robot)[index]
    return np.array([body.mass, *shape_of(body)])


def _checked_coordinates(values: Array, link: str) -> Array:
    try:
        return log_cholesky.coordinates_of(values)
    except np.linalg.LinAlgError:
        raise RobotError(
            f"the inertia of link '{link}' is {values[4:].tolist()} kg m²: no body has it, so "
            f"'inertia/{link}' has nothing to start from; fit 'mass/{link}', or correct the URDF"
        ) from None
