"""REINFORCE with a baseline (Williams 1992, equation 11, with its reinforcement baseline).

Each action is credited with the discounted rewards that follow it (the return-to-go), less what the
baseline expected; the discount of the time before it is left out, as is usual.

Departures from the paper: the baseline is a network of the observation; an episode that was
truncated, which the paper's never are, ends with the baseline's value of where it stopped; returns
over the baseline may be normalised; an entropy bonus may be added; Adam takes the step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sinew_core.algorithms.actor_critic import ActorCritic, normalised
from sinew_core.algorithms.networks import clip_norm
from sinew_core.algorithms.parameters import REINFORCEParameters
from sinew_core.algorithms.returns import discounted_returns
from sinew_core.algorithms.steps import Steps

Float = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class REINFORCELosses:
    """Of an iteration's steps, as they were before it learned from them."""

    policy_loss: float
    baseline_loss: float
    entropy: float


class REINFORCE(ActorCritic[REINFORCEParameters]):
    """One step of the policy for each iteration's episodes; the critic is its baseline."""

    @torch.no_grad()
    def update(self, steps: Steps) -> REINFORCELosses:
        """Learn from one iteration's episodes, collected by the current policy."""
        inputs, action = self.inputs(steps.observation), self.actor.actions(steps)
        returns = self.tensor(
            discounted_returns(
                steps.reward,
                self.values(steps.next_observation),
                steps.terminated,
                steps.episode_ends,
                gamma=self.parameters.gamma,
            )
        )
        surplus = returns - self.tensor(self.critic.values(inputs))
        baseline_loss = float(surplus.square().mean())
        if self.parameters.normalise_returns and len(surplus) > 1:
            surplus = normalised(surplus)
        self.count(steps)
        log_prob = self.actor.log_probability(inputs, action)
        losses = REINFORCELosses(
            policy_loss=-float((log_prob * surplus).mean()),
            baseline_loss=baseline_loss,
            entropy=self.actor.entropy(),
        )
        gradient = self.actor.gradient(action, surplus / -len(surplus))
        clip_norm(gradient, self.parameters.maximum_gradient_norm)
        self.actor.step(gradient)
        self.updates += 1
        self.fit_critic(
            inputs,
            returns,
            epochs=self.parameters.baseline_epochs,
            minibatch_size=self.parameters.baseline_minibatch_size,
        )
        self.note(steps)
        return losses
