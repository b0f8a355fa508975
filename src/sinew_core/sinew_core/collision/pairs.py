"""Which pairs of parts are watched, and how fast their distances can change."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator

import numpy as np

from sinew_core.collision.levers import Levers
from sinew_core.collision.shapes import Part, box_part
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.safety.parameters import SafetyParameters

_LEAST_LEVER_M = 1e-5
"""A pair whose distance changes by less than this per radian of every joint never changes."""


class PairKind(enum.Enum):
    """What a pair keeps apart."""

    SELF = "self"
    FLOOR = "floor"
    FORBIDDEN = "forbidden"
    WORKSPACE = "workspace"


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two things that keep apart, by name: parts of the arm, the floor, boxes, workspace faces."""

    first: str
    second: str
    kind: PairKind

    def __str__(self) -> str:
        """Return the pair for a message."""
        return f"{self.first} and {self.second}"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Watched:
    """A pair, its levers (n,) m, and its parts; no part for the floor and for workspace faces."""

    pair: Pair
    levers_m: Array
    first: Part | None = None
    second: Part | None = None

    @property
    def changes(self) -> bool:
        """Whether any joint changes the distance."""
        return bool(self.levers_m.max() > _LEAST_LEVER_M)


def needs_shapes(parameters: SafetyParameters) -> bool:
    """Tell whether any parameter asks for the distances of shapes."""
    return parameters.self_collision or parameters.floor or bool(parameters.forbidden_boxes_m)


def shape_pairs(
    robot: RobotModel, parameters: SafetyParameters, parts: tuple[Part, ...]
) -> list[Watched]:
    """Return the pairs of parts of the arm, and of its moving parts with floor and boxes.

    Neighbours, which a joint connects, are left out.
    """
    levers = Levers(robot.chain)
    outer = {part.name: levers.of_outer(part) for part in parts}
    watched: list[Watched] = []
    if parameters.self_collision:
        watched += _self_pairs(levers, parts, outer)
    moving = [part for part in parts if part.body]
    if parameters.floor:
        watched += [
            Watched(
                pair=Pair(part.name, "floor", PairKind.FLOOR),
                levers_m=levers.along(outer[part.name], (0.0, 0.0, 1.0)),
                first=part,
            )
            for part in moving
        ]
    corners = parameters.forbidden_boxes_m
    for i in range(0, len(corners), 6):
        box = box_part(f"box {i // 6}", corners[i : i + 3], corners[i + 3 : i + 6])
        inner = levers.of_inner(box)
        watched += [
            Watched(
                pair=Pair(part.name, box.name, PairKind.FORBIDDEN),
                levers_m=_lesser(inner, outer[part.name], 0, part.body),
                first=part,
                second=box,
            )
            for part in moving
        ]
    return watched


def workspace_pairs(robot: RobotModel, parameters: SafetyParameters) -> list[Watched]:
    """Return the pairs of the tool's point and each face of the workspace box."""
    if not parameters.workspace_lower_m:
        return []
    levers = Levers(robot.chain)
    reach = levers.of_tool()
    return [
        Watched(
            pair=Pair(robot.tool_link, f"workspace {side} {axis}", PairKind.WORKSPACE),
            levers_m=levers.along(reach, normal),
        )
        for side in ("lower", "upper")
        for axis, normal in zip("xyz", np.eye(3).tolist(), strict=True)
    ]


def _self_pairs(
    levers: Levers, parts: tuple[Part, ...], outer: dict[str, Array]
) -> Iterator[Watched]:
    inner = {part.name: levers.of_inner(part) for part in parts}
    for index, first in enumerate(parts):
        for second in parts[index + 1 :]:
            if first.body == second.body or second.neighbour == first.name:
                continue
            yield Watched(
                pair=Pair(first.name, second.name, PairKind.SELF),
                levers_m=_lesser(inner[first.name], outer[second.name], first.body, second.body),
                first=first,
                second=second,
            )


def _lesser(inner: Array, outer: Array, first: int, second: int) -> Array:
    """Return the levers (n,) m of the joints after body `first` up to body `second`.

    A joint between two parts moves the outer one in the frame of the inner one as much as it moves
    the inner one, the other way, in the frame of the outer one: the lesser of both bounds holds.
    """
    levers = np.zeros_like(inner)
    between = slice(first, second)
    levers[between] = np.minimum(inner[between], outer[between])
    return levers
