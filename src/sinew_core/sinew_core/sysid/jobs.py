"""The jobs of the system_id and gap nodes: from a bag to an output folder."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from sinew_core.bags.reader import read_recording
from sinew_core.bags.recording import Recording
from sinew_core.errors import ConfigError, UnstableError
from sinew_core.robots.arm_controller import GAINS, ArmController
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.robots.model import RobotModel
from sinew_core.robots.sim_params import SimParams, load_sim_params
from sinew_core.simulation.rollout import EnginePlant, Plant
from sinew_core.sysid.controller_file import KnownController, read_controller, unknown_controller
from sinew_core.sysid.described import described_robot
from sinew_core.sysid.fitting import IdentifyProgress
from sinew_core.sysid.gap import Gap, NoSimulator, Simulator, measure_gap
from sinew_core.sysid.identification import Identification
from sinew_core.sysid.identify import identify
from sinew_core.sysid.options import FitOptions, IdentifyOptions
from sinew_core.sysid.outputs import check_output, gap_files, identification_files, write_folder
from sinew_core.sysid.outputs.folder import GAP_FILES
from sinew_core.sysid.outputs.gap_page import gap_rows, sentence
from sinew_core.sysid.outputs.lines import identification_lines
from sinew_core.sysid.outputs.write import IDENTIFIED, NOMINAL
from sinew_core.sysid.parameter_names import DEFAULT_PATTERNS
from sinew_core.sysid.parameters import BagParameters, GapParameters, SystemIdParameters
from sinew_core.sysid.plants import HIGHEST_RATE_HZ, needed_rate_hz
from sinew_core.sysid.stopping import uninterrupted
from sinew_core.sysid.usable import NO_SCALE, lacks_scale

_SHARES = {
    "start": 0.05,
    "fit": 0.1,
    "search": 0.1,
    "refit": 0.8,
    "left out": 0.82,
    "validation": 0.85,
    "report": 0.9,
}
_FIT_SHARE = 0.7
"""Parts of the whole at which each stage begins, for the bar."""
_SCALE_REMEDY = "give gains by controller:=, or record efforts"

Tell = Callable[[Mapping[str, object]], None]


def identify_arm(values: Mapping[str, object], tell: Tell) -> None:
    """Identify an arm, and write its parameters, the ranges for training, and the report."""
    p = SystemIdParameters.from_mapping(values)
    folder = check_output(Path(p.output), overwrite=p.overwrite)
    robot, recording = _read(p, tell)
    other = _read_bag(p, p.held_out, robot) if p.held_out else None
    if other is not None:
        _tell_defects(other, tell, "held_out: ")

    def report(progress: IdentifyProgress) -> None:
        share = _SHARES.get(progress.stage, 0.0)
        if progress.stage == "fit":
            share += _FIT_SHARE * progress.step / p.max_steps
        tell({"progress": dataclasses.asdict(progress) | {"share": share}})

    options, known = _options(p), _known(p, robot, recording)
    if lacks_scale(recording, known, use_effort=options.use_effort):
        tell({"say": f"nothing absolute will be known: {NO_SCALE}; {_SCALE_REMEDY}"})
    found = identify(recording, robot, known, options, other, report)
    gaps: list[Gap] = []
    with contextlib.suppress(KeyboardInterrupt):
        tell({"progress": {"stage": "report", "share": _SHARES["report"]}})
        if recording.commands is not None and not found.interrupted:
            gaps = _gaps_of(found, robot, options, p.horizon_s, tell)
    with uninterrupted():
        files = identification_files(found, robot, gaps, date=_today())
        write_folder(folder, files, overwrite=p.overwrite)
        tell({"done": str(folder), "lines": identification_lines(found)})


def measure(values: Mapping[str, object], tell: Tell) -> None:
    """Write the gap of the nominal, and of the identified arm if there is one."""
    p = GapParameters.from_mapping(values)
    folder = check_output(Path(p.output), overwrite=p.overwrite, files=GAP_FILES)
    robot, recording = _read(p, tell)
    sent = recording.commands.mode if recording.commands is not None else ""
    given = load_sim_params(p.sim_params, robot, sent) if p.sim_params else None
    known = read_controller(Path(p.controller), robot) if p.controller else None
    controller = given.controller if given is not None else None
    if known is not None:
        controller = known_controller(known, robot, p.controller)
    arms = {NOMINAL: SimParams(dynamics=ArmDynamics.nominal(robot), controller=controller)}
    if given is not None:
        arms[IDENTIFIED] = given
    gaps = []
    for label, params in arms.items():
        tell({"progress": {"stage": f"replaying with the {label} arm"}})
        simulator = _simulator_of(p, label, robot, params, recording, tell)
        gaps.append(measure_gap(recording, simulator, params, label, p.horizon_s))
    joints = robot.joint_names
    files = gap_files(gaps, joints, robot=robot.name, bag=recording.source, date=_today())
    write_folder(folder, files, overwrite=p.overwrite, replaced=GAP_FILES)
    lines = [*gap_rows(gaps, joints), *(sentence(gap) for gap in gaps)]
    tell({"done": str(folder), "lines": lines})


def make_simulator(
    engine: str, robot: RobotModel, params: SimParams, recording: Recording, least_hz: int
) -> Simulator:
    """Return what rolls commands out, fast enough for the arm's controllers.

    Raises:
        UnstableError: no rate is.
    """
    rate_hz = needed_rate_hz(robot, params, recording.position_rad, least_hz)
    if engine == "compiled":
        return Plant(robot, rate_hz)
    return EnginePlant(engine, robot, rate_hz)


def _simulator_of(
    options: BagParameters | IdentifyOptions,
    label: str,
    robot: RobotModel,
    params: SimParams,
    recording: Recording,
    tell: Tell,
) -> Simulator:
    """Return what simulates one of the arms; where nothing can, that is told, and it diverges.

    Gains that hold real rotors may be too stiff for an arm that has none yet, the nominal one: the
    other arm is measured all the same.
    """
    rate_hz = options.physics_rate_hz
    try:
        return make_simulator(options.engine, robot, params, recording, rate_hz)
    except UnstableError as error:
        highest = f"{HIGHEST_RATE_HZ} Hz, the highest that there is"
        tell({"say": f"the {label} arm cannot be simulated at {highest}: {error}"})
        return NoSimulator()


def _gaps_of(
    found: Identification, robot: RobotModel, options: IdentifyOptions, horizon_s: float, tell: Tell
) -> list[Gap]:
    """Return the gap of what was recorded to the nominal and, if any, to the identified arm."""
    controller = found.params.controller
    arms = {NOMINAL: SimParams(dynamics=ArmDynamics.nominal(robot), controller=controller)}
    if found.usable:
        arms[IDENTIFIED] = found.params
    gaps = []
    for label, params in arms.items():
        simulator = _simulator_of(options, label, robot, params, found.recording, tell)
        gaps.append(measure_gap(found.recording, simulator, params, label, horizon_s))
    return gaps


def _options(p: SystemIdParameters) -> IdentifyOptions:
    shared = {field.name: getattr(p, field.name) for field in dataclasses.fields(FitOptions)}
    return IdentifyOptions(
        parameters=tuple(p.fit.split()) or DEFAULT_PATTERNS,
        engine=p.engine,
        physics_rate_hz=p.physics_rate_hz,
        **shared,
    )


def _read(p: BagParameters, tell: Tell) -> tuple[RobotModel, Recording]:
    tell({"progress": {"stage": "reading"}})
    robot, recording = described_robot(
        p.robot,
        p.urdf,
        lambda robot: _read_bag(p, p.bag, robot),
        lambda sentence: tell({"say": sentence}),
    )
    _tell_defects(recording, tell)
    return robot, recording


def _tell_defects(recording: Recording, tell: Tell, which: str = "") -> None:
    for defect in recording.defects:
        tell({"say": f"{which}{defect.kind}: {defect.text}"})


def _read_bag(p: BagParameters, bag: str, robot: RobotModel) -> Recording:
    known = read_controller(Path(p.controller), robot) if p.controller else None
    return read_recording(
        Path(bag),
        robot.joint_names,
        state_topic=p.state_topic,
        command_topic=p.command_topic,
        command_mode=known.mode if known is not None else "",
        namespace=p.namespace,
        joint_prefix=p.joint_prefix,
        robot=robot,
    )


def _known(p: BagParameters, robot: RobotModel, recording: Recording) -> KnownController | None:
    """Return what is known of the controllers; of a bag without commands nothing has to be."""
    if p.controller:
        return read_controller(Path(p.controller), robot)
    return unknown_controller(recording.commands.mode) if recording.commands else None


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


JOBS: dict[str, Callable[[Mapping[str, object], Tell], None]] = {
    "gap": measure,
    "system_id": identify_arm,
}
