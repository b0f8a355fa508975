"""The written-out backward pass and Adam agree with torch's."""

import pytest
import torch
from torch import nn

from sinew_core.algorithms.networks import MLP, Adam


def make(hidden_activation="relu", *, tanh_output=True, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return MLP(
        [5, 8, 6, 3],
        hidden_activation=hidden_activation,
        tanh_output=tanh_output,
        generator=generator,
    )


def autograd_twin(network):
    hidden = {"relu": nn.ReLU, "tanh": nn.Tanh}[network.hidden_activation]
    modules = []
    for index, (weight, bias) in enumerate(network.layers()):
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data = torch.from_numpy(weight)
        linear.bias.data = torch.from_numpy(bias)
        modules += [linear, hidden() if index < 2 else nn.Identity()]
    if network.tanh_output:
        modules.append(nn.Tanh())
    return nn.Sequential(*modules)


def test_gains_scale_what_is_drawn():
    plain = make().layers()
    scaled = MLP(
        [5, 8, 6, 3],
        hidden_activation="relu",
        tanh_output=True,
        generator=torch.Generator().manual_seed(0),
        hidden_gain=2.0,
        output_gain=0.5,
    ).layers()
    for (weight, bias), (other_weight, other_bias), weight_gain, bias_gain in zip(
        plain, scaled, (2.0, 2.0, 0.5), (1.0, 1.0, 0.5), strict=True
    ):
        torch.testing.assert_close(weight_gain * weight, other_weight)
        torch.testing.assert_close(bias_gain * bias, other_bias)


@pytest.mark.parametrize("hidden_activation", ["relu", "tanh"])
@pytest.mark.parametrize("tanh_output", [True, False])
def test_gradients_equal_those_of_autograd(hidden_activation, tanh_output):
    network = make(hidden_activation, tanh_output=tanh_output)
    twin = autograd_twin(network)
    batch = torch.randn(16, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
    weights = torch.randn(16, 3, generator=torch.Generator().manual_seed(2))

    output = network.forward(batch.detach())
    twin_output = twin(batch)
    (twin_output * weights).sum().backward()

    torch.testing.assert_close(output, twin_output.detach())
    network.backward(weights)
    expected = torch.cat([p.grad.flatten() for p in twin.parameters()])
    torch.testing.assert_close(network.gradient, expected)
    torch.testing.assert_close(network.input_gradient(weights), batch.grad)


def test_adam_takes_the_steps_of_torch():
    generator = torch.Generator().manual_seed(3)
    ours = torch.randn(20, generator=generator)
    theirs = ours.clone().requires_grad_()
    adam, reference = Adam(ours, 1e-2), torch.optim.Adam([theirs], lr=1e-2)
    for _ in range(5):
        gradient = torch.randn(20, generator=generator)
        theirs.grad = gradient.clone()
        reference.step()
        adam.step(gradient)
    torch.testing.assert_close(ours, theirs.detach())


def test_a_clone_is_equal_but_apart():
    network = make()
    twin = network.clone()
    batch = torch.ones(2, 5)
    assert torch.equal(network.forward(batch), twin.forward(batch))
    network.parameters.zero_()
    assert not torch.equal(network.forward(batch), twin.forward(batch))


def test_equal_seeds_draw_equal_weights():
    assert torch.equal(make(seed=4).parameters, make(seed=4).parameters)
    assert not torch.equal(make(seed=4).parameters, make(seed=5).parameters)
