"""What the plugins over ``sentence_transformers`` say alike: how many inputs, which model, what shape came out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from codeintel_obs import semconv
from codeintel_obs.steps import Call

Payload = dict[str, Any]

_ARRAYS: Final = frozenset({"numpy", "torch"})
INHERITED: Final[Mapping[str, str]] = {
    "a torch module's own; what works for a search goes through the methods that are points": """
        forward compile train eval to cpu cuda half float double bfloat16 type apply children modules named_* parameters
        buffers register_* get_* set_* add_module append insert extend pop state_dict load_state_dict share_memory
        requires_grad_ zero_grad xpu ipu mtia to_empty gradient_checkpointing_enable
    """,
    "prepares inputs for an encoding, which is a point": "preprocess tokenize is_singular_input smart_batching_collate*",
    "trains, evaluates, changes or publishes a model; no part of a search": """
        fit old_fit evaluate save save_pretrained save_to_hub push_to_hub merge add_adapter load_adapter delete_adapter
        set_adapter enable_adapters disable_adapters active_adapter* *_peft_compatible_model load
        clear_placement_cache
    """,
    "starts or stops processes; the encodings that are handed to them are points": """
        start_multi_process_pool stop_multi_process_pool
    """,
    "reads or sets what the model knows of itself": "supports",
}
"""Names that every model of the library has and no plugin watches, by the reason."""

_loaded: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""The name or path that each model was asked for by, since a model does not keep it in one place."""


def shape_of(value: Any) -> tuple[int, ...] | None:
    """Return the shape of an array or tensor; None for anything else, whose ``shape`` may be anybody's code."""
    return tuple(int(size) for size in value.shape) if type(value).__module__ in _ARRAYS else None


def amount(inputs: Any) -> int | None:
    """Return how many inputs there are: a text or a dict is one; None for what would have to be used up to be counted."""
    if isinstance(inputs, (str, dict)):
        return 1
    if type(inputs) in (list, tuple):
        return len(inputs)
    shape = shape_of(inputs)
    return shape[0] if shape else None


def readable(inputs: Any) -> Any:
    """Return inputs that are texts or lists of them; an iterator would be used up, a tensor says nothing."""
    return inputs if isinstance(inputs, str) or type(inputs) in (list, tuple) else None


def model_of(call: Call) -> Payload:
    """Return the name or path that the model was loaded by, and its class."""
    return {"model": _loaded.get(call.instance), "model_class": type(call.instance).__name__}


def before_encode(call: Call) -> Payload:
    """Say how many inputs there are, for which model, and by which method."""
    inputs = call.arg(0, "inputs", call.kwargs.get("sentences"))
    batch = call.kwargs.get("batch_size")
    return {
        "count": amount(inputs),
        "text": readable(inputs),
        "method": call.name.rpartition(".")[2],
        "batch_size": batch if type(batch) is int else None,
        **model_of(call),
    }


def before_load(call: Call) -> Payload:
    """Say which model is asked for: a name, a path, or modules of the application's own."""
    name = call.arg(0, "model_name_or_path", call.kwargs.get("model_name"))
    return {"model": name if isinstance(name, str) else None, "model_class": type(call.instance).__name__}


def after_load(call: Call, _result: Any) -> Payload:
    """Remember under which name the model was loaded."""
    name = call.arg(0, "model_name_or_path", call.kwargs.get("model_name"))
    if isinstance(name, str):
        _loaded[call.instance] = name
    return {}


def embedding(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes of an encoding: embeddings in the words of the conventions for generative AI."""
    found: dict[str, Any] = {
        semconv.GEN_AI_OPERATION_NAME: "embeddings",
        semconv.GEN_AI_PROVIDER_NAME: "sentence_transformers",
    }
    if "model" in payload:
        found[semconv.GEN_AI_REQUEST_MODEL] = payload["model"]
    if "dim" in payload:
        found[semconv.GEN_AI_EMBEDDINGS_DIMENSION_COUNT] = payload["dim"]
    return found


def exclusions(own: Mapping[str, str]) -> dict[str, str]:
    """Return the exclusions of a plugin, name by name: what all models inherit, and ``own``."""
    return {name: reason for reasons in (INHERITED, own) for reason, names in reasons.items() for name in names.split()}
