"""The simulated driver: an arm in physics that speaks the topics of ros2_control."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.clock import Clock, ClockType
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from sinew_core.controllers import controller_name
from sinew_core.errors import ConfigError
from sinew_core.randomisation import CONTROLLER_MODES, check_controller
from sinew_core.robots.catalogue import load_robot
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams, check_compensation, load_sim_params
from sinew_core.safety.record import is_hold
from sinew_core.simulation import make_engine
from sinew_core.tasks import TASKS, make_task
from sinew_ros.diagnostics import Diagnostics, Level, Status
from sinew_ros.main import SinewNode, run_node
from sinew_ros.messages import commands_topic, cycle_record, label_stamp, trajectory_topic
from sinew_ros.parameters import Declarations
from sinew_ros.poses import set_pose
from sinew_ros.qos import LATCHED, RELIABLE
from sinew_ros.raw import JointStateWriter, read_controller_command, read_message
from sinew_ros.stamps import period_ns, set_stamp
from sinew_sim.arm import Place, SimulatedArm
from sinew_sim.drives import make_drive
from sinew_sim.emulated import Emulation, Setting
from sinew_sim.emulation.description import published_description
from sinew_sim.emulation.parameters import ArmParameters
from sinew_sim.parameters import SimDriverParameters
from sinew_sim.trajectories import TrajectoryFollower

_REPUBLISH_S = 1.0
_NOISE_STREAM = 0x5E15
"""Keeps the noise of the sensors apart from the starts."""


class SimDriver(SinewNode):
    """Publish joint states, take commands, in real time or in lockstep."""

    def __init__(self) -> None:
        """Load the robot, start the engine at home, open the topics."""
        super().__init__("sim_driver")
        declarations = Declarations(self)
        self._p = p = declarations.declare(SimDriverParameters)
        task = declarations.declare(TASKS[p.task_name].parameters_class, prefix="task")
        emulated = declarations.declare(ArmParameters, prefix="arm")
        declarations.finish()
        self._lockstep = p.pace == "lockstep"
        self._sim_time = bool(self.get_parameter("use_sim_time").value)
        self._wall_stamps = not (self._lockstep or self._sim_time or p.speed != 1.0)
        robot = load_robot(p.robot, urdf=p.urdf)
        params = _read_arm(p, robot)
        self._task = make_task(p.task_name, robot, task, p)
        self._starts = np.random.default_rng(p.seed)
        self._engine = make_engine(p.engine, robot, p.physics_rate_hz, self._task.scene)
        self._arm = self._make_arm(params)
        self._counters: Counter[str] = Counter()
        self._placed_ns = 0  # stamp of the first state after a reset, until it is answered
        self._placed = False  # whether nothing but holds has come since
        joint_names = [p.joint_prefix + name for name in robot.joint_names]
        self._state = JointStateWriter(joint_names)
        self._follower = TrajectoryFollower(joint_names, period_ns(p.state_rate_hz))
        self._step = self._follow if p.adapter == "trajectory" else self._arm.step
        self._accept: Callable[[Sequence[float]], bool] = self._arm.accept
        self._emulation = self._emulate(emulated, robot) if emulated != ArmParameters() else None
        self._clock_message = ClockMessage()
        self._open_topics(robot, emulated)
        self._begin_pace()
        self._publish()

    def _make_arm(self, params: SimParams | None) -> SimulatedArm:
        p = self._p
        return SimulatedArm(
            self._engine,
            make_drive(
                p.taken_mode,
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

    def _emulate(self, emulated: ArmParameters, robot: RobotModel) -> Emulation:
        """Put an emulated arm between topics and simulation."""
        p = self._p
        if self._lockstep and emulated.parts > 1:
            raise ConfigError(
                f"arm.parts is {emulated.parts}: in lockstep each message is answered, use 1"
            )
        setting = Setting(
            mode=p.taken_mode,
            adapter=p.adapter,
            controller=controller_name(p.taken_mode, p.adapter, p.controller),
            joint_prefix=p.joint_prefix,
            period_s=1.0 / p.state_rate_hz,
        )
        emulation = Emulation(self, emulated, setting, robot, self._arm, self._follower.forget)
        self._step = emulation.arm.stepping(self._step)
        self._accept = emulation.arm.accept
        self.companions = emulation.companions
        return emulation

    def _begin_pace(self) -> None:
        """Step with each command, and repeat a state that none has answered; or step by a clock."""
        if self._lockstep:
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            self.create_timer(_REPUBLISH_S / 4, self._republish, clock=steady)
        else:
            self.cycle_period_s = 1.0 / (self._p.state_rate_hz * self._p.speed)
            self.urgent = True

    def _open_topics(self, robot: RobotModel, emulated: ArmParameters) -> None:
        if self._emulation is None:
            self._states = self.create_publisher(JointState, "joint_states", RELIABLE)
            self._publish_states: Callable[[int], None] = self._publish_plainly
        else:
            self._publish_states = self._emulation.publish
        self._object_message = PoseStamped()
        self._object_message.header.frame_id = robot.base_link
        if self._task.scene is not None:
            self._object_poses = self.create_publisher(PoseStamped, "object_pose", RELIABLE)
        self._clock_publisher = self.create_publisher(ClockMessage, "/clock", RELIABLE)
        description = self.create_publisher(String, "robot_description", LATCHED)
        text = published_description(robot.urdf_text, self._p.joint_prefix, emulated.endless_joints)
        description.publish(String(data=text))
        if self._p.adapter == "trajectory":
            topic = trajectory_topic(self._p.controller)
            self._listen(JointTrajectory, topic, self._trajectory)
        else:
            topic = commands_topic(self._p.taken_mode, self._p.controller)
            self._listen(Float64MultiArray, topic, self._command)
        self.create_service(Trigger, "~/reset", self._reset)
        self._diagnostics = Diagnostics(self, self._report)

    def _listen(self, kind: type, topic: str, callback: Callable[[bytes], None]) -> None:
        """Subscribe what the controller takes, by its own node where it has one."""
        node, name = (
            (self, topic) if self._emulation is None else self._emulation.place(self, topic)
        )
        node.create_subscription(kind, name, callback, RELIABLE, raw=True)

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
        stamp = self.get_clock().now().nanoseconds if self._wall_stamps else self._arm.stamp_ns
        if self._sim_time:
            set_stamp(self._clock_message.clock, stamp)
            self._clock_publisher.publish(self._clock_message)
        if self._task.scene is not None:
            message = self._object_message
            set_stamp(message.header.stamp, stamp)
            set_pose(message.pose, self._engine.object_pose())
            self._object_poses.publish(message)
        self._publish_states(stamp)
        self._published_s = time.monotonic()
        self._counters["states"] += 1
        return stamp

    def _publish_plainly(self, stamp: int) -> None:
        arm = self._arm
        self._states.publish(
            self._state.write(
                stamp, arm.position.tolist(), arm.velocity.tolist(), arm.effort.tolist()
            )
        )

    def _republish(self) -> None:
        if time.monotonic() - self._published_s >= _REPUBLISH_S:
            self._counters["states_republished"] += 1
            self._publish()

    def _command(self, data: bytes) -> None:
        label, values = read_controller_command(data)
        if self._admits(label_stamp(label)):
            message = read_message(data, Float64MultiArray) if self._placed else None
            if message is None or not self._leaves_out(cycle_record(message)):
                self._taken(self._accept(values))

    def _trajectory(self, data: bytes) -> None:
        message = read_message(data, JointTrajectory)
        stamp, _, beside = ("" if message is None else message.header.frame_id).partition(" ")
        if self._admits(label_stamp(stamp)) and not self._leaves_out(beside.partition(" ")[2]):
            self._taken(message is not None and self._takes(message))

    def _takes(self, message: JointTrajectory) -> bool:
        """Take a trajectory; a controller that is not active hears it, and that is all."""
        if self._emulation is not None and not self._emulation.arm.hears():
            return True
        return not self._follower.take(message)

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

    def _leaves_out(self, record: str) -> bool:
        """Tell whether a position is a hold, as recorded, of where the arm was before its reset.

        The filter's hold does not jump after an arm that was placed elsewhere; arming does.
        """
        if self._placed and is_hold(record):
            self._counters["holds_left_out"] += 1
            return True
        self._placed = False
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
        if self._emulation is not None:
            self._emulation.arm.reset()
        self._counters["resets"] += 1
        self._placed = self._p.taken_mode == "joint_position" and not self._lockstep
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
        emulated: dict[str, object] = {}
        if self._emulation is not None:
            emulated = self._emulation.values()
            level = Level.ERROR if self._emulation.stopped else level
            message = self._emulation.stopped or message
        values: dict[str, object] = {
            "robot": self._p.robot,
            "engine": self._p.engine,
            "mode": self._p.mode,
            "pace": self._p.pace,
            "watchdog_trips": trips,
            **emulated,
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
    params = load_sim_params(p.sim_params, robot, CONTROLLER_MODES[p.taken_mode])
    check_controller(params.controller, p.taken_mode)
    check_compensation(params.controller, gravity_compensation=p.gravity_compensation)
    return params


def main(args: Sequence[str] | None = None) -> int:
    """Run the simulated driver."""
    return run_node(SimDriver, args)


if __name__ == "__main__":
    sys.exit(main())
