"""What a call of vLLM is asked for: its model, its inputs, its sampling. Pure, but for the queue of each `LLM`."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

from codeintel_obs.steps import Call, Link, Outcome

Payload = dict[str, Any]

_SHOWN: Final = 64
_QUEUED: Final = 256
_DRAINS: Final = "wait_for_completion"
_MODES: Final = {"LLM": "local", "AsyncLLM": "async", "LLMEngine": "engine"}

_queued: WeakKeyDictionary[Any, list[Link]] = WeakKeyDictionary()
"""The steps that queued requests in each ``LLM``, until somebody waits for them."""


# -- what is asked for ------------------------------------------------------------------------------------------------


def amount(prompts: Any) -> int | None:
    """Return how many prompts there are: a text, a dict, or a list of token ids is one."""
    if isinstance(prompts, (str, bytes, dict)):
        return 1
    if type(prompts) in (list, tuple):
        return 1 if prompts and type(prompts[0]) is int else len(prompts)
    return None


def text_of(prompts: Any) -> Any:
    """Return the texts of prompts; token ids, embeddings and images are left out."""
    if type(prompts) in (list, tuple):
        return [shown for each in prompts[:_SHOWN] if (shown := _text_of_one(each)) is not None] or None
    return _text_of_one(prompts)


def _text_of_one(prompt: Any) -> str | None:
    if isinstance(prompt, dict):
        prompt = prompt.get("prompt")
    return prompt if isinstance(prompt, str) else None


def _own(call: Call) -> Payload:
    """Return which model is called, and how."""
    config = getattr(call.instance, "model_config", None)
    return {"mode": _MODES.get(call.name.partition(".")[0]), "model": _name_of(config)}


def _name_of(config: Any) -> str | None:
    name = getattr(config, "model", None)
    return name if isinstance(name, str) else None


def _sampling(params: Any) -> Payload:
    """Return what sampling parameters allow; a list of them, one for each prompt, says nothing of all."""
    found = {"n": getattr(params, "n", None), "max_tokens": getattr(params, "max_tokens", None)}
    return {key: value for key, value in found.items() if type(value) is int}


def before_generate(call: Call) -> Payload:
    """Say how many prompts are completed."""
    prompts = call.arg(0, "prompts")
    return {
        **_own(call),
        "count": amount(prompts),
        "text": text_of(prompts),
        **_sampling(call.arg(1, "sampling_params")),
    }


def before_chat(call: Call) -> Payload:
    """Say how many conversations are answered: a list of messages is one."""
    messages = call.arg(0, "messages")
    known = type(messages) in (list, tuple)
    alone = known and len(messages) > 0 and isinstance(messages[0], dict)
    return {
        **_own(call),
        "count": (1 if alone else len(messages)) if known else None,
        "text": messages if known else None,
        **_sampling(call.arg(1, "sampling_params")),
    }


def before_beam_search(call: Call) -> Payload:
    """Say how many prompts are completed, with how many beams."""
    prompts, params = call.arg(0, "prompts"), call.arg(1, "params")
    width = getattr(params, "beam_width", None)
    beams = {"beam_width": width} if type(width) is int else {}
    return {**_own(call), "count": amount(prompts), "text": text_of(prompts), **beams, **_sampling(params)}


def before_pooling(call: Call) -> Payload:
    """Say how many prompts are pooled, for which task where one was named."""
    prompts, task = call.arg(0, "prompts"), call.kwargs.get("pooling_task")
    return {
        **_own(call),
        "count": amount(prompts),
        "text": text_of(prompts),
        "task": task if isinstance(task, str) else None,
    }


def before_score(call: Call) -> Payload:
    """Say how many queries are compared with how many documents."""
    queries, docs = call.arg(0, "data_1"), call.arg(1, "data_2")
    return {
        **_own(call),
        "queries": amount(queries),
        "docs": amount(docs),
        "query": text_of(queries),
        "text": text_of(docs),
    }


def before_request(call: Call) -> Payload:
    """Say what one request of an asynchronous engine asks for; a stream of inputs has no number."""
    prompt, params = call.arg(0, "prompt"), call.arg(1, "sampling_params", call.kwargs.get("pooling_params"))
    return {**_own(call), "request_id": _id(call.arg(2, "request_id")), **_one(prompt), **_of_params(params)}


def before_add_request(call: Call) -> Payload:
    """Say what a request asks for that an application hands over itself."""
    own = {**_own(call), "request_id": _id(call.arg(0, "request_id"))}
    return {**own, **_one(call.arg(1, "prompt")), **_of_params(call.arg(2, "params"))}


def _one(prompt: Any) -> Payload:
    return {"count": None if hasattr(prompt, "__anext__") else 1, "text": _text_of_one(prompt)}


def _of_params(params: Any) -> Payload:
    """Return what the parameters of one request say: of sampling, or the task of a pooling."""
    task = getattr(params, "task", None)
    return {"task": task} if isinstance(task, str) else _sampling(params)


def _id(request_id: Any) -> str | None:
    return request_id if isinstance(request_id, str) else None


def before_abort(call: Call) -> Payload:
    """Say which requests are aborted; what would have to be used up to be counted is not."""
    ids = call.arg(0, "request_id", call.kwargs.get("request_ids"))
    known = type(ids) in (list, tuple, set)
    return {**_own(call), "count": 1 if isinstance(ids, str) else len(ids) if known else None, "request_id": _id(ids)}


def before_control(call: Call) -> Payload:
    """Say what an engine is told to do: at which level, in which way, with which parts of its memory."""
    level, mode, tags = call.arg(0, "level"), call.arg(1, "mode"), call.arg(0, "tags")
    return {
        **_own(call),
        "method": call.name.rpartition(".")[2],
        "level": level if type(level) is int else None,
        "how": mode if isinstance(mode, str) else None,
        "tags": list(tags) if type(tags) in (list, tuple) else None,
    }


def before_rpc(call: Call) -> Payload:
    """Say which method of the workers is called."""
    method = call.arg(0, "method", call.kwargs.get("func"))
    return {**_own(call), "method": method if isinstance(method, str) else getattr(method, "__name__", None)}


# -- a load -----------------------------------------------------------------------------------------------------------


def before_load(call: Call) -> Payload:
    """Say which model is asked for: by name or path, or in a configuration that is made already."""
    asked = call.arg(0, "model", call.kwargs.get("vllm_config"))
    name = asked if isinstance(asked, str) else _name_of(getattr(asked, "model_config", None))
    return {"mode": _MODES.get(call.name.partition(".")[0]), "model": name}


def after_load(call: Call, _result: Any) -> Payload:
    """Say what was made of it: how the model is run, on what, and in which process."""
    engine = getattr(call.instance, "llm_engine", call.instance)
    config = getattr(call.instance, "model_config", None)
    device = getattr(getattr(getattr(engine, "vllm_config", None), "device_config", None), "device_type", None)
    core = getattr(engine, "engine_core", None)
    longest = getattr(config, "max_model_len", None)
    return {
        "runner": _plain(getattr(config, "runner_type", None)),
        "dtype": _plain(getattr(config, "dtype", None)),
        "device": _plain(device),
        "engine": type(core).__name__ if core is not None else None,
        "max_model_len": longest if type(longest) is int else None,
    }


def _plain(value: Any) -> str | None:
    """Return a word of vLLM's or torch's; of anybody else's it would run code to get one."""
    known = type(value).__module__ == "torch" or isinstance(value, str)
    return str(value) if known else None


# -- a queue ----------------------------------------------------------------------------------------------------------


def after_enqueue(call: Call, result: Any) -> Payload:
    """Say how many requests were queued, and let who waits for them find this step."""
    step = call.step
    if step is not None:
        waiting = _queued.setdefault(call.instance, [])
        if len(waiting) < _QUEUED:
            waiting.append(Link(step.run.run_id, step.trace_id, step.span_id))
    return {"requests": len(result) if type(result) is list else None}


def before_wait(call: Call) -> Outcome:
    """Link the steps that queued what is waited for."""
    return Outcome(_own(call), links=tuple(_queued.pop(call.instance, ())))
