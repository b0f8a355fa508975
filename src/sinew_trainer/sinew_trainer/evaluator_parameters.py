"""Parameters of the evaluator node."""

from __future__ import annotations

from dataclasses import dataclass

from sinew_core.parameters import Parameters, parameter


@dataclass(frozen=True, kw_only=True)
class EvaluatorParameters(Parameters):
    """How many episodes, how they begin, and where the figures go."""

    bundle: str = parameter(
        "", "folder of the policy bundle, which names robot, task and rates", path=True
    )
    robot: str = parameter(
        "", "robot name or robot file; empty: the one the bundle names", path=True
    )
    urdf: str = parameter("", "URDF that replaces the robot's own; empty: none", path=True)
    joint_prefix: str = parameter("", "in front of the joint names in joint_states")
    pace: str = parameter(
        "realtime",
        "as the driver's: waits for each other, or real time",
        choices=("realtime", "lockstep"),
    )
    episodes: int = parameter(20, "episodes to judge", minimum=1, maximum=1_000_000)
    seed: int = parameter(0, "seed of the targets", minimum=0)
    reset: str = parameter(
        "teleport",
        "how an episode begins: a new start in simulation, or where the last one ended",
        choices=("teleport", "none"),
    )
    output: str = parameter("", "JSON file for the figures; empty: only printed", path=True)
    traced_episodes: int = parameter(
        20, "first episodes whose motion is kept beside the figures", minimum=0, maximum=1000
    )
    controller: str = parameter(
        "", "controller that the filter drives; empty: that of the bundle's mode"
    )
    driver: str = parameter("sim_driver", "node that resets the arm")
    safety_filter: str = parameter("safety_filter", "node that arms")
    recorded: bool = parameter(
        False, "wait for a node record that hears states and targets before the first episode"
    )
    clear_latch: bool = parameter(
        False, "clear the filter's latch, count a failure and go on; for a simulated arm only"
    )
    patience_s: float = parameter(
        20.0, "longest wait for a node, an answer or a joint state", unit="s", minimum=1.0
    )

    def check(self) -> list[str]:
        """Require the bundle."""
        return (
            []
            if self.bundle
            else ["bundle is empty: give bundle:=FOLDER, such as runs/NAME/bundle"]
        )
