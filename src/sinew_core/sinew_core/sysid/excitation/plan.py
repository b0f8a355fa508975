"""A planned motion as a file that a node replays to the last bit.

A plan is two files side by side: NAME.yaml, a header that people read, with the predicted standard
deviations, and NAME.npz with the samples, whose SHA-256 is in the header.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from sinew_core.errors import ConfigError
from sinew_core.files import write_atomically
from sinew_core.robots.model import RobotModel
from sinew_core.sysid.excitation.reference import Reference

SCHEMA = 1
_ARRAYS = ("time_s", "position_rad", "velocity_rad_s", "acceleration_rad_s2")


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """How well a parameter should come out of the recorded efforts.

    Attributes:
        name: as in `robots.arm_dynamics`.
        nominal: value that was planned for, in `unit`.
        scale: what is taken for its uncertainty before.
        sigma: predicted standard deviation, no more than the scale.
        unit: SI.
    """

    name: str
    nominal: float
    scale: float
    sigma: float
    unit: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A motion, what it was planned for and what it is expected to tell.

    Attributes:
        reference: the motion.
        robot: name of the robot.
        joint_names: in the order of the columns.
        mode: action mode of the filter that it was tried in.
        rate_hz: of the samples.
        kind: `fourier`, `chirp` or `both`.
        seed: of the search.
        noise_nm: of efforts, that the prediction assumes.
        log_det: log det(F + I) of the whole motion in units of the scales.
        random_log_det: the same with the random motion that each search began with.
        evaluations: motions that were tried.
        repeatable: whether the same seed gives it again; not where time ran out.
        predicted: the parameters asked for.
    """

    reference: Reference
    robot: str
    joint_names: tuple[str, ...]
    mode: str
    rate_hz: int
    kind: str
    seed: int
    noise_nm: float
    log_det: float
    random_log_det: float
    evaluations: int
    repeatable: bool
    predicted: tuple[Predicted, ...]

    def table(self) -> str:
        """Return the predicted standard deviations, a line for each parameter."""
        width = max(len(each.name) for each in self.predicted)
        lines = [f"{'parameter':{width}} {'nominal':>10} {'sigma':>10} {'of it':>8}  unit"]
        for each in self.predicted:
            share = each.sigma / abs(each.nominal) if each.nominal else math.nan
            relative = f"{100.0 * share:.2f} %" if each.nominal else "-"
            known = " (not shown by any motion)" if each.sigma > 0.5 * each.scale else ""
            lines.append(
                f"{each.name:{width}} {each.nominal:10.4g} {each.sigma:10.2g} {relative:>8}  "
                f"{each.unit}{known}"
            )
        return "\n".join(lines)


def write_plan(plan: Plan, path: Path) -> None:
    """Write the header to `path`, which ends in .yaml, and the samples beside it.

    Raises:
        ConfigError: when that is not possible.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: getattr(plan.reference, name) for name in _ARRAYS})
    samples = path.with_suffix(".npz")
    header = {
        "schema": SCHEMA,
        "samples": samples.name,
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        **{
            field.name: _plain(getattr(plan, field.name))
            for field in dataclasses.fields(plan)
            if field.name != "reference"
        },
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(samples, buffer.getvalue())
        write_atomically(path, yaml.safe_dump(header, sort_keys=False))
    except OSError as error:
        raise ConfigError(
            f"plan {path} cannot be written ({error.strerror}): choose another output"
        ) from None


def read_plan(path: Path, robot: RobotModel) -> Plan:
    """Read a plan of this robot.

    Raises:
        ConfigError: when it cannot be read, was changed, or is of other joints.
    """
    header = _header(path)
    try:
        samples = path.with_name(str(header.get("samples", "")))
        data = samples.read_bytes()
        if hashlib.sha256(data).hexdigest() != header.get("sha256"):
            raise ConfigError(f"{samples} is not what {path} was written with: plan it again")
        with np.load(io.BytesIO(data), allow_pickle=False) as content:
            reference = Reference(**{name: content[name] for name in _ARRAYS})
        plan = _plan(header, reference)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"{path}: no complete plan ({reason}): plan it again") from None
    if plan.joint_names != robot.joint_names:
        raise ConfigError(
            f"{path} is a plan for the joints {', '.join(plan.joint_names)}, not for those of "
            f"'{robot.name}': give its robot, or plan anew without plan:="
        )
    return plan


def _header(path: Path) -> dict[str, object]:
    try:
        header = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"plan {path} cannot be read: {reason}") from None
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        found = header.get("schema") if isinstance(header, dict) else header
        raise ConfigError(
            f"{path}: schema is {str(found)[:40]!r}, expected {SCHEMA}: give the .yaml file of a "
            "plan, or plan it again"
        )
    return header


def _plan(header: Mapping[str, object], reference: Reference) -> Plan:
    """Return the plan of a header, whose values `TypeError` and `ValueError` refuse."""
    kinds = {"str": str, "int": int, "float": float, "bool": bool}
    values: dict[str, object] = {}
    for field in dataclasses.fields(Plan):
        if field.type in kinds:
            values[field.name] = kinds[field.type](header[field.name])
    joints, predicted = header["joint_names"], header["predicted"]
    if not isinstance(joints, list) or not isinstance(predicted, list):
        raise TypeError("joint_names and predicted are lists")
    shape = (len(reference.time_s), len(joints))
    arrays = [getattr(reference, name) for name in _ARRAYS]
    if any(a.shape != shape for a in arrays[1:]) or shape[0] < 2:
        raise ValueError(f"samples are {[a.shape for a in arrays]}")
    if not all(np.isfinite(a).all() for a in arrays):
        raise ValueError("a sample is not finite")
    return Plan(
        reference=reference,
        joint_names=tuple(map(str, joints)),
        predicted=tuple(Predicted(**each) for each in predicted),
        **values,  # type: ignore[arg-type]  # converted by the types of the fields above
    )


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [dataclasses.asdict(v) if isinstance(v, Predicted) else v for v in value]
    return value
