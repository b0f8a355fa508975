"""Two critics of one shape, side by side in every matrix product (Fujimoto et al. 2018).

Both see the same inputs, so that one batched product replaces two: at 64 units a forward and a
backward pass take three quarters of the time of two perceptrons. Tests hold values and gradients
equal to those of autograd.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from sinew_core.algorithms.device import CPU
from sinew_core.algorithms.state import Array, State, restore, tensors

_RELU_BACKWARD = torch.ops.aten.threshold_backward


class TwinCritic:
    """Two ReLU perceptrons from observation and action to a value each.

    `parameters` and `gradient` are flat float32 vectors, and the weights (2, out, in) and biases
    (2, 1, out) are views of them. `backward` and `action_gradient` differentiate the latest
    `values`.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        hidden_units: int,
        generator: torch.Generator,
        device: torch.device = CPU,
    ) -> None:
        """Draw weights uniformly from ±1/sqrt(fan-in), those of the two critics apart."""
        self._observation_size = observation_size
        self._action_size = action_size
        self._hidden_units = hidden_units
        self._sizes = (observation_size + action_size, hidden_units, hidden_units, 1)
        count = sum(2 * (i + 1) * o for i, o in zip(self._sizes, self._sizes[1:], strict=False))
        drawn = torch.zeros(count)
        for weight, bias in self._views(drawn):
            bound = 1.0 / math.sqrt(weight.shape[2])
            weight.uniform_(-bound, bound, generator=generator)
            bias.uniform_(-bound, bound, generator=generator)
        self.parameters = drawn.to(device)
        self.gradient = torch.zeros_like(self.parameters)
        self._layers = self._views(self.parameters)
        self._gradients = self._views(self.gradient)
        self._inputs: list[Tensor] = []

    def clone(self) -> TwinCritic:
        """Return critics of the same shape and parameters that share no memory with these."""
        twin = TwinCritic(
            self._observation_size,
            self._action_size,
            self._hidden_units,
            torch.Generator(),
            self.parameters.device,
        )
        twin.parameters.copy_(self.parameters)
        return twin

    def values(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return both values (2, batch) of observations (batch, size) and actions (batch, n)."""
        with torch.no_grad():
            inputs = torch.cat([observation, action], 1)
            batch = inputs.expand(2, *inputs.shape)
            self._inputs = [batch]
            for weight, bias in self._layers[:-1]:
                batch = torch.baddbmm(bias, batch, weight.transpose(1, 2)).relu_()
                self._inputs.append(batch)
            weight, bias = self._layers[-1]
            return torch.baddbmm(bias, batch, weight.transpose(1, 2))[:, :, 0]

    def backward(self, by_value: Tensor) -> None:
        """Fill `gradient`, given the loss's gradient by the values (2, batch)."""
        with torch.no_grad():
            delta = by_value[:, :, None]
            for index in range(len(self._layers) - 1, -1, -1):
                weight_gradient, bias_gradient = self._gradients[index]
                torch.bmm(delta.transpose(1, 2), self._inputs[index], out=weight_gradient)
                torch.sum(delta, 1, keepdim=True, out=bias_gradient)
                if index:
                    delta = self._through_hidden(delta, index)

    def action_gradient(self, by_value: Tensor) -> Tensor:
        """Return the loss's gradient by the action (batch, n), given that by the values.

        It leaves `gradient` as it is.
        """
        with torch.no_grad():
            delta = by_value[:, :, None]
            for index in range(len(self._layers) - 1, 0, -1):
                delta = self._through_hidden(delta, index)
            weight = self._layers[0][0][:, :, self._observation_size :]
            return torch.bmm(delta, weight).sum(0)

    def state(self) -> State:
        """Return the parameters."""
        return tensors(parameters=self.parameters)

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take over parameters."""
        restore(state, parameters=self.parameters)

    def _through_hidden(self, delta: Tensor, index: int) -> Tensor:
        delta = torch.bmm(delta, self._layers[index][0])
        through: Tensor = _RELU_BACKWARD(delta, self._inputs[index], 0.0)
        return through

    def _views(self, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
        views, start = [], 0
        for inputs, outputs in zip(self._sizes, self._sizes[1:], strict=False):
            middle, end = start + 2 * inputs * outputs, start + 2 * (inputs + 1) * outputs
            weight, bias = flat[start:middle], flat[middle:end]
            views.append((weight.view(2, outputs, inputs), bias.view(2, 1, outputs)))
            start = end
        return views
