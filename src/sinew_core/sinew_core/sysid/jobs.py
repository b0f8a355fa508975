"""The jobs of the system_id and gap nodes: from a bag to an output folder."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from sinew_core.bags.reader import read_recording
from sinew_core.bags.recording import Recording
from sinew_core.errors import BagError, ConfigError
from sinew_core.robots.arm_controller import GAINS, ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams, read_sim_params
from sinew_core.simulation.rollout import EnginePlant, Plant
from sinew_core.sysid.controller_file import KnownController, read_controller, unknown_controller
from sinew_core.sysid.described import described_robot
from sinew_core.sysid.gap import Gap, Simulator, measure_gap
from sinew_core.sysid.outputs import check_output, gap_files, identification_files, write_folder
from sinew_core.sysid.outputs.gap_page import gap_rows, sentence
from sinew_core.sysid.parameters import BagParameters, GapParameters, SystemIdParameters

Tell = Callable[[Mapping[str, object]], None]


def measure(values: Mapping[str, object], tell: Tell) -> None:
    """Write the gap of the nominal, and of the identified arm if there is one."""
    p = GapParameters.from_mapping(values)
    folder = check_output(Path(p.output), overwrite=p.overwrite)
    robot, recording = _read(p, tell)
    simulator = make_simulator(p.engine, robot, p.physics_rate_hz)
    given = read_sim_params(Path(p.sim_params), robot) if p.sim_params else None
    controller = _controller(p, robot, recording, given)
    arms = {"nominal": SimParams(dynamics=ArmDynamics.nominal(robot), controller=controller)}
    if given is not None:
        arms["identified"] = given
    gaps = []
    for label, params in arms.items():
        tell({"progress": {"stage": f"replaying with the {label} arm"}})
        gaps.append(measure_gap(recording, simulator, params, label, p.horizon_s))
    joints = robot.joint_names
    files = gap_files(gaps, joints, robot=robot.name, bag=recording.source, date=_today())
    write_folder(folder, files, overwrite=p.overwrite)
    lines = [*gap_rows(gaps, joints), *(sentence(gap) for gap in gaps)]
    tell({"done": str(folder), "lines": lines})


def make_simulator(engine: str, robot: RobotModel, physics_rate_hz: int) -> Simulator:
    """Return what rolls commands out: the compiled plant, or an engine."""
    if engine == "compiled":
        return Plant(robot, physics_rate_hz)
    return EnginePlant(engine, robot, physics_rate_hz)


def _read(p: BagParameters, tell: Tell) -> tuple[RobotModel, Recording]:
    def read(joint_names: tuple[str, ...]) -> Recording:
        return read_bag(p, p.bag, joint_names)

    tell({"progress": {"stage": "reading"}})
    robot, recording = described_robot(p.robot, p.urdf, read)
    for defect in recording.defects:
        tell({"say": f"{defect.topic}: {defect.text} ({defect.count} times)"})
    return robot, recording


def read_bag(p: BagParameters, bag: str, joint_names: tuple[str, ...]) -> Recording:
    """Return the recording in a bag, with the topics that the parameters name."""
    return read_recording(
        Path(bag).expanduser(),
        joint_names,
        state_topic=p.state_topic,
        command_topic=p.command_topic,
        namespace=p.namespace,
    )


def _controller(
    p: BagParameters, robot: RobotModel, recording: Recording, given: SimParams | None
) -> ArmController | None:
    """Return the controllers of the nominal arm: known from a file, or as identified."""
    if p.controller:
        return known_controller(read_controller(Path(p.controller), robot), robot, p.controller)
    return given.controller if given is not None else None


def known_controller(known: KnownController, robot: RobotModel, source: str) -> ArmController:
    """Return controllers of which everything is known.

    Raises:
        ConfigError: names the gains that are not.
    """
    gains = {name: known.gain(name, robot.n_joints) for name in GAINS[known.mode]}
    missing = [
        f"{name}/{joint}"
        for name, values in gains.items()
        for joint, value in zip(robot.joint_names, values.tolist(), strict=True)
        if math.isnan(value)
    ]
    if missing:
        raise ConfigError(
            f"{source} does not give {', '.join(missing)}: a replay needs every gain; add them, or "
            "identify them and give sim_params:=FILE"
        )
    return ArmController(
        mode=known.mode,
        gains=gains,
        gravity_compensation=known.gravity_compensation,
        hold=known.hold,
    )


def _today() -> str:
    return datetime.datetime.now(tz=datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


JOBS: dict[str, Callable[[Mapping[str, object], Tell], None]] = {"gap": measure}
