"""Push: bring an object on a table to a target on the table."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from sinew_core.errors import ConfigError
from sinew_core.observation import push_observation_spec
from sinew_core.parameters import parameter
from sinew_core.rates import Rates
from sinew_core.robots.tool_velocity import ToolVelocitySolver
from sinew_core.simulation.tabletop import Tabletop
from sinew_core.specs import ActionSpec, ObservationSpec, ToolMotion
from sinew_core.tasks.parameters import TaskParameters
from sinew_core.tasks.task import FloatArray, Number, Task

if TYPE_CHECKING:
    from sinew_core.robots.model import RobotModel

_CLOSE_M = 1e-3
_MOST_STEPS = 2000


@dataclasses.dataclass(frozen=True, kw_only=True)
class PushParameters(TaskParameters):
    """The object, where it starts and where it is wanted, and the weights of the reward."""

    tolerance_m: float = parameter(
        0.05, "largest distance from object to target", unit="m", minimum=1e-4, maximum=1
    )
    hold_s: float = parameter(
        0.5, "time inside the tolerance; 0: first touch", unit="s", minimum=0, maximum=60
    )
    rest_speed_rad_s: float = parameter(
        1000.0, "joint speed below which a tick counts", unit="rad/s", minimum=1e-4, maximum=1000
    )
    episode_s: float = parameter(6.0, "length of an episode", unit="s", minimum=0.01, maximum=3600)
    start_noise_rad: float = parameter(
        0.03, "half width of the uniform noise on the start", unit="rad", minimum=0, maximum=3.2
    )
    start_rad: tuple[float, ...] = parameter(
        (),
        "start position of each joint; empty: the tool turned as at home, behind the object's box",
        unit="rad",
    )
    object_size_m: float = parameter(0.06, "edge of the cube", unit="m", minimum=0.005, maximum=0.5)
    object_mass_kg: float = parameter(0.2, "mass of the cube", unit="kg", minimum=1e-3, maximum=100)
    table_friction: float = parameter(
        0.5, "friction between cube and table", minimum=0.01, maximum=5
    )
    tool_friction: float = parameter(0.5, "friction between cube and tool", minimum=0, maximum=5)
    tool_radius_m: float = parameter(
        0.02, "radius of the ball around the tool's point, which pushes", unit="m", minimum=1e-3
    )
    table_height_m: float = parameter(0.0, "height of the table, base frame", unit="m")
    tool_height_m: float = parameter(
        0.05, "height of the tool at the start, above the table", unit="m", minimum=0
    )
    lower_m: tuple[float, ...] = parameter(
        (0.5, -0.15), "lower corner (x, y) of objects and targets, base frame", unit="m"
    )
    upper_m: tuple[float, ...] = parameter(
        (0.7, 0.15), "upper corner (x, y) of objects and targets, base frame", unit="m"
    )
    apart_m: float = parameter(
        0.1, "smallest distance from the object's start to its target", unit="m", minimum=0
    )
    distance_weight: float = parameter(
        5.0, "penalty on the distance from object to target", unit="1/m", minimum=0
    )
    precision_weight: float = parameter(
        1.0, "penalty d / (d + precision_m) on the distance d, steep near the target", minimum=0
    )
    precision_m: float = parameter(
        0.05, "distance at which half of that penalty is left", unit="m", minimum=1e-4
    )
    approach_weight: float = parameter(
        2.0, "penalty on the distance from tool to object", unit="1/m", minimum=0
    )
    smoothness_weight: float = parameter(
        0.0, "penalty on the mean square change of the action", minimum=0
    )

    def check(self) -> list[str]:
        """Return violations: a box that is none, or too small for `apart_m`."""
        problems = super().check()
        lower, upper = self.lower_m, self.upper_m
        if not (len(lower) == len(upper) == 2) or any(
            low >= high for low, high in zip(lower, upper, strict=True)
        ):
            problems.append(
                f"lower_m {list(lower)} and upper_m {list(upper)}: give [x, y], the lower below"
            )
        elif math.dist(lower, upper) < 2.0 * self.apart_m:
            problems.append(
                f"apart_m {self.apart_m} is more than half of the diagonal of lower_m and upper_m: "
                "lower it"
            )
        return problems


class PushTask(Task):
    """Samples objects and targets on the table, and rewards how near they come.

    With distance d (m) from object to target, t (m) from the tool to the object's surface, taken as
    a ball, and mean square change of action c:

    - goal = - distance_weight d - precision_weight d / (d + precision_m)
    - rest = - approach_weight max(t, 0) - smoothness_weight c
    """

    name = "push"
    parameters_class = PushParameters
    action_mode = "tool_velocity"
    achieved = "object"

    def __init__(self, robot: RobotModel, parameters: PushParameters, rates: Rates) -> None:
        """Take robot, parameters and rates.

        Raises:
            ConfigError: for a start that does not fit the robot, or one that it cannot reach.
        """
        p = parameters
        start = np.array(p.start_rad) if p.start_rad else _start_behind(robot, p)
        super().__init__(robot, p, rates, start)
        self.parameters = p
        self.scene = Tabletop(
            table_height_m=p.table_height_m,
            object_size_m=p.object_size_m,
            object_mass_kg=p.object_mass_kg,
            table_friction=p.table_friction,
            tool_friction=p.tool_friction,
            tool_radius_m=p.tool_radius_m,
        )
        self._height_m = p.table_height_m + 0.5 * p.object_size_m
        self._touch_m = 0.5 * p.object_size_m + p.tool_radius_m

    def observation_spec(self, robot: RobotModel, action: ActionSpec) -> ObservationSpec:
        """Return `push_observation_spec`."""
        return push_observation_spec(robot.limits, action)

    def sample_target(self, rng: np.random.Generator) -> FloatArray:
        """Return a target (3,) m in the base frame for the object's centre, uniform in the box."""
        p = self.parameters
        x, y = (float(v) for v in rng.uniform(p.lower_m, p.upper_m))
        return np.array([x, y, self._height_m])

    def sample_object(
        self, rng: np.random.Generator, target: FloatArray
    ) -> tuple[FloatArray, float]:
        """Return the object's centre (3,) m, off the target, and its heading in rad."""
        place = self.target_apart(rng, target)
        return place, float(rng.uniform(-math.pi / 4.0, math.pi / 4.0))

    def target_apart(self, rng: np.random.Generator, object_position: FloatArray) -> FloatArray:
        """Return a target (3,) m that is `apart_m` from an object at (3,) m, or more."""
        target = self.sample_target(rng)
        # The box is large enough for one to be found, see `PushParameters.check`.
        while np.linalg.norm(target - object_position) < self.parameters.apart_m:
            target = self.sample_target(rng)
        return target

    def goal_part(
        self, distance_m: Number, rms_speed_rad_s: Number, peak_speed_rad_s: Number
    ) -> Number:
        """Return the goal-dependent reward of floats, or of arrays (batch,)."""
        p = self.parameters
        part: Number = -p.distance_weight * distance_m - p.precision_weight * distance_m / (
            distance_m + p.precision_m
        )
        return part

    def rest_part(self, rms_speed_rad_s: Number, power_w: Number, change: Number) -> Number:
        """Return the goal-independent reward of floats, or of arrays (batch,)."""
        return -self.parameters.smoothness_weight * change

    def object_part(self, tool_position: FloatArray, object_position: FloatArray) -> float:
        """Return the penalty on the distance from tool to object."""
        apart = math.dist(tool_position.tolist(), object_position.tolist()) - self._touch_m
        return -self.parameters.approach_weight * max(apart, 0.0)


def _start_behind(robot: RobotModel, p: PushParameters) -> FloatArray:
    """Return joint positions (n,) rad with the tool behind the box, turned as at home.

    The tool is led there from home by the law of tool_velocity.

    Raises:
        ConfigError: where it does not arrive.
    """
    behind = p.lower_m[0] - p.object_size_m - 2.0 * p.tool_radius_m
    across = 0.5 * (p.lower_m[1] + p.upper_m[1])
    aim = np.array([behind, across, p.table_height_m + p.tool_height_m])
    motion = ToolMotion(
        damping_m=0.02,
        rotation_weight_m=0.3,
        return_per_m=5.0,
        home_rad=tuple(robot.home_rad.tolist()),
        joint_speed_rad_s=(1.0,) * robot.n_joints,
    )
    solver, limits = ToolVelocitySolver(robot.chain, motion), robot.limits
    q: FloatArray = robot.home_rad.copy()
    step = np.zeros(robot.n_joints)
    for _ in range(_MOST_STEPS):
        offset = aim - robot.chain.tool_position(q)
        if np.linalg.norm(offset) < _CLOSE_M:
            return q
        q += 0.2 * solver.solve(offset, q, step)
        np.clip(q, limits.position_lower_rad + 0.1, limits.position_upper_rad - 0.1, out=q)
    raise ConfigError(
        f"push: the tool of {robot.name} does not reach {aim.round(3).tolist()} from home: give "
        "push.start_rad, or move push.lower_m and push.upper_m"
    )
