"""Time of one observation → action: the bundle's numpy runtime beside torch eager."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.comparison import Comparison, Goal, alternate
from benchmarks.options import Options
from benchmarks.report import Progress, Report
from sinew_core.bundle import NumpyPolicy, PolicyNetwork
from sinew_core.bundle.runtime import Float32

GOAL = Goal(bound=0.35, at_most=True)
HIDDEN_SIZES = (256, 64)
OBSERVATION_SIZE = 24
ACTION_SIZE = 7


def run(report: Report, options: Options) -> None:
    """Measure each network size."""
    repeats = 5 if options.quick else 15
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    progress = Progress("policy", len(HIDDEN_SIZES))
    try:
        for hidden in HIDDEN_SIZES:
            progress.start(f"network of {hidden}x{hidden}")
            report.put(compare(hidden, repeats=repeats))
    finally:
        progress.close()
        torch.set_num_threads(threads)


def compare(hidden: int, *, repeats: int, calls: int = 1000) -> Comparison:
    """Time both runtimes on the same network with two hidden layers.

    Args:
        hidden: units of each hidden layer.
        repeats: of each side, in turn.
        calls: per repeat.
    """
    network = _network(hidden)
    observation = np.random.default_rng(1).normal(size=OBSERVATION_SIZE).astype(np.float32)
    policy = NumpyPolicy(network)
    peer_act = _torch_act(network)
    if not np.allclose(policy.act(observation), peer_act(observation), rtol=0.0, atol=1e-5):
        raise AssertionError("the two runtimes compute different actions")
    ours, peer = alternate(
        lambda: _time_us(policy.act, observation, calls),
        lambda: _time_us(peer_act, observation, calls),
        repeats,
    )
    return Comparison(
        what=f"one observation to action through {hidden}x{hidden}, peer torch eager",
        unit="µs",
        ours=ours,
        peer=peer,
        goal=GOAL,
    )


def _network(hidden: int) -> PolicyNetwork:
    rng = np.random.default_rng(0)
    sizes = (OBSERVATION_SIZE, hidden, hidden, ACTION_SIZE)
    layers = tuple(
        (
            (rng.normal(size=(outputs, inputs)) / inputs**0.5).astype(np.float32),
            rng.normal(size=outputs).astype(np.float32),
        )
        for inputs, outputs in itertools.pairwise(sizes)
    )
    return PolicyNetwork(
        layers=layers,
        hidden_activation="relu",
        output_activation="tanh",
        observation_mean=rng.normal(size=OBSERVATION_SIZE).astype(np.float32),
        observation_std=rng.uniform(0.5, 2.0, OBSERVATION_SIZE).astype(np.float32),
    )


def _torch_act(network: PolicyNetwork) -> Callable[[Float32], Float32]:
    """Return the same actor as torch modules in the cheapest eager form: no batch, no gradients.

    The normaliser is part of the first layer, so that the peer pays nothing for it.
    """
    modules: list[torch.nn.Module] = []
    for index, (weight, bias) in enumerate(network.layers):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        scaled = weight / network.observation_std if index == 0 else weight
        shifted = bias - scaled @ network.observation_mean if index == 0 else bias
        linear.load_state_dict({"weight": torch.tensor(scaled), "bias": torch.tensor(shifted)})
        last = index == len(network.layers) - 1
        modules += [linear, torch.nn.Tanh() if last else torch.nn.ReLU()]
    actor = torch.nn.Sequential(*modules).eval()

    def act(observation: Float32) -> Float32:
        with torch.inference_mode():
            action: Float32 = actor(torch.from_numpy(observation)).numpy()
        return action

    return act


def _time_us(act: Callable[[Float32], Float32], observation: Float32, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        act(observation)
    return (time.perf_counter() - start) / calls * 1e6
