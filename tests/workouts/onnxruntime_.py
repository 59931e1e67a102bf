"""Uses onnxruntime as an embedder would: a small graph made here, run from a file and from bytes."""

from __future__ import annotations

import contextlib

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout


def graph(width=4):
    """Return a model that multiplies its input by a fixed matrix."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.eye(width, dtype="float32") * 2, "weights")
    made = helper.make_graph(
        [helper.make_node("MatMul", ["canary_input", "weights"], ["doubled"])],
        "doubling",
        [helper.make_tensor_value_info("canary_input", TensorProto.FLOAT, ["rows", width])],
        [helper.make_tensor_value_info("doubled", TensorProto.FLOAT, ["rows", width])],
        [weights],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def session(source):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def error(call):
    try:
        call()
    except Exception as exc:
        return type(exc).__name__


@workout("onnxruntime", canaries={"canary-in-a-path": FieldClass.PATH, "canary_input": FieldClass.NAME})
def runs(folder):
    import numpy as np
    import onnxruntime

    path = folder / "canary-in-a-path.onnx"
    path.write_bytes(graph())
    loaded = session(str(path))
    rows = np.arange(8, dtype="float32").reshape(2, 4)
    value = onnxruntime.OrtValue.ortvalue_from_numpy(rows)
    binding = loaded.io_binding()
    binding.bind_cpu_input("canary_input", rows)
    binding.bind_output("doubled")
    loaded.run_with_iobinding(binding)
    return [
        loaded.run(["doubled"], {"canary_input": rows}),
        loaded.run(None, {"canary_input": rows}),
        [each.numpy() for each in loaded.run_with_ort_values(["doubled"], {"canary_input": value})],
        binding.copy_outputs_to_cpu(),
        error(lambda: loaded.run(None, {"canary_input": rows.astype("int64")})),
        error(lambda: loaded.run(None, {})),
        error(lambda: session(str(folder / "missing.onnx"))),
        error(lambda: session(b"no model")),
        loaded.set_providers(["CPUExecutionProvider"]),
    ]


@workout("onnxruntime")
def asynchronous(_folder):
    import threading

    import numpy as np

    seen, done = [], threading.Event()

    def callback(results, _data, problem):
        seen.append((results, problem))
        done.set()

    with contextlib.suppress(AttributeError):
        session(graph()).run_async(None, {"canary_input": np.ones((1, 4), "float32")}, callback, None)
        done.wait(20)
    return [results for results, _ in seen]
