"""Targets given to a deployed policy one after another, and how many of them it reaches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sinew_core.bundle.reader import Bundle
from sinew_core.errors import ConfigError
from sinew_core.graph_evaluation import Episode, EpisodeJudge, EpisodeTicks
from sinew_core.graph_record import summarise
from sinew_core.robots.model import RobotModel
from sinew_core.tasks import make_task, task_parameters

_NS_PER_S = 1_000_000_000


class TargetRun:
    """Draw reachable targets from the task's box; each begins where the one before ended.

    Attributes:
        authority: of the arm; a slower one gets more time for its next target.
        target: (3,) m in the base frame, in force.
        episodes: those that ended.
    """

    def __init__(
        self, bundle: Bundle, robot: RobotModel, *, count: int, seed: int, authority: float
    ) -> None:
        """Take the bundle's task, and the authority to begin with.

        Raises:
            ConfigError: for a task with an object, which nobody places on a real table.
        """
        rates = bundle.specification.rates
        name, given = task_parameters(bundle.manifest.task, f"{bundle.folder}: task")
        task = make_task(name, robot, given, rates)
        if task.scene is not None:
            raise ConfigError(
                f"targets is {count} for task '{name}': its object would have to be placed: "
                "leave targets at 0 and publish target_pose and object_pose"
            )
        self.episodes: list[Episode] = []
        self._task, self._count = task, count
        self._in_force = False
        self._rng = np.random.default_rng(seed)
        self._ticks = EpisodeTicks(
            _NS_PER_S // rates.control_rate_hz, _NS_PER_S // rates.state_rate_hz, lockstep=False
        )
        self._robot, self.authority = robot, authority
        self._draw()

    @property
    def complete(self) -> bool:
        """Whether all targets were given and judged."""
        return len(self.episodes) >= self._count

    def observe(
        self,
        stamp_ns: int,
        position: Sequence[float],
        velocity: Sequence[float],
        *,
        slowed: bool = False,
    ) -> bool:
        """Take a joint state (n,) of the armed arm; return whether it ended an episode.

        While the authority still rises the arm is slowed, and the time of its target stands still.
        """
        if self.complete:
            return False
        self._in_force = True
        tick = not slowed and self._ticks.is_due(stamp_ns)
        episode = self._judge.observe(stamp_ns, position, velocity, control_tick=tick)
        if episode is None:
            return False
        self.episodes.append(episode)
        if not self.complete:
            self._draw()
        return True

    def abort(self) -> None:
        """Count the present target as missed, because the arm was held on its way there.

        One that no armed arm has gone for is kept: the arm may be held again before it moves.
        """
        if self._in_force and not self.complete:
            self._in_force = False
            self.episodes.append(self._judge.abort())
            if not self.complete:
                self._draw()

    def figures(self) -> dict[str, object]:
        """Return success, its interval, length and limit violations."""
        return {"given": self._count, **summarise(self.episodes)}

    def _draw(self) -> None:
        self.target: tuple[float, ...] = tuple(self._task.sample_target(self._rng).tolist())
        self._ticks.begin()
        self._judge = EpisodeJudge(
            judge=self._task.judge,
            limits=self._robot.limits,
            tool_xyz=self._robot.chain.tool_xyz,
            max_control_steps=math.ceil(self._task.episode_ticks / max(self.authority, 1e-3)),
        )
        self._judge.begin(self.target)
