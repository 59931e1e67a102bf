"""What vLLM's outputs say: tokens from their ids, finish reasons, times where statistics are kept, errors. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from codeintel_obs.steps import Call, Outcome, Status, StepEvent

Payload = dict[str, Any]

OUTPUT: Final = "vllm.output"
_NS: Final = 1_000_000_000
_SHOWN: Final = 64
_BADLY: Final = {"abort": "aborted", "error": "failed"}
_TIMES: Final = (
    ("queue_ns", "queued_ts", "scheduled_ts"),
    ("prefill_ns", "scheduled_ts", "first_token_ts"),
    ("decode_ns", "first_token_ts", "last_token_ts"),
)
"""The engine's own monotonic clock, as vLLM's statistics subtract it."""


# -- any output -------------------------------------------------------------------------------------------------------


def length(ids: Any) -> int | None:
    """Return the number of token ids; None where there are none to count."""
    return len(ids) if ids is not None and hasattr(ids, "__len__") else None


def total(numbers: Iterable[Any]) -> int | None:
    """Return the sum of the numbers that are known; None where none is."""
    known = [number for number in numbers if type(number) is int]
    return sum(known) if known else None


def times(outputs: Iterable[Any]) -> Payload:
    """Return how long requests waited, prefilled and decoded, of several the longest; nothing without statistics."""
    found: dict[str, int] = {}
    preempted = None
    for output in outputs:
        stats = getattr(output, "metrics", None)
        if stats is None:
            continue
        preempted = (preempted or 0) + getattr(stats, "num_preemptions", 0)
        for key, begin, end in _TIMES:
            first, last = getattr(stats, begin, 0.0), getattr(stats, end, 0.0)
            if first and last:  # zero until it happened
                found[key] = max(found.get(key, 0), round((last - first) * _NS))
    return found if preempted is None else {**found, "preemptions": preempted}


def ended(payload: Payload, reasons: Mapping[str, int]) -> Payload | Outcome:
    """Return what is said of requests that ended for these reasons: some mean that nothing came of them."""
    badly = {reason: reasons[reason] for reason in _BADLY if reason in reasons}
    if not badly:
        return payload
    everything = sum(reasons.values())
    words = ", ".join(f"{count} of {everything} {_BADLY[reason]}" for reason, count in badly.items())
    return Outcome(payload, Status.FAILED, words if everything > 1 else _BADLY[next(iter(badly))])


# -- completions ------------------------------------------------------------------------------------------------------


def completed(outputs: list[Any]) -> tuple[Payload, Counter[str]]:
    """Return what finished completions say of themselves, and why they ended."""
    each = [completion for output in outputs for completion in output.outputs]
    reasons = Counter(reason for one in each if isinstance(reason := one.finish_reason, str))
    payload = {
        "outputs": len(outputs),
        "tokens": total(length(output.prompt_token_ids) for output in outputs),
        "output_tokens": total(length(one.token_ids) for one in each),
        "cached_tokens": total(output.num_cached_tokens for output in outputs),
        "finish_reasons": dict(reasons) or None,
        "output_text": [one.text for one in each[:_SHOWN]] or None,
        **times(outputs),
    }
    return payload, reasons


def after_generate(_call: Call, result: Any) -> Payload | Outcome:
    """Say what a batch of prompts or conversations was completed with."""
    return ended(*completed(result)) if type(result) is list else {}


def after_beam_search(_call: Call, result: Any) -> Payload | Outcome:
    """Say how many sequences were found; their tokens begin with the prompt's."""
    if type(result) is not list:
        return {}
    sequences = [sequence for output in result for sequence in output.sequences]
    prompts = [length(sequence.orig_prompt.get("prompt_token_ids")) for sequence in sequences]
    reasons = Counter(reason for one in sequences if isinstance(reason := one.finish_reason, str))
    grown = [len(one.tokens) - prompt for one, prompt in zip(sequences, prompts, strict=True) if prompt is not None]
    payload = {
        "outputs": len(result),
        "sequences": len(sequences),
        "tokens": total(length(o.sequences[0].orig_prompt.get("prompt_token_ids")) for o in result if o.sequences),
        "output_tokens": total(grown),
        "finish_reasons": dict(reasons) or None,
        "output_text": [one.text for one in sequences[:_SHOWN]] or None,
    }
    return ended(payload, reasons)


# -- pooling ----------------------------------------------------------------------------------------------------------


def pooled(outputs: list[Any]) -> Payload:
    """Return what pooling outputs say of themselves, without what was pooled."""
    return {
        "outputs": len(outputs),
        "tokens": total(length(output.prompt_token_ids) for output in outputs),
        "cached_tokens": total(output.num_cached_tokens for output in outputs),
        "dim": next((dim for output in outputs if (dim := dimension(output)) is not None), None),
    }


def dimension(output: Any) -> int | None:
    """Return the length of an embedding or of a vector of classes; a score, or what failed, has none."""
    if output.error is not None:
        return None
    made = output.outputs
    for name in ("embedding", "probs"):
        if (values := getattr(made, name, None)) is not None:
            return length(values)
    data: Any = getattr(made, "data", None)
    return int(data.shape[-1]) if type(data).__module__ == "torch" and data.ndim else None


def errors(payload: Payload, outputs: list[Any]) -> Payload | Outcome:
    """Return what is said of pooling outputs some of which are errors: no exception tells of them."""
    found = [output.error for output in outputs if output.error is not None]
    if not found:
        return payload
    said = {**payload, "failed": len(found), "codes": sorted({error.code for error in found})}
    return Outcome(said, Status.FAILED, f"{len(found)} of {len(outputs)} failed: {found[0].code}: {found[0].message}")


def after_pooling(_call: Call, result: Any) -> Payload | Outcome:
    """Say what a batch of prompts was pooled to."""
    return errors(pooled(result), result) if type(result) is list else {}


# -- outputs of an engine that the application steps itself, and of a queue ----------------------------------------------


def of_any(outputs: list[Any]) -> Payload | Outcome:
    """Return what outputs of either sort say of themselves."""
    if outputs and hasattr(outputs[0], "error"):
        return errors(pooled(outputs), outputs)
    return ended(*completed(outputs))


def after_wait(_call: Call, result: Any) -> Payload | Outcome:
    """Say what came of all that was queued."""
    return of_any(result) if type(result) is list else {}


def after_step(_call: Call, result: Any) -> Outcome | None:
    """Tell an instant of each request that this iteration of an engine finished."""
    finished = [output for output in result if output.finished] if type(result) is list else []
    return Outcome(events=tuple(map(_instant, finished))) if finished else None


def _instant(output: Any) -> StepEvent:
    said = of_any([output])
    if not isinstance(said, Outcome):
        said = Outcome(said)
    return StepEvent(OUTPUT, said.status, said.detail, {"request_id": output.request_id, **said.payload})
