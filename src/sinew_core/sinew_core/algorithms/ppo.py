"""Proximal policy optimisation with a clipped surrogate (Schulman et al. 2017, equations 7 and 9).

The policy is a normal distribution around a tanh output, with one free log-deviation per action.
Actions are bounded honestly: the mean lies in [-1, 1], the sample enters the loss as drawn, the
environment gets it clipped, and the deployed policy is the mean.

Departures from the paper: actor and critic share nothing and their gradients are clipped apart;
advantages are normalised within each minibatch; observations are normalised by running statistics,
frozen while an iteration learns; the step size may fall linearly with the environment steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinew_core.algorithms.actor import rest_gradient
from sinew_core.algorithms.exploration import NoisyPolicy
from sinew_core.algorithms.networks import MLP, Adam
from sinew_core.algorithms.noise import LinearSchedule
from sinew_core.algorithms.normaliser import Normaliser
from sinew_core.algorithms.parameters import PPOParameters
from sinew_core.algorithms.returns import generalised_advantages
from sinew_core.algorithms.state import Array, State, joined, part, restore, tensors
from sinew_core.algorithms.steps import Steps
from sinew_core.bundle.runtime import PolicyNetwork

Float = NDArray[np.float32]
OBSERVATION_CLIP = 10.0
FRICTION_KNEE = 0.05
"""Of `rest_gradient`: wider than where the deviation of the actions is smaller."""


@dataclass(frozen=True, kw_only=True)
class PPOLosses:
    """Of an iteration's steps, under the policy and the critic that learned from them."""

    policy_loss: float
    value_loss: float
    approximate_kl: float
    clipped_share: float


class PPO:
    """Actor, critic, log-deviation and normaliser."""

    def __init__(
        self, observation_size: int, action_size: int, parameters: PPOParameters, seed: int
    ) -> None:
        """Initialise the networks and the order of minibatches from `seed`."""
        self.parameters = parameters
        self._generator = torch.Generator().manual_seed(seed)
        hidden = [parameters.hidden_units] * 2
        self.actor = MLP(
            [observation_size, *hidden, action_size],
            hidden_activation="tanh",
            tanh_output=True,
            generator=self._generator,
            output_gain=0.01,
        )
        self.critic = MLP(
            [observation_size, *hidden, 1],
            hidden_activation="tanh",
            tanh_output=False,
            generator=self._generator,
        )
        self.log_std = torch.full((action_size,), parameters.initial_log_std)
        self.normaliser = Normaliser(observation_size)
        rate = parameters.learning_rate
        self._actor_optimiser = Adam(self.actor.parameters, rate)
        self._deviation_optimiser = Adam(self.log_std, rate)
        self._critic_optimiser = Adam(self.critic.parameters, parameters.critic_learning_rate)
        self._schedule = LinearSchedule(
            start=rate, end=parameters.final_learning_rate, steps=parameters.learning_rate_steps
        )
        self._steps = 0
        self.updates = 0

    def act(self, observation: Float) -> Float:
        """Return the mean action (n,) in [-1, 1] for an observation (size,)."""
        action: Float = self.actor.forward(self._inputs(observation[None]))[0].numpy()
        return action

    def explorer(self) -> NoisyPolicy:
        """Return the mean with the policy's own deviation around it."""
        sigma = tuple(self.log_std.exp().tolist())
        return NoisyPolicy(
            network=self.policy_network(), process="gaussian", sigma=sigma, as_drawn=True
        )

    def policy_network(self) -> PolicyNetwork:
        """Return the actor with its normaliser."""
        return PolicyNetwork(
            layers=self.actor.layers(),
            hidden_activation="tanh",
            output_activation="tanh",
            observation_mean=self.normaliser.mean,
            observation_std=self.normaliser.std,
            observation_clip=OBSERVATION_CLIP,
        )

    def state(self) -> State:
        """Return all that later updates depend on."""
        parts = {name: thing.state() for name, thing in self._parts().items()}
        counters = {"steps": np.array(self._steps), "updates": np.array(self.updates)}
        drawn = tensors(log_std=self.log_std, order=self._generator.get_state())
        return {**joined(**parts), **counters, **drawn}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` returned."""
        for name, thing in self._parts().items():
            thing.load_state(part(state, name))
        restore(state, log_std=self.log_std)
        self._generator.set_state(torch.from_numpy(np.asarray(state["order"])))
        self._steps, self.updates = int(state["steps"]), int(state["updates"])

    @torch.no_grad()
    def update(self, steps: Steps) -> PPOLosses:
        """Learn from one iteration's steps, collected by the current policy."""
        observation = self._inputs(steps.observation)
        action = torch.from_numpy(steps.action)
        advantage, value_target = self._advantages(steps, observation)
        old_log_prob = log_probability(action, self.actor.forward(observation), self.log_std)
        self._steps += len(action)
        for optimiser in (self._actor_optimiser, self._deviation_optimiser):
            optimiser.learning_rate = self._schedule(self._steps)
        columns = (observation, action, old_log_prob, advantage, value_target)
        size = self.parameters.minibatch_size
        for _ in range(self.parameters.epochs):
            order = torch.randperm(len(action), generator=self._generator)
            shuffled = [torch.split(column[order], size) for column in columns]
            for o, a, old, adv, target in zip(*shuffled, strict=True):
                if len(a) > 1:
                    self._update_actor(o, a, old, adv)
                    self._update_critic(o, target)
                    self.updates += 1
        losses = self._losses(*columns)
        if self.parameters.normalise_observations:
            self.normaliser.update(steps.observation)
        return losses

    def _parts(self) -> dict[str, MLP | Adam | Normaliser]:
        return {
            "actor": self.actor,
            "critic": self.critic,
            "normaliser": self.normaliser,
            "actor_optimiser": self._actor_optimiser,
            "deviation_optimiser": self._deviation_optimiser,
            "critic_optimiser": self._critic_optimiser,
        }

    def _advantages(self, steps: Steps, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Return advantages and value targets (time,)."""
        values = self.critic.forward(observation)[:, 0].numpy()
        next_values = self.critic.forward(self._inputs(steps.next_observation))[:, 0].numpy()
        advantages = generalised_advantages(
            steps.reward,
            values,
            next_values,
            steps.terminated,
            steps.episode_ends,
            gamma=self.parameters.gamma,
            lam=self.parameters.gae_lambda,
        )
        return torch.from_numpy(advantages), torch.from_numpy(advantages + values)

    def _update_actor(
        self, observation: Tensor, action: Tensor, old_log_prob: Tensor, advantage: Tensor
    ) -> None:
        parameters = self.parameters
        mean = self.actor.forward(observation)
        by_mean, by_log_std = surrogate_gradient(
            action, mean, self.log_std, old_log_prob, normalised(advantage), parameters.clip_range
        )
        if parameters.action_friction > 0.0:
            by_mean += rest_gradient(mean, friction=parameters.action_friction, knee=FRICTION_KNEE)
        self.actor.backward(by_mean)
        joint = torch.cat([self.actor.gradient, by_log_std - parameters.entropy_weight])
        clip_norm(joint, parameters.maximum_gradient_norm)
        self._actor_optimiser.step(joint[: -len(by_log_std)])
        self._deviation_optimiser.step(joint[-len(by_log_std) :])

    def _update_critic(self, observation: Tensor, target: Tensor) -> None:
        error = self.critic.forward(observation)[:, 0] - target
        self.critic.backward(error[:, None] * (2.0 / len(error)))
        clip_norm(self.critic.gradient, self.parameters.maximum_gradient_norm)
        self._critic_optimiser.step(self.critic.gradient)

    def _losses(
        self,
        observation: Tensor,
        action: Tensor,
        old_log_prob: Tensor,
        advantage: Tensor,
        target: Tensor,
    ) -> PPOLosses:
        mean, value = self.actor.forward(observation), self.critic.forward(observation)[:, 0]
        log_ratio = log_probability(action, mean, self.log_std) - old_log_prob
        ratio, clip_range = log_ratio.exp(), self.parameters.clip_range
        return PPOLosses(
            policy_loss=float(clipped_surrogate(log_ratio, normalised(advantage), clip_range)),
            value_loss=float((value - target).square().mean()),
            approximate_kl=float((ratio - 1.0 - log_ratio).mean()),
            clipped_share=float(((ratio - 1.0).abs() > clip_range).float().mean()),
        )

    def _inputs(self, observation: Float) -> Tensor:
        inputs = self.normaliser(torch.from_numpy(observation))
        return inputs.clamp_(-OBSERVATION_CLIP, OBSERVATION_CLIP)


def log_probability(action: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return the log-density (batch,) of actions (batch, n), summed over their dimensions."""
    score = (action - mean) * torch.exp(-log_std)
    constant = 0.5 * math.log(2.0 * math.pi) * action.shape[1]
    return -0.5 * score.square().sum(1) - log_std.sum() - constant


def clipped_surrogate(log_ratio: Tensor, advantage: Tensor, clip_range: float) -> Tensor:
    """Return the negative of equation 7: the mean of min(r A, clip(r, 1 ± clip_range) A)."""
    ratio = log_ratio.exp()
    bounded = ratio.clamp(1.0 - clip_range, 1.0 + clip_range)
    return -torch.minimum(ratio * advantage, bounded * advantage).mean()


def surrogate_gradient(
    action: Tensor,
    mean: Tensor,
    log_std: Tensor,
    old_log_prob: Tensor,
    advantage: Tensor,
    clip_range: float,
) -> tuple[Tensor, Tensor]:
    """Return the gradient of `clipped_surrogate` by the mean (batch, n) and log_std (n,).

    With s = (a - mean) / std, dr/dmean = r s / std and dr/dlog_std = r (s^2 - 1). Where the bound
    is the lesser term of equation 7, which is r > 1 + clip_range for A > 0 and r < 1 - clip_range
    for A < 0, the loss does not depend on the policy.
    """
    inverse_std = torch.exp(-log_std)
    score = (action - mean).mul_(inverse_std)
    ratio = (log_probability(action, mean, log_std) - old_log_prob).exp_()
    gain = ratio * advantage
    bounded = ratio.clamp(1.0 - clip_range, 1.0 + clip_range).mul_(advantage)
    weight = torch.where(gain <= bounded, gain, 0.0).div_(-len(gain))
    by_log_std = weight @ score.square() - weight.sum()
    return score.mul_(weight[:, None]).mul_(inverse_std), by_log_std


def normalised(advantage: Tensor) -> Tensor:
    """Return advantages (batch,) with mean 0 and deviation 1."""
    return (advantage - advantage.mean()) / (advantage.std() + 1e-8)


def clip_norm(gradient: Tensor, maximum: float) -> None:
    """Scale a flat gradient in place so that its Euclidean norm is at most `maximum`."""
    norm = float(gradient.norm())
    if norm > maximum:
        gradient.mul_(maximum / norm)
