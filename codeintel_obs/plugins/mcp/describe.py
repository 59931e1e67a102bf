"""Describes tool calls and the other requests of a server from their parameters and wire results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from codeintel_obs import semconv
from codeintel_obs.asgi import report_address
from codeintel_obs.plugins.mcp.request import asked_place, params_of
from codeintel_obs.steps import Call, Outcome, Status, StepEvent

BEGIN: Final = "tool.begin"
FINISH: Final = "tool.finish"
ERROR: Final = "tool.error"
_DETAIL_CAP: Final = 300


# -- tools -------------------------------------------------------------------------------------------------------------


def begin_tool(call: Call) -> Outcome:
    """Say which tool is called."""
    params = params_of(call)
    arguments = params.get("arguments")
    said = {
        "tool": params.get("name"),
        "protocol": call.arg(0, "ctx").protocol_version,
        "arguments_count": len(arguments) if isinstance(arguments, Mapping) else 0,
        "arguments": dict(arguments) if isinstance(arguments, Mapping) and arguments else None,
    }
    return Outcome(said, events=(StepEvent(BEGIN, payload=_tool(call)),), links=asked_place(call))


def tool_ended(call: Call, result: Any) -> Outcome:
    """Say how a call ended that has a result: as the result says, and with what its framework was handed to answer."""
    content = result.get("content")
    said = {
        "content": len(content) if isinstance(content, list) else None,
        "structured": "structuredContent" in result or None,
        "result_type": result.get("resultType"),
    }
    if result.get("isError") is not True:
        return Outcome(said, events=(StepEvent(FINISH, payload=_tool(call)),))
    handled = call.step.handled if call.step is not None else None
    detail = _first_text(content) if handled is None else None
    error = StepEvent(ERROR, Status.FAILED, detail, _tool(call), error=handled)
    return Outcome({**said, "is_error": True}, Status.FAILED, detail or "isError", (error,))


def tool_failed(call: Call, exc: BaseException) -> Outcome:
    """Say that a call ended without a result."""
    code = getattr(getattr(exc, "error", None), "code", None)
    error = StepEvent(ERROR, Status.FAILED, payload=_tool(call), error=exc)
    return Outcome({"code": code if isinstance(code, int) else None}, events=(error,))


def _tool(call: Call) -> Mapping[str, Any]:
    return {"tool": params_of(call).get("name")}


def _first_text(content: Any) -> str | None:
    """Return what a tool says of its own failure."""
    for item in content if isinstance(content, list) else ():
        text = item.get("text") if isinstance(item, Mapping) else None
        if isinstance(text, str):
            return text[:_DETAIL_CAP]
    return None


def with_ids(call: Call, result: Any) -> dict[str, Any] | None:
    """Return a result with the ids of run and trace in its ``_meta``, and where the run's report is found."""
    meta = result.get("_meta")
    step = call.step
    if step is None or not (meta is None or isinstance(meta, Mapping)):
        return None
    run_id = step.run.run_id
    over_http = call.arg(0, "ctx").request is not None
    ours = {"run_id": run_id, "trace_id": step.trace_id, "report": report_address(run_id, over_http=over_http)}
    return {**result, "_meta": {**ours, **(meta or {})}}


# -- other requests ----------------------------------------------------------------------------------------------------


def begin_resource(call: Call) -> Mapping[str, Any]:
    """Say which resource is read."""
    return {"uri": params_of(call).get("uri")}


def resource_ended(_call: Call, result: Any) -> Mapping[str, Any]:
    """Say how many parts a resource has."""
    contents = result.get("contents")
    return {"content": len(contents) if isinstance(contents, list) else None}


def begin_prompt(call: Call) -> Mapping[str, Any]:
    """Say which prompt is asked for."""
    return {"prompt": params_of(call).get("name")}


def prompt_ended(_call: Call, result: Any) -> Mapping[str, Any]:
    """Say how many messages a prompt has."""
    messages = result.get("messages")
    return {"messages": len(messages) if isinstance(messages, list) else None}


def request_failed(_call: Call, exc: BaseException) -> Mapping[str, Any]:
    """Say with which code of the protocol a request failed."""
    code = getattr(getattr(exc, "error", None), "code", None)
    return {"code": code if isinstance(code, int) else None}


# -- errors ------------------------------------------------------------------------------------------------------------


def raised(_call: Call, exc: BaseException | None) -> BaseException | None:
    """Return the exception that left a tool, on its way to the framework that makes a result of it."""
    return exc if isinstance(exc, Exception) else None


# -- spans -------------------------------------------------------------------------------------------------------------


def tool_attributes(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the semantic conventions' attributes of a tool call."""
    return {
        semconv.MCP_METHOD_NAME: "tools/call",
        semconv.GEN_AI_OPERATION_NAME: "execute_tool",
        semconv.GEN_AI_TOOL_NAME: payload.get("tool"),
    }
