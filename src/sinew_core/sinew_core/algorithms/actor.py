"""What the actors of the continuous algorithms share: their pull to rest, and their deployment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sinew_core.algorithms.networks import MLP, Layers
from sinew_core.algorithms.state import State
from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.errors import ConfigError


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """What an agent begins with in place of networks drawn at random.

    Attributes:
        network: a deployed actor.
        critic: state of an agent of the same kind, whose critics are taken; empty: new critics.
        frozen_updates: updates of the critics before the actor is changed.
        exploration: standard deviation of the actions that an actor with deviations draws.
    """

    network: PolicyNetwork
    critic: State
    frozen_updates: int
    exploration: float


def rest_gradient(
    action: Tensor, *, friction: float, penalty: float = 0.0, knee: float = 0.02
) -> Tensor:
    """Return the gradient (batch, n) of mean(penalty a^2 + friction (sqrt(a^2 + knee^2) - knee)).

    Friction lets an arm rest at its target: without it a policy is indifferent to small actions,
    and they keep the joints moving. Actions well below the knee cost their square, actions well
    above it their size. The penalty keeps tanh from saturating (Andrychowicz et al. 2017, appendix
    A).
    """
    pull = (action.square() + knee**2).rsqrt_().mul_(friction).add_(2.0 * penalty)
    return pull.mul_(action).div_(action.numel())


def actor_network(actor: MLP, action_size: int) -> PolicyNetwork:
    """Return the actor as it is deployed: tanh of its first `action_size` outputs."""
    size = actor.sizes[0]
    *hidden, (weight, bias) = actor.layers()
    return PolicyNetwork(
        layers=(*hidden, (weight[:action_size], bias[:action_size])),
        hidden_activation=actor.hidden_activation,
        output_activation="tanh",
        observation_mean=np.zeros(size, dtype=np.float32),
        observation_std=np.ones(size, dtype=np.float32),
    )


def adopt_actor(actor: MLP, network: PolicyNetwork) -> None:
    """Give an actor the weights of a deployed one, its normaliser folded into the first layer.

    The deployed one's outputs become the actor's first; further ones, such as deviations, stay.

    Raises:
        ConfigError: sizes or activations differ, or the network bounds what it sees.
    """
    *sizes, outputs = network.layer_sizes
    same = tuple(sizes) == actor.sizes[:-1] and outputs <= actor.sizes[-1]
    form = (network.hidden_activation, network.output_activation, network.observation_clip)
    if not same or form != (actor.hidden_activation, "tanh", None):
        raise ConfigError(
            f"the bundle's actor has sizes {network.layer_sizes}, activations and clip {form}; the "
            f"learner's is {actor.sizes}, {(actor.hidden_activation, 'tanh', None)}: take the "
            "algorithm and hidden_units that the bundle was made by"
        )
    (weight, bias), *rest = network.layers
    weight = weight / network.observation_std
    bias = bias - weight @ network.observation_mean
    ours = actor.layers()
    for (our_weight, our_bias), (w, b) in zip(ours, ((weight, bias), *rest), strict=True):
        our_weight[: len(w)], our_bias[: len(b)] = w, b
    set_layers(actor, ours)


def set_layers(network: MLP, layers: Layers) -> None:
    """Give a network weights (out, in) and biases (out,) of its own form."""
    flat = [np.concatenate([weight.ravel(), bias]) for weight, bias in layers]
    network.parameters.copy_(torch.from_numpy(np.concatenate(flat)))
