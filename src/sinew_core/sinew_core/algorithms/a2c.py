"""Advantage actor-critic (Mnih et al. 2016, algorithm S3), synchronous: A2C.

Departures from the paper: one learner and whole episodes in place of asynchronous ones of five
steps; an iteration's steps are learned from once each, in shuffled minibatches, so that late ones
meet a policy a few steps younger, as they do in the paper's asynchronous learners; the critic may
take more passes over them than the actor, which it would otherwise hold back; advantages decay
(Schulman et al. 2016) unless n steps are asked for, and may be normalised; actor and critic share
nothing; Adam in place of RMSProp.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinew_core.algorithms.actor_critic import ActorCritic, normalised
from sinew_core.algorithms.networks import clip_norm
from sinew_core.algorithms.parameters import A2CParameters
from sinew_core.algorithms.returns import generalised_advantages, n_step_returns
from sinew_core.algorithms.steps import Steps

Float = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class A2CLosses:
    """Of an iteration's steps, as they were before it learned from them."""

    policy_loss: float
    value_loss: float
    entropy: float


class A2C(ActorCritic[A2CParameters]):
    """One pass over the steps of each iteration."""

    @torch.no_grad()
    def update(self, steps: Steps) -> A2CLosses:
        """Learn from one iteration's steps, collected by the current policy."""
        inputs, action = self.inputs(steps.observation), self.actor.actions(steps)
        advantage, target = self._advantages(steps)
        losses = A2CLosses(
            policy_loss=-float((self.actor.log_probability(inputs, action) * advantage).mean()),
            value_loss=float(advantage.square().mean()),
            entropy=self.actor.entropy(),
        )
        self.count(steps)
        order = self.order(len(action))
        shuffled = [
            torch.split(column[order], self.parameters.minibatch_size)
            for column in (inputs, action, advantage, target)
        ]
        for i, a, adv, t in zip(*shuffled, strict=True):
            if len(a) > 1:
                self._step(i, a, adv, t)
        self.fit_critic(
            inputs,
            target,
            epochs=self.parameters.critic_epochs - 1,
            minibatch_size=self.parameters.minibatch_size,
        )
        self.note(steps)
        return losses

    def _advantages(self, steps: Steps) -> tuple[Tensor, Tensor]:
        """Return advantages and value targets (time,)."""
        parameters = self.parameters
        values, next_values = self.values(steps.observation), self.values(steps.next_observation)
        ends = steps.terminated, steps.episode_ends
        if parameters.advantages == "n_step":
            returns = n_step_returns(
                steps.reward, next_values, *ends, gamma=parameters.gamma, n=parameters.n_steps
            )
            return self.tensor(returns - values), self.tensor(returns)
        advantages = generalised_advantages(
            steps.reward,
            values,
            next_values,
            *ends,
            gamma=parameters.gamma,
            lam=parameters.gae_lambda,
        )
        return self.tensor(advantages), self.tensor(advantages + values)

    def _step(self, inputs: Tensor, action: Tensor, advantage: Tensor, target: Tensor) -> None:
        """Descend -mean(A log p) - entropy + critic_weight mean((V - target)^2)."""
        if self.parameters.normalise_advantages:
            advantage = normalised(advantage)
        self.actor.log_probability(inputs, action)
        of_actor = self.actor.gradient(action, advantage / -len(advantage))
        of_critic = self.critic.gradient(inputs, target)
        whole = torch.cat([of_actor, of_critic * self.parameters.critic_weight])
        clip_norm(whole, self.parameters.maximum_gradient_norm)
        self.actor.step(whole[: len(of_actor)])
        self.critic.step(whole[len(of_actor) :])
        self.updates += 1
