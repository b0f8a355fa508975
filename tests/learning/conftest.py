import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Compute as a training does: threads cost small networks more than they bring."""
    torch.set_num_threads(1)
