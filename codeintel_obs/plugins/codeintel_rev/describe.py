"""What the stages of a search say of themselves: choices, counts, and the outcomes that the application made. Pure.

Read are the application's own small structures (``Budget``, ``ChannelOutcome``, ``StageOutcome``, ``Found``): plain data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from codeintel_obs.steps import Call, Outcome, Status, StepEvent

Payload = dict[str, Any]

CHANNEL: Final = "retrieval.channel"
_LIBRARIES: Final = {"bm25": "bm25.search", "splade": "splade.search", "exact": "duckdb.query"}
_VECTORS: Final = {"qdrant": "qdrant.search"}
SKIPPED_KINDS: Final = ("faiss.search", *_VECTORS.values(), *_LIBRARIES.values())
_ENDS: Final = {"skipped": Status.SKIPPED, "failed": Status.FAILED, "timed_out": Status.TIMED_OUT}


def length(value: Any) -> int | None:
    """Return how long a text, list, tuple, set or dict is; None for what would be used up, or is anybody's code."""
    return len(value) if type(value) in (str, list, tuple, set, frozenset, dict) else None


def degrading(outcomes: Iterable[Any]) -> int:
    """Return how many outcomes say that something is missing from the answer."""
    return sum(each.status != "ran" and not each.expected for each in outcomes)


def _skip(channel: str, ask: Any, reason: str) -> StepEvent:
    """Return the instant of a channel that was not asked: the kind is that of its library."""
    settings = getattr(getattr(ask, "__self__", None), "_settings", None)
    store = getattr(getattr(settings, "vectors", None), "store", "")
    kind = _LIBRARIES.get(channel) or _VECTORS.get(store, "faiss.search")
    return StepEvent(kind, Status.SKIPPED, reason, {"channel": channel})


# -- a search ----------------------------------------------------------------------------------------------------------


def before_search(call: Call) -> Payload:
    """Say what is asked, and for how many hits."""
    query = call.arg(0, "query")
    return {"query": query, "query_len": length(query), "k": call.arg(1, "k")}


def after_search(_call: Call, result: Any) -> Payload:
    """Say what sort of query it was, how many hits there are, and how much is missing."""
    lacking = degrading(result.channels) + degrading(result.stages) + len(result.lacking)
    return {"query_kind": result.query_kind, "hits": len(result.hits), "degraded": lacking}


def before_budget(call: Call) -> Payload:
    """Say how long the query is."""
    return {"query_len": length(call.arg(0, "query")), "k": call.arg(1, "k"), "rerank": call.kwargs.get("rerank")}


def after_budget(_call: Call, result: Any) -> Payload:
    """Say what each channel may spend and counts for."""
    channels = result.channels
    return {
        "query_kind": result.profile.kind,
        "names": len(result.profile.names),
        "channels": [name for name, own in channels.items() if own.weight > 0],
        "depths": {name: own.depth for name, own in channels.items()},
        "weights": {name: own.weight for name, own in channels.items()},
        "seconds": result.seconds,
        "rrf_k": result.rrf_k,
    }


# -- channels ----------------------------------------------------------------------------------------------------------


def before_gather(call: Call) -> Payload:
    """Say which channels are asked."""
    return {"channels": _asked(call)}


def _asked(call: Call) -> list[str]:
    """Return the channels that count for something and have something to do."""
    idle = call.arg(4, "idle")
    return [name for name, own in call.arg(2, "plan").channels.items() if own.weight > 0 and name not in idle]


def after_gather(call: Call, result: Any) -> Outcome:
    """Say what became of each channel; of those that nobody asked, the reason."""
    asks, asked = call.arg(0, "channels"), _asked(call)
    skips = [_skip(o.channel, asks.get(o.channel), o.reason) for o in result if o.channel not in asked]
    said = {
        "outcomes": {each.channel: each.status for each in result},
        "found": sum(len(each.found) for each in result),
        "warnings": degrading(result),
    }
    return Outcome(said, events=skips)


def before_channel(call: Call) -> Payload:
    """Say which channel is asked."""
    return {"channel": call.arg(0, "channel")}


def after_channel(call: Call, result: Any) -> Outcome:
    """Say what a channel found, or what the application made of the exception that it raised."""
    said = {"outcome": result.status, "found": len(result.found)}
    if result.status == "skipped":
        ask = getattr(call.arg(1, "ask"), "func", None)
        return Outcome(said, events=(_skip(result.channel, ask, result.reason),))
    return Outcome(said, _ENDS.get(result.status, Status.COMPLETED), result.reason or None)


def waited(call: Call, result: Any) -> Outcome | None:
    """Tell of a channel that is no longer waited for; what it says of itself is told by its own step."""
    future = call.arg(1, "future")
    own = future.done() and not future.cancelled() and future.exception() is None and future.result() is result
    if own or result.status != "timed_out":
        return None
    return Outcome(events=(StepEvent(CHANNEL, Status.TIMED_OUT, result.reason, {"channel": result.channel}),))


def turned_into_outcome(call: Call, exc: BaseException | None) -> BaseException | None:
    """Return the exception that the application makes an outcome of, on its way there."""
    error = call.arg(0, "error")
    return error if exc is None and isinstance(error, BaseException) else None


# -- stages ------------------------------------------------------------------------------------------------------------


def before_fuse(call: Call) -> Payload:
    """Say which rankings are fused."""
    found: Mapping[str, Any] = call.arg(0, "channels")
    return {"channels": [name for name, ranking in found.items() if ranking], "rrf_k": call.arg(1, "k")}


def after_fuse(_call: Call, result: Any) -> Payload:
    """Say how many documents came out."""
    return {"fused_docs": length(result)}


def before_boost(call: Call) -> Payload:
    """Say how many documents may be lifted."""
    return {"docs": length(call.arg(0, "fused"))}


def after_boost(call: Call, result: Any) -> Outcome:
    """Say how many documents were lifted, or why none."""
    return _staged(call.arg(1, "stages"), {"boosted": sum(each.boost is not None for each in result)})


def before_hydrate(call: Call) -> Payload:
    """Say how many documents are fetched."""
    return {"docs": length(call.arg(1, "docs"))}


def after_hydrate(_call: Call, result: Any) -> Payload:
    """Say how many rows came."""
    return {"rows": length(result)}


def before_rerank(call: Call) -> Payload:
    """Say how many documents there are to be scored."""
    return {"docs": length(call.arg(1, "best"))}


def after_rerank(call: Call, result: Any) -> Outcome:
    """Say how many documents were scored, or why none."""
    return _staged(call.arg(3, "stages"), {"scored": length(result)})


def _staged(stages: Any, said: Payload) -> Outcome:
    """Return what the application noted of the stage that has just ended."""
    outcome = stages.outcomes[-1]
    return Outcome(said, _ENDS.get(outcome.status, Status.COMPLETED), outcome.reason or None)
