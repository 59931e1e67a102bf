"""Writes the ONNX graph of a BERT encoder whose weights stay where they are: inside a safetensors file.

Each initializer is ONNX external data, pointing by offset into that file; the graph itself is some 30 KB.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

    from codeintel_rev.config.model import ModelSpec

OPSET = 20
_IR_VERSION = 9  # the one that came with opset 20 (ONNX 1.15)
_MASKED = -1e9


def build_graph(weights: Path, spec: ModelSpec) -> bytes:
    """Inputs `input_ids` and `attention_mask` [batch, length] int64; output `embedding` [batch, dim]."""
    graph = _Graph(weights.name, *read_header(weights))
    _encoder(graph, spec)
    shape = ["batch", "length"]
    made = helper.make_graph(
        graph.nodes,
        spec.name,
        [helper.make_tensor_value_info(n, TensorProto.INT64, shape) for n in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", spec.dim])],
        list(graph.initializers.values()),
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="codeintel_rev")
    return cast("bytes", model.SerializeToString())


def read_header(weights: Path) -> tuple[int, dict[str, Any]]:
    """Offset of the first tensor's byte, and the tensors by name (the format: huggingface/safetensors)."""
    with weights.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        return 8 + length, json.loads(stream.read(length))


@dataclass(slots=True)
class _Graph:
    """Nodes in order; a value is named by the node that makes it."""

    location: str
    base: int
    tensors: dict[str, Any]
    nodes: list[Any] = field(default_factory=list)
    initializers: dict[str, Any] = field(default_factory=dict)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: Any, dtype: Any) -> str:
        name = f"constant_{len(self.initializers)}"
        self.initializers[name] = numpy_helper.from_array(np.array(value, dtype), name)
        return name

    def weight(self, name: str) -> str:
        """Refer to a tensor of the safetensors file; nothing of it is copied."""
        begin, end = self.tensors[name]["data_offsets"]
        tensor = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=self.tensors[name]["shape"])
        tensor.data_location = TensorProto.EXTERNAL
        where = {"location": self.location, "offset": self.base + begin, "length": end - begin}
        for key, value in where.items():
            tensor.external_data.add(key=key, value=str(value))
        self.initializers[name] = tensor
        return name

    def linear(self, x: str, name: str) -> str:
        transposed = self.op("Transpose", self.weight(f"{name}.weight"), perm=[1, 0])
        return self.op("Add", self.op("MatMul", x, transposed), self.weight(f"{name}.bias"))

    def norm(self, x: str, name: str, epsilon: float) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=epsilon)


def _encoder(graph: _Graph, spec: ModelSpec) -> None:
    x = _embeddings(graph, spec)
    mask = graph.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    hidden = graph.op("Sub", graph.constant(1.0, np.float32), mask)
    spread = graph.op("Unsqueeze", hidden, graph.constant([1, 2], np.int64))
    bias = graph.op("Mul", spread, graph.constant(_MASKED, np.float32))
    for layer in range(spec.layers):
        x = _layer(graph, x, bias, f"encoder.layer.{layer}", spec)
    _pool(graph, x, mask)


def _embeddings(graph: _Graph, spec: ModelSpec) -> str:
    words = graph.op("Gather", graph.weight("embeddings.word_embeddings.weight"), "input_ids")
    length = graph.op("Shape", "input_ids", start=1, end=2)
    zero = graph.constant([0], np.int64)
    places = graph.op("Slice", graph.weight("embeddings.position_embeddings.weight"), zero, length, zero)
    sentence = graph.op("Gather", graph.weight("embeddings.token_type_embeddings.weight"), graph.constant(0, np.int64))
    summed = graph.op("Add", graph.op("Add", words, places), sentence)
    return graph.norm(summed, "embeddings.LayerNorm", spec.norm_epsilon)


def _layer(graph: _Graph, x: str, bias: str, name: str, spec: ModelSpec) -> str:
    attended = graph.linear(_attention(graph, x, bias, name, spec), f"{name}.attention.output.dense")
    x = graph.norm(graph.op("Add", attended, x), f"{name}.attention.output.LayerNorm", spec.norm_epsilon)
    wide = graph.op("Gelu", graph.linear(x, f"{name}.intermediate.dense"))
    narrow = graph.linear(wide, f"{name}.output.dense")
    return graph.norm(graph.op("Add", narrow, x), f"{name}.output.LayerNorm", spec.norm_epsilon)


def _attention(graph: _Graph, x: str, bias: str, name: str, spec: ModelSpec) -> str:
    size = spec.dim // spec.heads
    split = graph.constant([0, 0, spec.heads, size], np.int64)
    orders = {"query": [0, 2, 1, 3], "key": [0, 2, 3, 1], "value": [0, 2, 1, 3]}
    heads = {
        part: graph.op(
            "Transpose",
            graph.op("Reshape", graph.linear(x, f"{name}.attention.self.{part}"), split),
            perm=order,
        )
        for part, order in orders.items()
    }
    scores = graph.op("MatMul", heads["query"], heads["key"])
    scaled = graph.op("Mul", scores, graph.constant(1 / math.sqrt(size), np.float32))
    weights = graph.op("Softmax", graph.op("Add", scaled, bias), axis=-1)
    mixed = graph.op("Transpose", graph.op("MatMul", weights, heads["value"]), perm=[0, 2, 1, 3])
    return graph.op("Reshape", mixed, graph.constant([0, 0, spec.dim], np.int64))


def _pool(graph: _Graph, x: str, mask: str) -> None:
    per_token = graph.op("Unsqueeze", mask, graph.constant([2], np.int64))
    axis = graph.constant([1], np.int64)
    total = graph.op("ReduceSum", graph.op("Mul", x, per_token), axis, keepdims=0)
    mean = graph.op("Div", total, graph.op("ReduceSum", per_token, axis, keepdims=0))
    graph.nodes.append(helper.make_node("LpNormalization", [mean], ["embedding"], axis=1, p=2))
