"""The policy as an ONNX graph, normaliser inside, for runtimes other than numpy."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sinew_core.bundle.runtime import PolicyNetwork
from sinew_core.errors import BundleError

OPSET = 13
IR_VERSION = 8
"""The oldest versions with every operator used here, so that old runtimes read the file."""


def onnx_bytes(network: PolicyNetwork) -> bytes:
    """Build and check the model: observation (batch, size) → action (batch, n), float32.

    Raises:
        BundleError: if the checker refuses the model.
    """
    graph = _Graph()
    value = graph.add("Sub", "observation", graph.constant("mean", network.observation_mean))
    value = graph.add("Div", value, graph.constant("std", network.observation_std))
    if network.observation_clip is not None:
        value = graph.clip(value, network.observation_clip)
    for index, (weight, bias) in enumerate(network.layers):
        parameters = (
            graph.constant(f"layer.{index}.weight", weight),
            graph.constant(f"layer.{index}.bias", bias),
        )
        value = graph.add("Gemm", value, *parameters, transB=1)
        if index < len(network.layers) - 1:
            value = graph.add("Relu" if network.hidden_activation == "relu" else "Tanh", value)
    if network.choices is not None:
        best = graph.add("ArgMax", value, axis=1, keepdims=0)
        value = graph.add("Gather", graph.constant("choices", network.choices), best, axis=0)
    elif network.output_activation == "tanh":
        value = graph.add("Tanh", value)
    else:
        value = graph.clip(value, 1.0)
    graph.add("Identity", value, output="action")
    return graph.model(network.layer_sizes[0], network.action_size)


class _Graph:
    """Collects nodes and constants of an ONNX graph."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, name: str, array: np.ndarray) -> str:
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: int) -> str:
        output = output or f"value.{len(self._nodes)}"
        node = helper.make_node(operator, list(inputs), [output])
        node.attribute.extend(helper.make_attribute(*named) for named in attributes.items())
        self._nodes.append(node)
        return output

    def clip(self, value: str, bound: float) -> str:
        suffix = len(self._nodes)
        low = self.constant(f"lower.{suffix}", np.array(-bound, np.float32))
        high = self.constant(f"upper.{suffix}", np.array(bound, np.float32))
        return self.add("Clip", value, low, high)

    def model(self, observation_size: int, action_size: int) -> bytes:
        floats = TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            "policy",
            [helper.make_tensor_value_info("observation", floats, ["batch", observation_size])],
            [helper.make_tensor_value_info("action", floats, ["batch", action_size])],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="sinew"
        )
        model.ir_version = IR_VERSION
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            reason = " ".join(str(error).split())
            raise BundleError(
                f"policy.onnx: expected a valid model, found {reason}: report this as a defect"
            ) from None
        return bytes(model.SerializeToString())
