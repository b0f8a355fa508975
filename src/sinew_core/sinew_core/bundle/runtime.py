"""The actor of a bundle, run by numpy alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sinew_core.errors import BundleError

Float32 = npt.NDArray[np.float32]
Layer = tuple[Float32, Float32]

HIDDEN_ACTIVATIONS = ("relu", "tanh")
OUTPUT_ACTIVATIONS = ("tanh", "clip", "argmax")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PolicyNetwork:
    """A fully connected actor with its observation normaliser; arrays are copied to float32.

    action = output(W_n · hidden(… hidden(W_1 · z + b_1)) + b_n), where
    z = clip((observation - mean) / std, ±observation_clip). With 'argmax' the outputs score the
    rows of `choices`, and the action is the row that scores highest, the first of equals.

    Attributes:
        layers: (weight (out, in), bias (out,)) of each layer, in order.
        hidden_activation: 'relu' or 'tanh'.
        output_activation: 'tanh', 'clip' to [-1, 1], or 'argmax'.
        observation_mean: (size,) in observation units; zeros for no normaliser.
        observation_std: (size,) in observation units, positive; ones for no normaliser.
        observation_clip: bound of |z|, or None for no bound.
        choices: (outputs, n) the action of each output for 'argmax', else None.
    """

    layers: tuple[Layer, ...]
    hidden_activation: str
    output_activation: str
    observation_mean: Float32
    observation_std: Float32
    observation_clip: float | None = None
    choices: Float32 | None = None

    def __post_init__(self) -> None:
        """Freeze the arrays and raise `BundleError` for anything that cannot be run."""
        layers = tuple((_frozen(weight), _frozen(bias)) for weight, bias in self.layers)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "observation_mean", _frozen(self.observation_mean))
        object.__setattr__(self, "observation_std", _frozen(self.observation_std))
        if self.observation_clip is not None:
            object.__setattr__(self, "observation_clip", float(self.observation_clip))
        if self.choices is not None:
            object.__setattr__(self, "choices", _frozen(self.choices))
        problem = _first_problem(self)
        if problem:
            raise BundleError(f"policy network: {problem}: export the policy again")

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Sizes from the observation to the outputs."""
        return (self.layers[0][0].shape[1], *(len(bias) for _, bias in self.layers))

    @property
    def action_size(self) -> int:
        """Size of the action."""
        return self.layer_sizes[-1] if self.choices is None else self.choices.shape[1]


class NumpyPolicy:
    """Runs a `PolicyNetwork` for one observation at a time, without torch.

    Not safe for several threads at once: the hidden activations are kept in buffers.
    """

    def __init__(self, network: PolicyNetwork) -> None:
        """Lay out the weights for `x @ W`, the fastest product for one observation."""
        self.observation_size = network.layer_sizes[0]
        self.action_size = network.action_size
        self.choices = network.choices
        self._shape = (self.observation_size,)
        self._mean = network.observation_mean
        self._inverse_std = (1.0 / network.observation_std.astype(np.float64)).astype(np.float32)
        self._input = np.empty(self.observation_size, np.float32)
        clip = network.observation_clip
        self._upper = None if clip is None else np.full(self._shape, clip, np.float32)
        self._lower = None if clip is None else np.full(self._shape, -clip, np.float32)
        self._tanh = network.hidden_activation == "tanh"
        self._hidden = [_Step(weight, bias) for weight, bias in network.layers[:-1]]
        weight, bias = network.layers[-1]
        self._weight, self._bias = np.ascontiguousarray(weight.T), bias
        self._scores = np.empty(len(bias), np.float32)
        self._finish: Callable[[Float32], None] = (
            _tanh if network.output_activation == "tanh" else _clip_to_one
        )

    def act(self, observation: Float32, out: Float32 | None = None) -> Float32:
        """Compute the action of one observation.

        Args:
            observation: (observation_size,), in the units of the observation spec.
            out: (action_size,) float32 contiguous, filled and returned; None for a new array.

        Returns:
            (action_size,) in [-1, 1], or a row of `choices`; not finite where the observation
            is so large that the network overflows.

        Raises:
            ValueError: for an observation of another shape.
        """
        action = np.empty(self.action_size, np.float32) if out is None else out
        if self.choices is None:
            self._finish(self._run(observation, action))
        else:
            scores = self._run(observation, self._scores)
            best = scores.argmax()  # a NaN if there is one, which chooses nothing
            action[:] = self.choices[best] if np.isfinite(scores[best]) else np.nan
        return action

    def scores(self, observation: Float32) -> Float32:
        """Return the outputs (outputs,) for an observation, before any output activation."""
        return self._run(observation, np.empty_like(self._scores))

    def _run(self, observation: Float32, out: Float32) -> Float32:
        if observation.shape != self._shape:
            raise ValueError(f"observation has shape {observation.shape}: expected {self._shape}")
        x = np.subtract(observation, self._mean, out=self._input)
        np.multiply(x, self._inverse_std, out=x)
        if self._upper is not None and self._lower is not None:
            np.minimum(x, self._upper, out=x)
            np.maximum(x, self._lower, out=x)
        for step in self._hidden:
            buffer = step.buffer
            np.dot(x, step.weight, out=buffer)
            np.add(buffer, step.bias, out=buffer)
            if self._tanh:
                np.tanh(buffer, out=buffer)
            else:
                np.maximum(buffer, step.zero, out=buffer)
            x = buffer
        np.dot(x, self._weight, out=out)
        return np.add(out, self._bias, out=out)


class _Step:
    """One hidden layer: weight (in, out), bias, the buffer of its output, and zeros for relu."""

    __slots__ = ("bias", "buffer", "weight", "zero")

    def __init__(self, weight: Float32, bias: Float32) -> None:
        self.weight = np.ascontiguousarray(weight.T)
        self.bias = bias
        self.buffer = np.empty(len(bias), np.float32)
        self.zero = np.zeros(len(bias), np.float32)


def _tanh(action: Float32) -> None:
    np.tanh(action, out=action)


def _clip_to_one(action: Float32) -> None:
    np.minimum(action, 1.0, out=action)
    np.maximum(action, -1.0, out=action)


def _frozen(array: npt.ArrayLike) -> Float32:
    try:
        copy = np.array(array, np.float32, order="C")
    except (TypeError, ValueError):
        raise BundleError(
            "policy network: an array holds no numbers: expected float32: export the policy again"
        ) from None
    copy.flags.writeable = False
    return copy


def _first_problem(network: PolicyNetwork) -> str:
    """Say what keeps a network from running: field, expected, found; empty when nothing does."""
    if network.hidden_activation not in HIDDEN_ACTIVATIONS:
        expected = " or ".join(HIDDEN_ACTIVATIONS)
        return f"hidden_activation: expected {expected}, found {network.hidden_activation!r}"
    if network.output_activation not in OUTPUT_ACTIVATIONS:
        expected = " or ".join(OUTPUT_ACTIVATIONS)
        return f"output_activation: expected {expected}, found {network.output_activation!r}"
    if network.observation_clip is not None and not 0.0 < network.observation_clip < np.inf:
        return f"observation_clip: expected a positive number, found {network.observation_clip}"
    return _shape_problem(network) or _choices_problem(network) or _value_problem(network)


def _choices_problem(network: PolicyNetwork) -> str:
    choices, outputs = network.choices, network.layer_sizes[-1]
    if (network.output_activation == "argmax") != (choices is not None):
        expected = "a table" if choices is None else "none"
        return f"choices: expected {expected} with output_activation {network.output_activation}"
    if choices is not None and (choices.ndim != 2 or len(choices) != outputs or not choices.size):
        return f"choices: expected shape ({outputs}, n), found {choices.shape}"
    return ""


def _shape_problem(network: PolicyNetwork) -> str:
    if not network.layers:
        return "layers: expected at least one, found none"
    if network.observation_mean.ndim != 1 or network.observation_mean.size == 0:
        return f"observation_mean: expected shape (size,), found {network.observation_mean.shape}"
    expected = network.observation_mean.shape
    if network.observation_std.shape != expected:
        return f"observation_std: expected shape {expected}, found {network.observation_std.shape}"
    inputs = expected[0]
    for index, (weight, bias) in enumerate(network.layers):
        if bias.ndim != 1 or bias.size == 0:
            return f"layers[{index}] bias: expected shape (out,), found {bias.shape}"
        if weight.shape != (len(bias), inputs):
            return (
                f"layers[{index}] weight: expected shape {(len(bias), inputs)}, "
                f"found {weight.shape}"
            )
        inputs = len(bias)
    return ""


def _value_problem(network: PolicyNetwork) -> str:
    named = [("observation_mean", network.observation_mean)]
    named.append(("observation_std", network.observation_std))
    if network.choices is not None:
        named.append(("choices", network.choices))
    for index, (weight, bias) in enumerate(network.layers):
        named += [(f"layers[{index}] weight", weight), (f"layers[{index}] bias", bias)]
    for name, array in named:
        bad = int(array.size - np.isfinite(array).sum())
        if bad:
            return f"{name}: expected finite numbers, found {bad} that are not"
    smallest = float(network.observation_std.min())
    return f"observation_std: expected positive, found {smallest}" if smallest <= 0.0 else ""
