"""What one request of `AsyncLLM` gives, output by output: counted as it streams, told when the stream ends."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from codeintel_obs.plugins.vllm.inputs import before_request
from codeintel_obs.plugins.vllm.outputs import Payload, ended, errors, length, pooled, times, total
from codeintel_obs.steps import Call, Outcome

_DELTA: Final = "DELTA"


class Tally:
    """The outputs of one request so far. What a cumulative output holds replaces what was known of its sequence."""

    __slots__ = ("deltas", "latest", "reasons", "texts", "tokens")

    def __init__(self, *, deltas: bool) -> None:
        self.deltas = deltas
        self.latest: Any = None
        self.tokens: dict[int, int] = {}
        self.reasons: dict[int, str] = {}
        self.texts: dict[int, str] = {}

    def add(self, output: Any) -> None:
        """Count the tokens of one output."""
        self.latest = output
        for one in output.outputs:
            known = self.deltas and one.index in self.tokens
            self.tokens[one.index] = (length(one.token_ids) or 0) + (self.tokens[one.index] if known else 0)
            self.texts[one.index] = (self.texts[one.index] if known else "") + one.text
            if isinstance(one.finish_reason, str):
                self.reasons[one.index] = one.finish_reason

    def payload(self) -> tuple[Payload, Counter[str]]:
        """Return what the outputs say of themselves, and why their sequences ended."""
        latest, reasons = self.latest, Counter(self.reasons.values())
        said = {
            "tokens": length(latest.prompt_token_ids),
            "output_tokens": sum(self.tokens.values()),
            "cached_tokens": total((latest.num_cached_tokens,)),
            "finish_reasons": dict(reasons) or None,
            "output_text": list(self.texts.values()) or None,
            **times((latest,)),
        }
        return said, reasons


def before_generate(call: Call) -> Payload:
    """Say what one request asks for, and get ready to count what it gives."""
    kind = getattr(call.arg(1, "sampling_params"), "output_kind", None)
    call.notes = Tally(deltas=getattr(kind, "name", None) == _DELTA)
    return before_request(call)


def generated(call: Call, output: Any) -> None:
    """Count one output of a generation."""
    if call.notes is not None:
        call.notes.add(output)


def after_generate(call: Call, _result: Any) -> Payload | Outcome:
    """Say what a request gave, to its end or for as long as its consumer wanted it."""
    tally = call.notes
    return ended(*tally.payload()) if tally is not None and tally.latest is not None else {}


def failed_generate(call: Call, exc: BaseException) -> Payload:
    """Say what a request had given when it failed, or when its consumer was cancelled."""
    tally = call.notes
    said = tally.payload()[0] if tally is not None and tally.latest is not None else {}
    return {**said, **failure(call, exc)}


def encoded(call: Call, output: Any) -> None:
    """Keep the output of a pooling: there is one."""
    call.notes = output


def after_encode(call: Call, _result: Any) -> Payload | Outcome:
    """Say what a prompt was pooled to, or that its output is an error."""
    return errors(pooled([call.notes]), [call.notes]) if call.notes is not None else {}


# -- failures -----------------------------------------------------------------------------------------------------------


def failure(_call: Call, exc: BaseException) -> Payload:
    """Return the HTTP status that vLLM gives an error of its own, and the parameter that it refuses."""
    status = getattr(exc, "http_status", getattr(exc, "status_code", None))
    parameter = getattr(exc, "parameter", None)
    return {
        "code": int(status) if isinstance(status, int) else None,
        "parameter": parameter if isinstance(parameter, str) else None,
    }


def message(exc: BaseException) -> str:
    """Return an error's message without the refused value, which may be the application's text."""
    return Exception.__str__(exc) if isinstance(getattr(exc, "parameter", None), str) else str(exc)
