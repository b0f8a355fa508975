"""Compile the inner loops before the first training run: `python -m sinew_core.precompile`.

numba keeps its machine code beside the sources and makes it anew when they change.
"""

from __future__ import annotations

import sys

from sinew_core.environments.arm import ArmEnv
from sinew_core.errors import SinewError
from sinew_core.robots.arm_dynamics import ArmDynamics
from sinew_core.simulation import ENGINE_NAMES


def precompile() -> None:
    """Take one step of the nominal and of another arm in each engine that is installed."""
    for engine in ENGINE_NAMES:
        try:
            env = ArmEnv(engine=engine)
        except SinewError as error:
            sys.stderr.write(f"{error}\n")
            continue
        for dynamics in (None, ArmDynamics.nominal(env.robot)):
            env.reset(seed=0, options={"dynamics": dynamics})
            env.step(env.action_space.sample())
        env.close()


if __name__ == "__main__":
    precompile()
