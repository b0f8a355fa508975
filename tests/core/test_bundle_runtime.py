import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bundle_samples import make_network
from sinew_core.bundle import NumpyPolicy, PolicyNetwork
from sinew_core.bundle.onnx_export import onnx_bytes
from sinew_core.errors import BundleError


def one_joint(output="tanh", clip=None, **changes):
    # z = (observation - 1) / 2; hidden = relu(z, -z); action = output(2 * relu(z) + 0.5)
    values = {
        "layers": (
            (np.array([[1.0], [-1.0]]), np.zeros(2)),
            (np.array([[2.0, 0.0]]), np.array([0.5])),
        ),
        "hidden_activation": "relu",
        "output_activation": output,
        "observation_mean": np.array([1.0]),
        "observation_std": np.array([2.0]),
        "observation_clip": clip,
    }
    return PolicyNetwork(**{**values, **changes})


def act(network, observation):
    return NumpyPolicy(network).act(np.array(observation, np.float32))


def test_action_is_the_hand_computed_one():
    # z = (1.4 - 1) / 2 = 0.2; 2 * 0.2 + 0.5 = 0.9; tanh(0.9) = 0.716298
    assert act(one_joint(), [1.4]) == pytest.approx([0.716298], abs=1e-6)


def test_clip_output_is_linear_inside_and_bounded_outside():
    assert act(one_joint("clip"), [1.4]) == pytest.approx([0.9], abs=1e-6)
    assert act(one_joint("clip"), [9.0]) == pytest.approx([1.0])
    negative = one_joint("clip", layers=((np.array([[3.0]]), np.zeros(1)),))
    assert act(negative, [-9.0]) == pytest.approx([-1.0])


def test_normalised_observation_is_clipped():
    # (5 - 1) / 2 = 2, clipped to 0.1: 2 * 0.1 + 0.5 = 0.7
    assert act(one_joint("clip", clip=0.1), [5.0]) == pytest.approx([0.7], abs=1e-6)


def test_action_is_not_overwritten_by_the_next_one():
    policy = NumpyPolicy(one_joint())
    first = policy.act(np.array([1.4], np.float32))
    kept = first.copy()
    policy.act(np.array([9.0], np.float32))
    assert np.array_equal(first, kept)


def test_out_receives_the_action():
    out = np.zeros(1, np.float32)
    assert NumpyPolicy(one_joint()).act(np.array([1.4], np.float32), out) is out
    assert out == pytest.approx([0.716298], abs=1e-6)


@pytest.mark.parametrize("shape", [(2,), (1, 1), ()])
def test_observation_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="expected \\(1,\\)"):
        NumpyPolicy(one_joint()).act(np.zeros(shape, np.float32))


@given(
    hidden=st.sampled_from(["relu", "tanh"]),
    output=st.sampled_from(["tanh", "clip"]),
    clip=st.sampled_from([None, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_torch_onnxruntime_and_numpy_agree(hidden, output, clip, seed):
    network = make_network((5, 16, 16, 3), hidden, output, clip, seed)
    observations = np.random.default_rng(seed).normal(size=(4, 5)).astype(np.float32)
    policy = NumpyPolicy(network)
    ours = np.stack([policy.act(o) for o in observations])
    session = onnxruntime.InferenceSession(onnx_bytes(network))
    np.testing.assert_allclose(
        session.run(None, {"observation": observations})[0], ours, rtol=0, atol=1e-5
    )
    np.testing.assert_allclose(torch_forward(network, observations), ours, rtol=0, atol=1e-5)


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 9))
def test_onnxruntime_and_numpy_take_the_same_row_of_a_table(seed, k):
    choices = np.random.default_rng(seed).uniform(-1, 1, (k, 3)).astype(np.float32)
    network = make_network((5, 16, k), "relu", "argmax", None, seed, choices)
    observations = np.random.default_rng(seed).normal(size=(4, 5)).astype(np.float32)
    policy = NumpyPolicy(network)
    ours = np.stack([policy.act(o) for o in observations])
    session = onnxruntime.InferenceSession(onnx_bytes(network))
    theirs = session.run(None, {"observation": observations})[0]
    scores = np.stack([policy.scores(o) for o in observations])
    np.testing.assert_array_equal(ours, choices[scores.argmax(1)])
    best = np.sort(scores, axis=1)
    clear = np.full(4, True) if k == 1 else best[:, -1] - best[:, -2] > 1e-4
    np.testing.assert_array_equal(theirs[clear], ours[clear])


def test_the_first_of_equal_scores_is_taken_by_onnxruntime_too():
    tie = {"layers": ((np.zeros((3, 1)), np.array([1.0, 2.0, 2.0])),)}
    choices = np.array([[0.1], [0.2], [0.3]])
    network = one_joint("argmax", choices=choices, **tie)
    session = onnxruntime.InferenceSession(onnx_bytes(network))
    found = session.run(None, {"observation": np.zeros((1, 1), np.float32)})[0]
    assert act(network, [0.0]) == found[0] == np.float32(0.2)


def test_scores_that_are_no_numbers_choose_nothing():
    network = one_joint(
        "argmax",
        layers=((np.array([[1.0], [-1.0], [0.0]]), np.array([0.0, 0.0, 1.0])),),
        choices=np.array([[0.1], [0.2], [0.3]]),
    )
    assert act(network, [5.0]) == np.float32(0.1)
    assert np.isnan(act(network, [np.nan]))
    assert np.isnan(act(network, [np.inf]))


def torch_forward(network, observations):
    x = torch.from_numpy((observations - network.observation_mean) / network.observation_std)
    if network.observation_clip is not None:
        x = x.clamp(-network.observation_clip, network.observation_clip)
    for index, (weight, bias) in enumerate(network.layers):
        x = torch.nn.functional.linear(x, torch.tensor(weight), torch.tensor(bias))
        if index < len(network.layers) - 1:
            x = torch.relu(x) if network.hidden_activation == "relu" else torch.tanh(x)
    return (torch.tanh(x) if network.output_activation == "tanh" else x.clamp(-1, 1)).numpy()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"layers": ()}, "layers"),
        ({"layers": ((np.zeros((1, 3)), np.zeros(1)),)}, r"layers\[0\] weight"),
        ({"layers": ((np.array([[np.nan]]), np.zeros(1)),)}, r"layers\[0\] weight"),
        ({"layers": ((np.zeros((1, 1)), np.array([np.inf])),)}, r"layers\[0\] bias"),
        ({"hidden_activation": "elu"}, "hidden_activation"),
        ({"output_activation": ""}, "output_activation"),
        ({"observation_mean": np.array([np.nan])}, "observation_mean"),
        ({"observation_std": np.array([0.0])}, "observation_std"),
        ({"observation_std": np.ones(2)}, "observation_std"),
        ({"observation_clip": 0.0}, "observation_clip"),
        ({"output_activation": "argmax"}, "choices: expected a table"),
        ({"choices": np.zeros((1, 1))}, "choices: expected none"),
        ({"output_activation": "argmax", "choices": np.zeros((2, 1))}, r"choices.*shape \(1, n\)"),
        ({"output_activation": "argmax", "choices": np.array([[np.nan]])}, "choices"),
        ({"observation_clip": float("nan")}, "observation_clip"),
    ],
)
def test_a_network_that_cannot_run_is_refused_by_name(changes, named):
    with pytest.raises(BundleError, match=named):
        one_joint(**changes)


def test_reading_and_running_need_no_training_libraries():
    program = (
        "import sys, sinew_core.bundle\n"
        "heavy = {'torch', 'onnx', 'pybullet', 'mujoco', 'gymnasium', 'numba'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)"
    )
    path = ":".join(sys.path)
    result = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")
