"""A normal distribution squashed by tanh, differentiated by hand (Haarnoja et al. 2018b, app. C).

The actor's output (batch, 2 n) holds means and log-deviations. With noise e of the standard normal
distribution, u = mean + std e, and the action is tanh(u).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

LOG_STD_BOUNDS = (-5.0, 2.0)
"""Deviations of tanh's argument from 0.007 to 7.4."""


class SquashedSample(NamedTuple):
    """Actions drawn, and what their gradient needs; all (batch, n) but `log_probability` (batch,).

    `spread` is std e, how far the draw is from the mean, and `inside` is 1 where the log-deviation
    keeps its bounds and 0 where it is clipped.
    """

    action: Tensor
    log_probability: Tensor
    spread: Tensor
    inside: Tensor


def squash(output: Tensor, noise: Tensor) -> SquashedSample:
    """Draw actions: `output` (batch, 2 n) of the actor, standard normal `noise` (batch, n).

    log pi(a) = sum of log N(u; mean, std) - log(1 - tanh(u)^2), whose second term is
    2 (log 2 - u - softplus(-2 u)): it stays finite where tanh(u) rounds to 1.
    """
    mean, raw = output.chunk(2, 1)
    log_std = raw.clamp(*LOG_STD_BOUNDS)
    spread = log_std.exp() * noise
    argument = mean + spread
    log_normal = -0.5 * noise.square() - log_std - 0.5 * math.log(2.0 * math.pi)
    log_slope = 2.0 * (math.log(2.0) - argument - softplus(-2.0 * argument))
    return SquashedSample(
        action=argument.tanh(),
        log_probability=(log_normal - log_slope).sum(1),
        spread=spread,
        inside=(raw == log_std).float(),
    )


def squash_gradient(sample: SquashedSample, by_action: Tensor, by_log_probability: float) -> Tensor:
    """Return a loss's gradient (batch, 2 n) by the actor's output, the noise held fixed.

    With a = tanh(u): da/du = 1 - a^2, dlog pi/du = 2 a, du/dmean = 1, du/dlog_std = std e, and
    log_std enters log pi directly, too, with -1.

    Args:
        sample: what `squash` drew.
        by_action: the loss's gradient (batch, n) by the action.
        by_log_probability: the loss's gradient by each log-probability, the same for all.
    """
    action = sample.action
    by_argument = by_action * (1.0 - action.square()) + (2.0 * by_log_probability) * action
    by_log_std = (by_argument * sample.spread - by_log_probability) * sample.inside
    return torch.cat([by_argument, by_log_std], 1)
