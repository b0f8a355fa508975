"""Time of one observation → action: the bundle's numpy runtime beside torch eager."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import TypedDict

import numpy as np
import torch

from sinew_core.bundle import NumpyPolicy, PolicyNetwork
from sinew_core.bundle.runtime import Float32

GOAL_RATIO = 0.35
HIDDEN_SIZES = (256, 64)
OBSERVATION_SIZE = 24
ACTION_SIZE = 7


class Row(TypedDict):
    """One line of a benchmark report; `ratio` is ours / peer, met when at most `goal`."""

    what: str
    ours: float
    peer: float
    unit: str
    ratio: float
    goal: float
    met: bool


def measure(*, repeats: int = 15, calls: int = 1000) -> list[Row]:
    """Time both runtimes alternately, on one thread, and return one row per network size.

    Args:
        repeats: Interleaved repeats; the median of each side counts.
        calls: Calls per repeat.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_row(hidden, repeats, calls) for hidden in HIDDEN_SIZES]
    finally:
        torch.set_num_threads(threads)


def _row(hidden: int, repeats: int, calls: int) -> Row:
    network = _network(hidden)
    observation = np.random.default_rng(1).normal(size=OBSERVATION_SIZE).astype(np.float32)
    policy = NumpyPolicy(network)
    peer_act = _torch_act(network)
    if not np.allclose(policy.act(observation), peer_act(observation), rtol=0.0, atol=1e-5):
        raise AssertionError("the two runtimes compute different actions")
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(repeats):
        times["ours"].append(_time_us(policy.act, observation, calls))
        times["peer"].append(_time_us(peer_act, observation, calls))
    ours, peer = statistics.median(times["ours"]), statistics.median(times["peer"])
    return Row(
        what=f"one observation to action through {hidden}x{hidden}, peer torch eager",
        ours=ours,
        peer=peer,
        unit="µs",
        ratio=ours / peer,
        goal=GOAL_RATIO,
        met=ours / peer <= GOAL_RATIO,
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
