"""The onnxruntime instrumentor: loads and runs of models, whoever made them; for an embedder without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins.embeddings import sessions as told
from codeintel_obs.steps import FieldClass, Point

_RUNS: Final = ("InferenceSession.run", "InferenceSession.run_with_ort_values")
_BOUND: Final = ("InferenceSession.run_with_iobinding", "InferenceSession.run_with_ortvaluevector")
_COMPILES: Final = ("compile_to_file", "compile_to_bytes", "compile_to_stream")


def _point(name: str, kind: str, **described: object) -> Point:
    return Point(module="onnxruntime", name=name, kind=f"onnxruntime.{kind}", outermost=True, **described)  # type: ignore[arg-type]  # one row of the table below


POINTS: Final = (
    *(_point(name, "run", before=told.before_run, after=told.after_run) for name in _RUNS),
    *(_point(name, "run", before=told.before_bound) for name in _BOUND),
    _point("InferenceSession.run_async", "run_async", before=told.before_run, after=told.after_run, optional=True),
    _point("InferenceSession.__init__", "load", before=told.before_load, after=told.after_load),
    _point("InferenceSession.set_providers", "set_providers", after=told.after_providers),
    _point("ModelPackageComponentContext.create_session", "load", after=told.after_made, optional=True),
    *(_point(f"ModelCompiler.{name}", "compile", before=told.before_compile, optional=True) for name in _COMPILES),
)

_REASONS: Final[Mapping[str, str]] = {
    "reads what the session knows, or sets a switch of it": """
        Session.get_* Session.disable_fallback Session.enable_fallback Session.set_ep_dynamic_options
        Session.set_tuning_results SessionOptions.* RunOptions.* get_* has_collective_ops
        print_debug_info set_* *_telemetry_events ModelCompiler.*_func ModelCompiler.set_*
    """,
    "ends what the application switched on for itself": "Session.end_profiling Session.release_captured_graph",
    "binds or copies buffers around a run, which is the point": """
        Session.io_binding Session.create_ortvalue_* IOBinding.* SessionIOBinding.* OrtValue.* SparseTensor.*
        copy_tensors
    """,
    "names a device, a memory or an execution provider": """
        OrtDevice.* OrtMemoryInfo.* OrtEpDevice.* OrtSyncStream.* OrtEpAssignedSubgraph.* preload_dlls
        register_execution_provider_library unregister_execution_provider_library create_and_register_allocator*
    """,
    "reads or writes adapters, contexts and packages of models; their runs are points": """
        AdapterFormat.* LoraAdapter.* OrtEpContextData*.* ModelPackage.* ModelPackageContext.*
        ModelPackageComponentContext.get_*
    """,
}


class OnnxRuntimeInstrumentor(LibraryInstrumentor):
    """Watches onnxruntime, as its table says."""

    plugin = "onnxruntime"
    library = "onnxruntime"
    never_run = "execution providers other than the CPU's"
    requires = (
        "onnxruntime>=1.20,<2",
        "onnxruntime-gpu>=1.20,<2",
        "onnxruntime-openvino>=1.20,<2",
        "onnxruntime-directml>=1.20,<2",
    )
    points = POINTS
    fields: ClassVar = {
        **dict.fromkeys(["inputs", "outputs", "bytes", "shapes", "output_shapes"], FieldClass.COUNT),
        "method": FieldClass.CODE,
        "providers": FieldClass.CODE,
        "names": FieldClass.NAME,
        "model": FieldClass.PATH,
        "path": FieldClass.PATH,
    }
    exclusions: ClassVar = {name: reason for reason, names in _REASONS.items() for name in names.split()}
