"""Which pairs of parts are watched, and how fast their distances can change."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from sinew_core.collision.levers import Levers
from sinew_core.collision.shapes import Link, box_link
from sinew_core.robots.arrays import Array
from sinew_core.robots.model import RobotModel
from sinew_core.safety.parameters import SafetyParameters

_LEAST_LEVER_M = 1e-5
"""A distance that changes by less than this per radian of every joint counts as constant."""


class PairKind(enum.Enum):
    """What a pair keeps apart."""

    SELF = "self"
    FLOOR = "floor"
    FORBIDDEN = "forbidden"
    WORKSPACE = "workspace"


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two things that keep apart, by name: parts of the arm, the floor, boxes, workspace faces.

    A part bears the name of the first of the links of which it consists.
    """

    first: str
    second: str
    kind: PairKind

    def __str__(self) -> str:
        """Return the pair for a message."""
        return f"{self.first} and {self.second}"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Watched:
    """A pair, its levers (n,) m, and the links whose least distance is its distance.

    No second link stands for the floor, no links for a face of the workspace.
    """

    pair: Pair
    levers_m: Array
    links: tuple[tuple[Link, Link | None], ...] = ()

    @property
    def changes(self) -> bool:
        """Whether any joint changes the distance."""
        return bool(self.levers_m.max() > _LEAST_LEVER_M)


def link_pairs(
    robot: RobotModel, parameters: SafetyParameters, links: Sequence[Link]
) -> list[Watched]:
    """Return the pairs of single links, and of moving links with floor and boxes.

    Neighbours, which a joint connects, are left out.
    """
    levers = Levers(robot.chain)
    outer = {link.name: levers.of_outer(link) for link in links}
    watched: list[Watched] = []
    if parameters.self_collision:
        watched += _self_pairs(levers, links, outer)
    moving = [link for link in links if link.body]
    if parameters.floor:
        watched += [
            Watched(
                pair=Pair(link.name, "floor", PairKind.FLOOR),
                levers_m=levers.along(outer[link.name], (0.0, 0.0, 1.0)),
                links=((link, None),),
            )
            for link in moving
        ]
    corners = parameters.forbidden_boxes_m
    for i in range(0, len(corners), 6):
        box = box_link(f"box {i // 6}", corners[i : i + 3], corners[i + 3 : i + 6])
        inner = levers.of_inner(box)
        watched += [
            Watched(
                pair=Pair(link.name, box.name, PairKind.FORBIDDEN),
                levers_m=_lesser(inner, outer[link.name], 0, link.body),
                links=((link, box),),
            )
            for link in moving
        ]
    return watched


def merged(watched: Iterable[Watched]) -> list[Watched]:
    """Merge the pairs of links that move as one into pairs of parts."""
    groups: dict[tuple[PairKind, int, str], list[Watched]] = {}
    for each in watched:
        ((first, second),) = each.links
        same = each.pair.second
        if second is not None and each.pair.kind is PairKind.SELF:
            same = str(second.body)
        key = (each.pair.kind, first.body, same)
        groups.setdefault(key, []).append(each)
    return [
        Watched(
            pair=group[0].pair,
            levers_m=np.max([each.levers_m for each in group], axis=0),
            links=tuple(links for each in group for links in each.links),
        )
        for group in groups.values()
    ]


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
    levers: Levers, links: Sequence[Link], outer: dict[str, Array]
) -> Iterator[Watched]:
    inner = {link.name: levers.of_inner(link) for link in links}
    for index, first in enumerate(links):
        for second in links[index + 1 :]:
            if first.body == second.body or second.neighbour == first.name:
                continue
            yield Watched(
                pair=Pair(first.name, second.name, PairKind.SELF),
                levers_m=_lesser(inner[first.name], outer[second.name], first.body, second.body),
                links=((first, second),),
            )


def _lesser(inner: Array, outer: Array, first: int, second: int) -> Array:
    """Return the levers (n,) m of the joints after body `first` up to body `second`.

    A joint between two links moves the outer one in the frame of the inner one as much as it moves
    the inner one, the other way, in the frame of the outer one: the lesser of both bounds holds.
    """
    levers = np.zeros_like(inner)
    between = slice(first, second)
    levers[between] = np.minimum(inner[between], outer[between])
    return levers
