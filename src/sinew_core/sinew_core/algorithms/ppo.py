"""Proximal policy optimisation with a clipped surrogate (Schulman et al. 2017, equations 7 and 9).

Departures from the paper: actor and critic share nothing and their gradients are clipped apart;
advantages are normalised within each minibatch; observations are normalised by running statistics,
frozen while an iteration learns; the step size may fall linearly with the environment steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinew_core.algorithms.actor_critic import ActorCritic, normalised
from sinew_core.algorithms.networks import clip_norm
from sinew_core.algorithms.parameters import PPOParameters
from sinew_core.algorithms.returns import generalised_advantages
from sinew_core.algorithms.steps import Steps

Float = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PPOLosses:
    """Of an iteration's steps, under the policy and the critic that learned from them."""

    policy_loss: float
    value_loss: float
    approximate_kl: float
    clipped_share: float
    entropy: float


class PPO(ActorCritic[PPOParameters]):
    """Several passes over the steps of each iteration, which the clipped surrogate keeps honest."""

    @torch.no_grad()
    def update(self, steps: Steps) -> PPOLosses:
        """Learn from one iteration's steps, collected by the current policy."""
        inputs, action = self.inputs(steps.observation), self.actor.actions(steps)
        advantage, value_target = self._advantages(steps)
        old_log_prob = self.actor.log_probability(inputs, action)
        self.count(steps)
        columns = (inputs, action, old_log_prob, advantage, value_target)
        size = self.parameters.minibatch_size
        for _ in range(self.parameters.epochs):
            order = self.order(len(action))
            shuffled = [torch.split(column[order], size) for column in columns]
            for i, a, old, adv, target in zip(*shuffled, strict=True):
                if len(a) > 1:
                    self._update_actor(i, a, old, adv)
                    self._update_critic(i, target)
                    self.updates += 1
        losses = self._losses(*columns)
        self.note(steps)
        return losses

    def _advantages(self, steps: Steps) -> tuple[Tensor, Tensor]:
        """Return advantages and value targets (time,)."""
        values = self.values(steps.observation)
        advantages = generalised_advantages(
            steps.reward,
            values,
            self.values(steps.next_observation),
            steps.terminated,
            steps.episode_ends,
            gamma=self.parameters.gamma,
            lam=self.parameters.gae_lambda,
        )
        return self.tensor(advantages), self.tensor(advantages + values)

    def _update_actor(
        self, inputs: Tensor, action: Tensor, old_log_prob: Tensor, advantage: Tensor
    ) -> None:
        log_ratio = self.actor.log_probability(inputs, action) - old_log_prob
        weight = surrogate_weight(log_ratio, normalised(advantage), self.parameters.clip_range)
        gradient = self.actor.gradient(action, weight)
        clip_norm(gradient, self.parameters.maximum_gradient_norm)
        self.actor.step(gradient)

    def _update_critic(self, inputs: Tensor, target: Tensor) -> None:
        gradient = self.critic.gradient(inputs, target)
        clip_norm(gradient, self.parameters.maximum_gradient_norm)
        self.critic.step(gradient)

    def _losses(
        self,
        inputs: Tensor,
        action: Tensor,
        old_log_prob: Tensor,
        advantage: Tensor,
        target: Tensor,
    ) -> PPOLosses:
        value = self.tensor(self.critic.values(inputs))
        log_ratio = self.actor.log_probability(inputs, action) - old_log_prob
        ratio, clip_range = log_ratio.exp(), self.parameters.clip_range
        return PPOLosses(
            policy_loss=float(clipped_surrogate(log_ratio, normalised(advantage), clip_range)),
            value_loss=float((value - target).square().mean()),
            approximate_kl=float((ratio - 1.0 - log_ratio).mean()),
            clipped_share=float(((ratio - 1.0).abs() > clip_range).float().mean()),
            entropy=self.actor.entropy(),
        )


def clipped_surrogate(log_ratio: Tensor, advantage: Tensor, clip_range: float) -> Tensor:
    """Return the negative of equation 7: the mean of min(r A, clip(r, 1 ± clip_range) A)."""
    ratio = log_ratio.exp()
    bounded = ratio.clamp(1.0 - clip_range, 1.0 + clip_range)
    return -torch.minimum(ratio * advantage, bounded * advantage).mean()


def surrogate_weight(log_ratio: Tensor, advantage: Tensor, clip_range: float) -> Tensor:
    """Return the gradient (batch,) of `clipped_surrogate` by the log-probabilities.

    It is -r A / batch, since dr/dlog p = r. Where the bound is the lesser term of equation 7, which
    is r > 1 + clip_range for A > 0 and r < 1 - clip_range for A < 0, the loss does not depend on
    the policy.
    """
    ratio = log_ratio.exp()
    gain = ratio * advantage
    bounded = ratio.clamp(1.0 - clip_range, 1.0 + clip_range).mul_(advantage)
    return torch.where(gain <= bounded, gain, 0.0).div_(-len(gain))
