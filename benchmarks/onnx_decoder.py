"""A model's decoder as an ONNX graph, for runtimes other than ours. Made by hand: layers, LayerNorm, SiLU,
residuals."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pcbin.model import Model
from pcbin.model.engine import EPSILON


def export(model: Model) -> bytes:
    """From `inputs` (B, size), as the latent kind's `inputs` gives them, to `points` (B, 3 x points), both float32."""
    tensors: dict[str, NDArray[np.float32]] = model.weights.part("decoder")
    nodes, x = [], "inputs"
    for i in range(len(model.config.decoder.widths)):
        name = f"blocks.{i}"
        weight = tensors[f"{name}.linear.weight"]
        names = [f"{name}.{part}" for part in ("product", "norm", "gate", "silu", "sum")]
        linear = [x, f"{name}.linear.weight", f"{name}.linear.bias"]
        nodes.append(helper.make_node("Gemm", linear, names[:1], transB=1))
        norm = [names[0], f"{name}.norm.weight", f"{name}.norm.bias"]
        nodes.append(helper.make_node("LayerNormalization", norm, names[1:2], axis=-1, epsilon=EPSILON))
        nodes.append(helper.make_node("Sigmoid", names[1:2], names[2:3]))
        nodes.append(helper.make_node("Mul", names[1:3], names[3:4]))
        if weight.shape[0] == weight.shape[1]:
            nodes.append(helper.make_node("Add", [x, names[3]], names[4:]))
        x = names[4] if weight.shape[0] == weight.shape[1] else names[3]
    nodes.append(helper.make_node("Gemm", [x, "head.weight", "head.bias"], ["points"], transB=1))
    graph = helper.make_graph(
        nodes,
        model.name,
        [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["batch", model.config.latent.total])],
        [helper.make_tensor_value_info("points", TensorProto.FLOAT, ["batch", 3 * model.config.points])],
        [numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name) for name, value in tensors.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    data: bytes = made.SerializeToString()
    return data
