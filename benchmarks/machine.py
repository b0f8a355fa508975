"""What a reader must know of the machine to read a measurement."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

DISTRIBUTIONS = (
    "numpy",
    "torch",
    "numba",
    "pybullet",
    "mujoco",
    "gymnasium",
    "panda-gym",
    "stable-baselines3",
)


def machine_facts() -> dict[str, str]:
    """Return processor, load and versions."""
    facts = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load at the start": f"{os.getloadavg()[0]:.1f} processes",
        "threads used": "1",
        "system": platform.platform(),
        "Python": platform.python_version(),
    }
    for name in DISTRIBUTIONS:
        try:
            facts[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            facts[name] = "not installed"
    return facts


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
