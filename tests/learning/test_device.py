"""Where a learner computes: on the CPU, on another device, and on the way between them.

No test needs a GPU: `other_device` stands in for one. Where CUDA is there, it is tested too.
"""

import os

import numpy as np
import pytest
import torch

from learning.other_device import DEVICE, OtherDevice, is_there, tensors_of
from learning.small_learners import learn, learner
from sinew_core.algorithms.device import open_device
from sinew_core.algorithms.parameters import PARAMETERS
from sinew_core.errors import ConfigError
from sinew_core.training.gym import GymConfiguration

REAL = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


@pytest.fixture
def other_device(monkeypatch):
    """Everything within the test runs where `cuda` stands for the other device."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda _: None)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    with OtherDevice():
        yield


def assert_equal(found, expected):
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert np.array_equal(found[name], values), name


def assert_equal_policies(first, second):
    for ours, theirs in zip(first.layers, second.layers, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert np.array_equal(first.observation_mean, second.observation_mean)
    assert np.array_equal(first.observation_std, second.observation_std)


@pytest.mark.parametrize("device", REAL)
@pytest.mark.parametrize("algorithm", PARAMETERS)
def test_every_tensor_of_a_learner_is_on_the_device_that_was_asked_for(algorithm, device):
    found = dict(tensors_of(learn(learner(algorithm, device=device), 1)))
    assert len(found) > 5
    assert {tensor.device.type for tensor in found.values()} == {device}


@pytest.mark.parametrize("algorithm", PARAMETERS)
def test_nothing_of_a_learner_stays_behind_on_the_cpu(algorithm, other_device):
    agent = learn(learner(algorithm, device="cuda"), 1)
    assert agent.updates > 0
    assert not [path for path, tensor in tensors_of(agent) if not is_there(tensor)]


@pytest.mark.parametrize("algorithm", PARAMETERS)
def test_the_way_to_the_device_changes_neither_state_nor_policy(algorithm, other_device):
    here, there = learn(learner(algorithm), 2), learn(learner(algorithm, device="cuda"), 2)
    assert_equal(there.state(), here.state())
    assert_equal_policies(there.network(), here.network())
    assert there.figures() == here.figures()


@pytest.mark.parametrize(("first", "second"), [("cuda", "cpu"), ("cpu", "cuda")])
@pytest.mark.parametrize("algorithm", PARAMETERS)
def test_a_state_goes_on_on_another_device(algorithm, first, second, other_device):
    whole = learn(learner(algorithm), 2)
    begun = learn(learner(algorithm, device=first), 1)
    moved = learner(algorithm, seed=9, device=second)
    moved.load_state(begun.state())
    if begun.replay is not None:
        moved.replay.clear(0)
        moved.replay.extend(begun.replay.since(0))
    learn(moved, 1, first=1)
    assert_equal(moved.state(), whole.state())
    assert all(is_there(t) == (second == "cuda") for _, t in tensors_of(moved))


def test_the_stand_in_refuses_what_a_device_refuses():
    with OtherDevice():
        there = torch.ones(3).to(DEVICE)
        with pytest.raises(AssertionError, match="both places"):
            there + torch.ones(3)
        with pytest.raises(AssertionError, match="an array"):
            there.numpy()
        with pytest.raises(AssertionError, match="generator of the CPU"):
            there.uniform_(generator=torch.Generator())
        assert (there[1:] * 2.0).cpu().numpy().tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("built", "found"),
    [(None, "is built without CUDA"), ("12.8", "built with CUDA 12.8, finds no GPU")],
)
def test_asking_for_cuda_without_one_says_what_was_found(built, found, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(ConfigError, match=f"device is cuda, but torch .*{found}: give device:=cpu"):
        learner("ddpg", device="cuda")


def test_a_table_has_no_device():
    values = {"algorithm": "q_learning", "environment": "Taxi-v4", "device": "cuda"}
    with pytest.raises(ConfigError, match="q_learning learns on the cpu alone"):
        GymConfiguration.from_mapping(values)


def test_computing_on_cuda_repeats_to_the_last_bit_by_asking_for_it(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "use_deterministic_algorithms", asked.append)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    assert open_device("cuda") == torch.device("cuda")
    assert asked == [True]
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
