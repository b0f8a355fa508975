"""A stand-in for a device other than the CPU, on machines that have none.

Tensors that are sent `.to(DEVICE)`, and all that is computed from them, count as being there. What
a real device would refuse is refused: computing with tensors of both places, looking at the values
as an array, drawing there with a generator of the CPU. The arithmetic itself is the CPU's, so that
results are those of the CPU to the last bit.
"""

import torch
from torch.overrides import TorchFunctionMode

DEVICE = torch.device("cuda")

_THERE = "there"
_ASK_DEVICE = torch.Tensor.device.__get__
_MOVES = (torch.Tensor.to, torch.Tensor.cpu)
_COPIES = (torch.Tensor.copy_,)


def is_there(tensor):
    return getattr(tensor, _THERE, False)


class OtherDevice(TorchFunctionMode):
    """A context in which `DEVICE` is at hand."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = list(_tensors((*args, *kwargs.values())))
        there = any(is_there(t) for t in tensors)
        if func == _ASK_DEVICE:
            return DEVICE if there else func(*args, **kwargs)
        if func in _MOVES:
            return self._moved(func, args, kwargs)
        if there:
            self._refuse(func, tensors, kwargs)
        result = func(*args, **kwargs)
        if there and func not in _COPIES:
            mark(result)
        return result

    def _moved(self, func, args, kwargs):
        """Copy to or from the device; a target other than a device leaves the place as it is."""
        tensor, target = args[0], args[1] if len(args) > 1 else kwargs.get("device")
        if func is torch.Tensor.to and not isinstance(target, torch.device):
            raise AssertionError(f"moved to {target!r}, which is no device")
        goes = func is torch.Tensor.to and target == DEVICE
        if goes == is_there(tensor):
            return tensor
        return mark(tensor.clone(), there=goes)

    def _refuse(self, func, tensors, kwargs):
        name = getattr(func, "__name__", str(func))
        if func in _COPIES:
            return
        if func is torch.Tensor.numpy:
            raise AssertionError("an array was made of a tensor on the device")
        if kwargs.get("generator") is not None:
            raise AssertionError(f"{name} draws on the device with a generator of the CPU")
        if any(not is_there(t) and t.dim() for t in tensors):
            raise AssertionError(f"{name} computes with tensors of both places")


def mark(result, there=True):
    for tensor in _tensors((result,)):
        setattr(tensor, _THERE, there)
    return result


def _tensors(values):
    """Yield the tensors among arguments or results, those in lists and tuples too."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def tensors_of(thing, path="", seen=None):
    """Yield path and tensor of everything that an object holds."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor):
        yield path, thing
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from tensors_of(value, f"{path}.{key}", seen)
    elif isinstance(thing, list | tuple):
        for index, value in enumerate(thing):
            yield from tensors_of(value, f"{path}[{index}]", seen)
    elif hasattr(thing, "__dict__"):
        yield from tensors_of(vars(thing), path, seen)
