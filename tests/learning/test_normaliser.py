import numpy as np
import torch

from sinew_core.algorithms.normaliser import Normaliser


def test_batches_merge_to_the_statistics_of_the_whole():
    data = np.random.default_rng(0).normal([1.0, -5.0], [2.0, 0.1], (300, 2)).astype(np.float32)
    normaliser = Normaliser(2)
    for part in (data[:10], data[10:200], data[200:]):
        normaliser.update(part)
    np.testing.assert_allclose(normaliser.mean, data.mean(0), rtol=1e-5)
    np.testing.assert_allclose(normaliser.std, data.std(0), rtol=1e-5)


def test_it_starts_as_the_identity():
    batch = torch.tensor([[1.0, 2.0]])
    assert torch.equal(Normaliser(2)(batch), batch)


def test_a_constant_component_does_not_blow_up():
    normaliser = Normaliser(1)
    normaliser.update(np.full((10, 1), 3.0, np.float32))
    assert torch.isfinite(normaliser(torch.tensor([[3.1]]))).all()
