"""Where a learner computes. Its networks and optimisers lie there, and batches are copied there.

Everything random is drawn on the CPU, and states are arrays. So equal seeds begin with equal
weights and draw equal numbers on every device, and a state that was written on one goes on on
another.
"""

from __future__ import annotations

import os

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinew_core.errors import ConfigError

CPU = torch.device("cpu")


def open_device(name: str) -> torch.device:
    """Return the device of this name; on `cuda`, what is computed twice is then computed equal.

    Raises:
        ConfigError: the device is not there.
    """
    if name == "cpu":
        return CPU
    if not torch.cuda.is_available():
        raise ConfigError(f"device is cuda, but {_found()}: give device:=cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    return torch.device("cuda")


def to_device(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """Return an array as a tensor on a device; on the CPU it shares the array's memory."""
    return torch.from_numpy(array).to(device)


def to_array(tensor: Tensor) -> NDArray[np.float32]:
    """Return a tensor's values; those of a tensor on the CPU share its memory."""
    array: NDArray[np.float32] = tensor.cpu().numpy()
    return array


def _found() -> str:
    built = torch.version.cuda
    if built is None:
        return f"torch {torch.__version__} is built without CUDA"
    return f"torch {torch.__version__}, built with CUDA {built}, finds no GPU"
