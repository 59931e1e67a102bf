"""Log records of the application on their way to the sinks: seen where all pass, and passed on as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from codeintel_obs import guard, recorder
from codeintel_obs.collecting import safely
from codeintel_obs.context import suppress, suppressed
from codeintel_obs.guard import quietly
from codeintel_obs.recorder import Recorder
from codeintel_obs.steps import Call
from codeintel_obs.wiring import Wiring

_NUMBERS: Final = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}


class _Waiting:
    """A record whose text is the application's own handlers' to make."""

    __slots__ = ("active", "call", "said", "wiring")

    def __init__(self, active: Recorder, wiring: Wiring, call: Call, said: dict[str, Any]) -> None:
        self.active = active
        self.wiring = wiring
        self.call = call
        self.said = said


def log_wrapper(wiring: Wiring, function: Any) -> Callable[..., Any]:
    """Return wrapt's wrapper function for the callable through which log records pass.

    Handlers walk up the stack to the first frame outside the file of ``function`` (to name a caller, to print where a
    record that could not be formatted came from), so our frame says that it is of that file.
    """

    def callHandlers(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:  # noqa: N802 - as it shows in a stack
        waiting = None
        active = recorder.active
        if active is not None and not suppressed.get():
            waiting = safely(guard.call, _seen, active, wiring, Call(wiring.point.name, instance, args, kwargs))
        try:
            return wrapped(*args, **kwargs)
        except BaseException as exc:
            # an exception of a handler shows the application's and logging's frames only
            BaseException.with_traceback(exc, exc.__traceback__ and exc.__traceback__.tb_next)
            raise
        finally:
            if waiting is not None:
                safely(guard.call, _handled, waiting)

    code = getattr(function, "__code__", None)
    if code is not None:
        callHandlers.__code__ = callHandlers.__code__.replace(co_filename=code.co_filename)
    return callHandlers


def _seen(active: Recorder, wiring: Wiring, call: Call) -> _Waiting | None:
    """Tell the sinks of a record before any handler sees it; return what waits when its text is not ours to make."""
    before = wiring.point.before
    said: Any = quietly(before, call) if before is not None else None
    if not said or said["number"] < _NUMBERS[active.settings.log_level]:
        return None
    said = dict(said)
    with suppress():
        made, text = _made(said.pop("text"))
    if not made:
        return _Waiting(active, wiring, call, said)
    _tell(active, wiring, said, text)
    return None


def _handled(waiting: _Waiting) -> None:
    after = waiting.wiring.point.after
    told: Any = quietly(after, waiting.call, None) if after is not None else None
    _tell(waiting.active, waiting.wiring, waiting.said, (told or {}).get("text"))


def _made(text: Callable[[], str | None]) -> tuple[bool, str | None]:
    try:
        found = text()
    except Exception as exc:  # noqa: BLE001 - the application's arguments do not fit its format: a fact to record
        return False, f"{exc}"
    return found is not None, found


def _tell(active: Recorder, wiring: Wiring, said: dict[str, Any], text: str | None) -> None:
    """Hand the record to the sinks; what they log meanwhile is not the application's."""
    with suppress():
        guard.each(active.listeners.log, active.log(**said, text=text, source=wiring.source))
