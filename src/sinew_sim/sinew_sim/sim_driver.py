"""The simulated driver: an arm in physics that speaks the topics of ros2_control."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.clock import Clock, ClockType
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from sinew_core.parameters import parameter
from sinew_core.randomisation import CONTROLLER_MODES, check_controller
from sinew_core.rates import Rates
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams, check_compensation, load_sim_params
from sinew_core.safety.make import FILTERED_MODES
from sinew_core.simulation import ENGINE_NAMES, make_engine
from sinew_core.tasks import TASKS, make_task
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.messages import commands_topic, label_stamp, trajectory_topic
from sinew_ros.parameters import Declarations
from sinew_ros.poses import set_pose
from sinew_ros.qos import LATCHED, RELIABLE
from sinew_ros.raw import JointStateWriter, read_controller_command, read_trajectory
from sinew_ros.stamps import period_ns, set_stamp
from sinew_sim.arm import Place, SimulatedArm
from sinew_sim.drives import make_drive
from sinew_sim.trajectories import TrajectoryFollower

_REPUBLISH_S = 1.0
_NOISE_STREAM = 0x5E15
"""Keeps the noise of the sensors apart from the starts."""


@dataclass(frozen=True, kw_only=True)
class SimDriverParameters(Rates):
    """Parameters of the simulated driver."""

    robot: str = parameter("panda", "Robot of the catalogue, or a path to a robot file")
    urdf: str = parameter("", "Path to a URDF that replaces the robot's own; empty: none")
    engine: str = parameter("pybullet", "Physics engine", choices=ENGINE_NAMES)
    sim_params: str = parameter(
        "",
        "mismatched, or a YAML file, of an arm and its joint controllers; empty: the nominal arm",
    )
    pace: str = parameter(
        "realtime",
        "Run by the clock, or one filter period for each command that answers a state",
        choices=("realtime", "lockstep"),
    )
    speed: float = parameter(
        1.0, "Simulated seconds per second in real time", minimum=0.01, maximum=100.0
    )
    mode: str = parameter("joint_velocity", "What the commands are", choices=FILTERED_MODES)
    controller: str = parameter("", "Takes <controller>/commands; empty: that of the mode")
    adapter: str = parameter(
        "forward",
        "Takes <controller>/commands, or <controller>/joint_trajectory, one point each (positions)",
        choices=("forward", "trajectory"),
    )
    joint_prefix: str = parameter(
        "", "In front of the joint names in joint_states and in trajectories"
    )
    gravity_compensation: bool = parameter(
        True, "Efforts: whether the effort that gravity asks for is added"
    )
    driver_watchdog_s: float = parameter(
        0.1,
        "Simulated time without a command after which the arm is brought to rest; 0: never",
        unit="s",
        minimum=0.0,
        maximum=10.0,
    )
    task_name: str = parameter(
        "reach",
        "Task whose starts ~/reset places the arm and its object at",
        choices=tuple(TASKS),
    )
    seed: int = parameter(0, "Seed of the sequence of starts of ~/reset", minimum=0)

    def check(self) -> list[str]:
        """Return violations of the rates, and states between cycles in lockstep."""
        problems = super().check()
        if self.pace == "lockstep" and self.state_rate_hz != self.filter_rate_hz:
            problems.append(
                f"state_rate_hz {self.state_rate_hz} differs from filter_rate_hz "
                f"{self.filter_rate_hz}: lockstep has one state per cycle of the filter"
            )
        if self.adapter == "trajectory" and self.mode != "joint_position":
            problems.append(
                f"adapter is trajectory, mode {self.mode}: trajectories are followed by positions, "
                "use mode joint_position"
            )
        return problems


class SimDriver(SinewNode):
    """Publish joint states, take commands, in real time or in lockstep."""

    def __init__(self) -> None:
        """Load the robot, start the engine at home, open the topics."""
        super().__init__("sim_driver")
        declarations = Declarations(self)
        self._p = p = declarations.declare(SimDriverParameters)
        task = declarations.declare(TASKS[p.task_name].parameters_class, prefix="task")
        declarations.finish()
        self._lockstep = p.pace == "lockstep"
        self._sim_time = bool(self.get_parameter("use_sim_time").value)
        self._wall_stamps = not (self._lockstep or self._sim_time or p.speed != 1.0)
        robot = load_robot(p.robot, urdf=p.urdf)
        params = _read_arm(p, robot)
        self._task = make_task(p.task_name, robot, task, p)
        self._starts = np.random.default_rng(p.seed)
        self._engine = make_engine(p.engine, robot, p.physics_rate_hz, self._task.scene)
        self._arm = SimulatedArm(
            self._engine,
            make_drive(
                p.mode,
                self._engine,
                1.0 / p.state_rate_hz,
                gravity_compensation=p.gravity_compensation,
                controlled=bool(params and params.controller),
            ),
            period_ns=period_ns(p.state_rate_hz),
            watchdog_s=0.0 if self._lockstep else p.driver_watchdog_s,
            params=params,
            command_period_s=p.filter_period_s,
            rng=np.random.default_rng([p.seed, _NOISE_STREAM]),
            thing=self._draw_object(),
        )
        self._counters: Counter[str] = Counter()
        self._placed_ns = 0  # stamp of the first state after a reset, until it is answered
        joint_names = [p.joint_prefix + name for name in robot.joint_names]
        self._state = JointStateWriter(joint_names)
        self._follower = TrajectoryFollower(joint_names, period_ns(p.state_rate_hz))
        self._step = self._follow if p.adapter == "trajectory" else self._arm.step
        self._clock_message = ClockMessage()
        self._open_topics(robot)
        self._begin_pace()
        self._publish()

    def _begin_pace(self) -> None:
        """Step with each command, and repeat a state that none has answered; or step by a clock."""
        if self._lockstep:
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            self.create_timer(_REPUBLISH_S / 4, self._republish, clock=steady)
        else:
            self.cycle_period_s = 1.0 / (self._p.state_rate_hz * self._p.speed)
            self.urgent = True

    def _open_topics(self, robot: RobotModel) -> None:
        self._states = self.create_publisher(JointState, "joint_states", RELIABLE)
        self._object_message = PoseStamped()
        self._object_message.header.frame_id = robot.base_link
        if self._task.scene is not None:
            self._object_poses = self.create_publisher(PoseStamped, "object_pose", RELIABLE)
        self._clock_publisher = self.create_publisher(ClockMessage, "/clock", RELIABLE)
        description = self.create_publisher(String, "robot_description", LATCHED)
        description.publish(String(data=robot.urdf_text))
        if self._p.adapter == "trajectory":
            topic = trajectory_topic(self._p.controller)
            self.create_subscription(JointTrajectory, topic, self._trajectory, RELIABLE, raw=True)
        else:
            topic = commands_topic(self._p.mode, self._p.controller)
            self.create_subscription(Float64MultiArray, topic, self._command, RELIABLE, raw=True)
        self.create_service(Trigger, "~/reset", self._reset)
        self._diagnostics = Diagnostics(self, self._report)

    def cycle(self, missed: int) -> None:
        """Advance to the present (real time): an arm goes on moving while its driver is late."""
        trips = self._arm.watchdog_trips
        for _ in range(1 + min(missed, self._p.state_rate_hz)):
            self._step()
        self._publish()
        if self._arm.watchdog_trips != trips:
            self._diagnostics.changed()

    def _publish(self) -> int:
        """Publish the present state; return its stamp."""
        arm = self._arm
        stamp = self.get_clock().now().nanoseconds if self._wall_stamps else arm.stamp_ns
        if self._sim_time:
            set_stamp(self._clock_message.clock, stamp)
            self._clock_publisher.publish(self._clock_message)
        if self._task.scene is not None:
            message = self._object_message
            set_stamp(message.header.stamp, stamp)
            set_pose(message.pose, self._engine.object_pose())
            self._object_poses.publish(message)
        self._states.publish(
            self._state.write(
                stamp, arm.position.tolist(), arm.velocity.tolist(), arm.effort.tolist()
            )
        )
        self._published_s = time.monotonic()
        self._counters["states"] += 1
        return stamp

    def _republish(self) -> None:
        if time.monotonic() - self._published_s >= _REPUBLISH_S:
            self._counters["states_republished"] += 1
            self._publish()

    def _command(self, data: bytes) -> None:
        label, values = read_controller_command(data)
        if self._admits(label_stamp(label)):
            self._taken(self._arm.accept(values))

    def _trajectory(self, data: bytes) -> None:
        message = read_trajectory(data)
        label = "" if message is None else message.header.frame_id
        if self._admits(label_stamp(label.partition(" ")[0])):
            self._taken(message is not None and not self._follower.take(message))

    def _follow(self) -> None:
        """Advance by one period on the way to the last trajectory's point."""
        position = self._follower.advance(self._arm.command.tolist())
        if position is not None:
            self._arm.accept(position)
        self._arm.step()

    def _admits(self, stamp: int | None) -> bool:
        """Tell whether a command is of now; this is the stamp of the state that it answers."""
        if self._lockstep and stamp != self._arm.stamp_ns:
            self._counters["commands_for_another_state"] += 1
        elif stamp is not None and stamp < self._placed_ns:
            # It may hold the arm where it was before the reset, whose state comes to the filter.
            self._counters["commands_before_reset"] += 1
        else:
            return True
        return False

    def _taken(self, accepted: bool) -> None:
        """Count a command that is refused; in lockstep advance under one that is in force."""
        if not accepted:
            self._counters["commands_rejected"] += 1
            if self._counters["commands_rejected"] == 1:
                self._diagnostics.changed()
            return
        self._placed_ns = 0
        if self._lockstep:
            self._step()
            self._publish()

    def _reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        start = self._task.sample_start(self._starts)
        self._arm.reset(start, self._draw_object())
        self._follower.forget()
        self._counters["resets"] += 1
        self._placed_ns = self._publish()
        response.success = True
        response.message = "at rest at " + ", ".join(f"{q:.4f}" for q in start)
        return response

    def _draw_object(self) -> Place | None:
        """Return where the task's object starts, off a target that is drawn for that."""
        if self._task.scene is None:
            return None
        return self._task.sample_object(self._starts, self._task.sample_target(self._starts))

    def _report(self) -> Status:
        rejected = self._counters["commands_rejected"]
        trips = self._arm.watchdog_trips
        level = Level.WARN if rejected or trips else Level.OK
        message = (
            f"{rejected} commands rejected, {trips} watchdog trips" if level != Level.OK else ""
        )
        values: dict[str, object] = {
            "robot": self._p.robot,
            "engine": self._p.engine,
            "mode": self._p.mode,
            "pace": self._p.pace,
            "watchdog_trips": trips,
            **dict(sorted(self._counters.items())),
        }
        return level, message or "running", values

    def on_stop(self) -> None:
        """Release the engine."""
        self._engine.close()


def _read_arm(p: SimDriverParameters, robot: RobotModel) -> SimParams | None:
    """Return the arm that is simulated, None for the nominal one.

    Raises:
        ConfigError: its file cannot be read, or its controllers take other commands.
    """
    if not p.sim_params:
        return None
    params = load_sim_params(p.sim_params, robot, CONTROLLER_MODES[p.mode])
    check_controller(params.controller, p.mode)
    check_compensation(params.controller, gravity_compensation=p.gravity_compensation)
    return params


def main(args: Sequence[str] | None = None) -> int:
    """Run the simulated driver."""
    return run_node(SimDriver, args)


if __name__ == "__main__":
    sys.exit(main())
