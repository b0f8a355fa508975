"""The picture of a run: the arm at the end of a successful episode."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from PIL import Image

from sinew_core.errors import ConfigError

if TYPE_CHECKING:
    from sinew_core.environments.arm import Action, ArmEnv, Observation

_TRIES = 5


def episode_picture(env: ArmEnv, act: Callable[[Observation], Action]) -> bytes | None:
    """Return a PNG of the first episode that succeeds, else of the last one tried.

    None where the engine cannot render.
    """
    for seed in range(_TRIES):
        observation, info = env.reset(seed=seed)
        ended = False
        while not (ended or info["is_success"]):
            observation, _, terminated, truncated, info = env.step(act(observation))
            ended = terminated or truncated
        if info["is_success"]:
            break
    try:
        pixels = env.render()
    except ConfigError:
        return None
    if pixels is None:
        return None
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png", optimize=True)
    return buffer.getvalue()
