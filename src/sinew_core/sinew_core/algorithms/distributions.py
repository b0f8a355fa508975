"""Log-probabilities and entropies of actions, and their gradients, written out.

The gradients are those of a weighted sum over a batch: `weight` (batch,) is the loss's gradient by
each log-probability. Tests hold them equal to autograd's.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gaussian_log_probability(action: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return the log-density (batch,) of actions (batch, n), summed over their dimensions."""
    score = (action - mean) * torch.exp(-log_std)
    constant = 0.5 * math.log(2.0 * math.pi) * action.shape[1]
    return -0.5 * score.square().sum(1) - log_std.sum() - constant


def gaussian_entropy(log_std: Tensor) -> Tensor:
    """Return the entropy () of independent normal actions; its gradient by log_std (n,) is 1."""
    return log_std.sum() + 0.5 * math.log(2.0 * math.pi * math.e) * len(log_std)


def gaussian_gradient(
    action: Tensor, mean: Tensor, log_std: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradient of sum(weight log p) by the mean (batch, n) and log_std (n,).

    With s = (a - mean) / std, d log p / d mean = s / std and d log p / d log_std = s^2 - 1.
    """
    inverse_std = torch.exp(-log_std)
    score = (action - mean).mul_(inverse_std)
    by_log_std = weight @ score.square() - weight.sum()
    return score.mul_(weight[:, None]).mul_(inverse_std), by_log_std


def categorical_log_probability(index: Tensor, logits: Tensor) -> Tensor:
    """Return the log-probability (batch,) of choices (batch,), given logits (batch, k)."""
    return logits.log_softmax(1).gather(1, index[:, None])[:, 0]


def categorical_entropy(logits: Tensor) -> Tensor:
    """Return the entropy (batch,) of a choice, given logits (batch, k)."""
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


def categorical_gradient(index: Tensor, logits: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient (batch, k) of sum(weight log p) by the logits: weight (one-hot - p)."""
    gradient = logits.softmax(1).mul_(-weight[:, None])
    return gradient.scatter_add_(1, index[:, None], weight[:, None])


def categorical_entropy_gradient(logits: Tensor) -> Tensor:
    """Return the gradient (batch, k) of the sum of entropies by the logits: -p (log p + H)."""
    log_p = logits.log_softmax(1)
    p = log_p.exp()
    entropy = -(p * log_p).sum(1, keepdim=True)
    return -p * (log_p + entropy)
