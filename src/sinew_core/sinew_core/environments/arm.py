"""A task with one arm, as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import gymnasium
import numpy as np
from numpy.typing import NDArray

from sinew_core.action import ActionDecoder, ActionParameters
from sinew_core.environments.compiled import tick_figures
from sinew_core.environments.copies import Copies, check_arm
from sinew_core.environments.drive import make_drive
from sinew_core.environments.varied import VariedArm
from sinew_core.errors import ConfigError, suggest
from sinew_core.observation import ObservationBuilder, Signals
from sinew_core.randomisation import Randomisation
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.compiled import compiled_tool_position
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.simulation import make_engine
from sinew_core.tasks.parameters import TaskParameters
from sinew_core.tasks.setup import TaskSetup

FloatArray: TypeAlias = NDArray[np.float64]
Observation: TypeAlias = NDArray[np.float32]
Action: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
Info: TypeAlias = dict[str, object]

_RESET_OPTIONS = ("object_place", "start_rad", "target_m", "dynamics", "dynamics_seed")
"""The first for a task with an object only."""
_RENDER_SIZE = (640, 480)


class ArmEnv(gymnasium.Env[Observation, Action]):
    """Bring the tool of an arm, or an object that it pushes, to a target.

    One step is one control period. It runs the chain of the deployed graph: observation, action,
    desired command; then for each cycle of the safety filter: measured position, filter, physics.

    Observation, float32, is what `observation_spec` lists, each value times its scale; that of
    reach, for n joints:

    | index | field | unit | 1 stands for |
    |---|---|---|---|
    | 0 … n-1 | joint position | rad | the larger position limit |
    | n … 2n-1 | joint velocity | rad/s | the velocity limit |
    | 2n … 2n+2 | target from tool, base frame | m | 0.2 m |
    | 2n+3 … 2n+2+m | previous action | none | 1 |

    Action, m values in [-1, 1], clipped; what 1 stands for is an `ActionParameters`; m is n, or 3
    for tool_velocity:

    | action_mode | asks for | unit of the scale |
    |---|---|---|
    | joint_velocity | a joint velocity, through the safety filter | rad/s |
    | joint_position | a move from the measured position, through the safety filter | rad |
    | joint_effort | an effort, through the safety filter | N m |
    | joint_acceleration | a damped acceleration, as efforts through the filter | rad/s² |
    | tool_velocity | a velocity of the tool, base frame, as joint velocities | m/s |

    `robots.tool_velocity` makes joint velocities of the tool's, `robots.joint_acceleration` efforts
    of accelerations; they pass the safety filter, too.

    `terminated` comes only from success, and only with `terminate_on_success`; `truncated` only
    from the end of the episode. `info` of reset and step: is_success (stays true once reached),
    tool_position, target_position and achieved_goal (the object's position where there is one, else
    the tool's), each (3,) m in the base frame, seen_goal (3,) m (where the sensors have that),
    distance_m from achieved_goal to target, joint_velocity (n,) rad/s, reward_rest (the part of the
    reward that no target changes), interventions (joint commands that the filter changed in this
    step), filter_fault (0: none) and time_s since the episode began.

    `reset` takes options start_rad (n,), target_m (3,) and object_place (4,), the object's centre
    in m and its heading in rad, in place of random ones, and one of dynamics, an `ArmDynamics` or
    None for the environment's own arm, that of `sim_params` or the nominal one, and dynamics_seed,
    the seed of a draw of `randomisation`. Without either, an environment with a randomisation draws
    anew at each reset with a seed, as a function of that, and at others after `every_episodes`.
    `info` of reset then has dynamics, all values by name. Success, reward and `info` are by the
    truth, observation, filter and seen_goal by the noisy sensors of the joints; an object is seen
    where it is.

    `signals` are the present ones, `decoder` turns an action into what is desired of the joints.

    Args:
        robot: name, path of a robot file, or a model.
        urdf: path of a URDF that replaces the robot's own.
        engine: one of `sinew_core.simulation.ENGINE_NAMES`.
        action_mode: one of `sinew_core.specs.ACTION_MODES`.
        task: one of `sinew_core.tasks.TASKS`.
        task_parameters: of the task; None: its defaults.
        action_parameters: scale of the action.
        rates: of physics, filter and control.
        safety: of the safety filter.
        command_delay_cycles: filter cycles until a decision takes effect; the last one holds.
        gravity_compensation: whether joint_effort counts from the effort that holds the arm.
        terminate_on_success: whether success ends the episode.
        randomisation: of the arm's dynamics; None for always the environment's own arm.
        sim_params: the environment's own arm and its joint controllers, which every copy of it has;
            None for the nominal arm with ideal drives.
        render_mode: None or "rgb_array".
    """

    # Gymnasium reads it from the class and types it as an instance's.
    metadata: dict[str, object] = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012

    def __init__(
        self,
        robot: str | RobotModel = "panda",
        urdf: str = "",
        engine: str = "pybullet",
        action_mode: str = "joint_velocity",
        *,
        task: str = "reach",
        task_parameters: TaskParameters | None = None,
        action_parameters: ActionParameters | None = None,
        rates: Rates | None = None,
        safety: SafetyParameters | None = None,
        command_delay_cycles: int = 0,
        gravity_compensation: bool = True,
        terminate_on_success: bool = False,
        randomisation: Randomisation | None = None,
        sim_params: SimParams | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Start the engine.

        Raises:
            ConfigError: for an unknown name, a delay beyond one control period, an arm or a
                randomisation beyond what the safety filter assumes, controllers that take other
                commands, or accelerations of an arm whose weight nothing carries.
            RobotError: for a robot that cannot be loaded.
        """
        self.robot = load_robot(robot, urdf=urdf) if isinstance(robot, str) else robot
        setup = TaskSetup.make(
            self.robot,
            action_mode,
            task=task,
            task_parameters=task_parameters,
            action_parameters=action_parameters,
            rates=rates,
            safety=safety,
        )
        check_arm(setup, sim_params, randomisation, gravity_compensation=gravity_compensation)
        self._prepare(setup)
        self.render_mode = _checked_render_mode(render_mode)
        self.terminate_on_success = terminate_on_success
        self._delay = _checked_delay(command_delay_cycles, self.rates)
        self._make_arm(engine, gravity_compensation=gravity_compensation)
        parts = (self._engine, self._drive, compiled_tool_position(self.robot.chain))
        self._copies = Copies(*parts, self.rates.filter_period_s, randomisation, sim_params)

    def _make_arm(self, engine: str, *, gravity_compensation: bool) -> None:
        if self.action_spec.acceleration is not None and not gravity_compensation:
            raise ConfigError(
                "action_mode joint_acceleration with gravity_compensation False: its efforts do "
                "not carry the arm's weight; compensate gravity or choose joint_effort"
            )
        self._engine = make_engine(engine, self.robot, self.rates.physics_rate_hz, self.task.scene)
        self._drive = make_drive(
            self.action_spec.mode,
            self._engine,
            self.robot,
            self.safety_parameters,
            self.rates.filter_period_s,
            gravity_compensation=gravity_compensation,
        )

    def _prepare(self, setup: TaskSetup) -> None:
        """Take over the setup; make the spaces and all that is used again in every step."""
        self.setup, self.rates, self.task = setup, setup.rates, setup.task
        self.metadata = {**self.metadata, "render_fps": self.rates.control_rate_hz}
        self.safety_parameters = setup.safety_parameters
        self.action_spec, self.observation_spec = setup.action_spec, setup.observation_spec
        size, n = self.observation_spec.size, self.robot.n_joints
        self.builder = ObservationBuilder(
            self.observation_spec, compiled_tool_position(self.robot.chain)
        )
        self.decoder = ActionDecoder(self.action_spec, self.robot.chain)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        n_actions = self.action_spec.size
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (n_actions,), np.float32)
        self.signals = Signals(n, n_actions)
        self._has_object = self.task.scene is not None
        self._effort = np.zeros(n)
        self._desired = np.zeros(n)
        self._desired_before = np.zeros(n)
        self._action_before = np.zeros(n_actions)
        self._ticks = 0
        self._interventions = 0
        self._varied: VariedArm | None = None

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, object] | None = None
    ) -> tuple[Observation, Info]:
        """Begin an episode at rest; equal seeds give equal episodes to the last bit.

        Raises:
            ConfigError: for an unknown option, or one with a value that cannot be.
        """
        super().reset(seed=seed)
        start = self.task.sample_start(self.np_random)
        target = self.task.sample_target(self.np_random)
        placed: FloatArray | None = None
        given = dict(options or {})
        self._copies.choose(given, self.np_random, seeded=seed is not None)
        self._varied = self._copies.present
        for name, value in given.items():
            if name == "start_rad":
                start = _vector(name, value, start.size)
            elif name == "target_m":
                target = _vector(name, value, target.size)
            elif name == "object_place" and self._has_object:
                placed = _vector(name, value, 4)
            else:
                allowed = _RESET_OPTIONS[0 if self._has_object else 1 :]
                raise ConfigError(f"reset option '{name}': {suggest(name, allowed)}")
        self._begin(start, target)
        if self._has_object:
            place, heading = self.task.sample_object(self.np_random, target)
            if placed is not None:
                place, heading = placed[:3], float(placed[3])
            self._engine.place_object(place, heading)
            self.signals.follow_object(self._engine.object_pose(), moving=False)
        observation, _, info = self._observe()
        if self._varied is not None:
            info["dynamics"] = self._varied.params.dynamics.values(self.robot)
        return observation, info

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, Info]:
        """Advance by one control period under an action (m,) in [-1, 1]."""
        signals = self.signals
        desired, before = self._desired, self._desired_before
        self.decoder.decode(action, signals.joint_position, signals.joint_velocity, desired)
        engine, drive, varied = self._engine, self._drive, self._varied
        position, velocity = signals.joint_position, signals.joint_velocity
        steps = self.rates.physics_steps_per_cycle
        for cycle in range(self.rates.cycles_per_control):
            wanted = desired if cycle >= self._delay else before
            if varied is None:
                drive.cycle(wanted, position, velocity)
                engine.step(steps)
                engine.read_state(position, velocity, self._effort)
            else:
                varied.cycle(wanted, position, velocity, steps)
                varied.measure(position, velocity, self._effort, self.np_random)
        if self._has_object:
            self.signals.follow_object(self._engine.object_pose(), moving=True)
        self._desired, self._desired_before = before, desired
        self._action_before, signals.previous_action = signals.previous_action, self._action_before
        signals.previous_action[:] = self.decoder.action
        self._ticks += 1
        observation, reward, info = self._observe()
        terminated = self.terminate_on_success and self.task.judge.succeeded
        truncated = self._ticks >= self.task.episode_ticks and not terminated
        return observation, reward, terminated, truncated, info

    def render(self) -> NDArray[np.uint8] | None:
        """Return a picture (480, 640, 3), or None without a render mode."""
        if self.render_mode is None:
            return None
        return self._engine.render(*_RENDER_SIZE, self.signals.target_position_base)

    def close(self) -> None:
        """Stop the engine."""
        self._engine.close()

    def _begin(self, start: FloatArray, target: FloatArray) -> None:
        signals = self.signals
        signals.target_position_base = target
        signals.previous_action[:] = 0.0
        self._action_before[:] = 0.0
        self._engine.reset(start)
        if self._varied is None:
            self._engine.read_state(signals.joint_position, signals.joint_velocity, self._effort)
        else:
            self._varied.begin()
            self._varied.measure(
                signals.joint_position, signals.joint_velocity, self._effort, self.np_random
            )
        self._drive.reset(signals.joint_position)
        self.decoder.decode(
            signals.previous_action,
            signals.joint_position,
            signals.joint_velocity,
            self._desired_before,
        )
        self._ticks = 0
        self._interventions = 0
        self.task.judge.reset()

    def _observe(self) -> tuple[Observation, float, Info]:
        """Judge and reward the state of this control tick, and return what the agent sees."""
        signals, task = self.signals, self.task
        observation = self.builder.build(signals)
        seen = self.builder.tool_position_base
        tool, velocity = seen, signals.joint_velocity
        if self._varied is not None:
            tool, velocity = self._varied.tool_position, self._varied.velocity
        achieved = tool
        if self._has_object:
            achieved = seen = signals.object_position_base
        figures = tick_figures(
            achieved,
            signals.target_position_base,
            velocity,
            self._effort,
            signals.previous_action,
            self._action_before,
        )
        reward_goal, reward_rest = task.reward_parts(figures, tool, achieved)
        distance, _, peak_speed, _, _ = figures
        interventions = self._drive.interventions
        info: Info = {
            "is_success": task.judge.update(distance, peak_speed),
            "tool_position": tool.copy(),
            "achieved_goal": achieved.copy(),
            "seen_goal": seen.copy(),
            "target_position": signals.target_position_base.copy(),
            "distance_m": distance,
            "joint_velocity": velocity.copy(),
            "reward_rest": reward_rest,
            "interventions": interventions - self._interventions,
            "filter_fault": self._drive.fault,
            "time_s": self._ticks * self.rates.control_period_s,
        }
        self._interventions = interventions
        return observation, reward_goal + reward_rest, info


def _checked_render_mode(render_mode: str | None) -> str | None:
    if render_mode not in (None, "rgb_array"):
        raise ConfigError(f"render_mode '{render_mode}': choose 'rgb_array' or None")
    return render_mode


def _vector(option: str, value: object, size: int) -> FloatArray:
    try:
        vector = np.array(value, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        vector = np.empty(0)
    if vector.size != size or not np.isfinite(vector).all():
        raise ConfigError(f"reset option '{option}' is {value!r:.60}: give {size} finite numbers")
    return vector


def _checked_delay(command_delay_cycles: int, rates: Rates) -> int:
    if not 0 <= command_delay_cycles <= rates.cycles_per_control:
        raise ConfigError(
            f"command_delay_cycles is {command_delay_cycles}: allowed 0 to "
            f"{rates.cycles_per_control}, one control period"
        )
    return command_delay_cycles
