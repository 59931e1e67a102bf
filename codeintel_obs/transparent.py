"""The wrapper of synchronous callables: the library sees the frame, the locals and the line of its caller.

DuckDB's replacement scans look a table's name up in the calling Python frame, and ``warnings.warn(stacklevel=2)`` names
it. So the original is called from an ``eval`` whose globals are the caller's, whose locals are a lazy view of the
caller's (a copy would keep its objects alive) and whose code carries the caller's file name and line. With
``python_scan_all_frames`` DuckDB looks at our frames too: every local and global name that they show is prefixed.

Some libraries walk over frames of their own, which they know by ``__name__``, to find their caller's; and some call
their own watched methods. So a wrapper runs under the name of the module that it wraps, and an exception's
traceback does not keep our frames: they would hold the call's arguments as long as the application holds the exception.
"""

from __future__ import annotations

import builtins as _codeintel_builtins
import types as _codeintel_types
from functools import partial as _codeintel_partial
from sys import _getframe as _codeintel_getframe
from typing import Any as _codeintel_Any

from msgspec import Struct as _codeintel_Struct

from codeintel_obs import recorder as _codeintel_recorder
from codeintel_obs.calls import begin as _codeintel_begin
from codeintel_obs.calls import fail as _codeintel_fail
from codeintel_obs.calls import finish as _codeintel_finish
from codeintel_obs.calls import forget as _codeintel_forget
from codeintel_obs.collecting import apart as _codeintel_apart
from codeintel_obs.collecting import collector as _codeintel_collector
from codeintel_obs.collecting import is_here as _codeintel_is_here
from codeintel_obs.context import current as _codeintel_current
from codeintel_obs.context import suppressed as _codeintel_suppressed
from codeintel_obs.guard import call as _codeintel_call
from codeintel_obs.guard import each as _codeintel_each
from codeintel_obs.wiring import Wiring as _codeintel_Wiring

_codeintel_template = compile("__codeintel_original__()", "<codeintel_obs>", "eval")
_codeintel_codes: dict[_codeintel_Any, _codeintel_Any] = {}
_codeintel_codes_cap = 4096


class _CodeintelLocals(_codeintel_Struct, eq=False):
    """The caller's locals, read when a name is asked for; and the one name that the eval itself needs."""

    _codeintel_frame: _codeintel_Any
    _codeintel_original: _codeintel_Any

    def __getitem__(self, _codeintel_key: str) -> _codeintel_Any:
        if _codeintel_key == "__codeintel_original__":
            return self._codeintel_original
        return self._codeintel_frame.f_locals[_codeintel_key]

    def __contains__(self, _codeintel_key: object) -> bool:
        return _codeintel_key in self._codeintel_frame.f_locals

    def __iter__(self) -> _codeintel_Any:
        return iter(self._codeintel_frame.f_locals)

    def __len__(self) -> int:
        return len(self._codeintel_frame.f_locals)

    def keys(self) -> _codeintel_Any:
        return self._codeintel_frame.f_locals.keys()

    def get(self, _codeintel_key: str, _codeintel_default: _codeintel_Any = None) -> _codeintel_Any:
        return self._codeintel_frame.f_locals.get(_codeintel_key, _codeintel_default)


def _codeintel_code_at(_codeintel_frame: _codeintel_Any) -> _codeintel_Any:
    """Return the eval's code, as if it stood where ``_codeintel_frame`` is; cached by place."""
    _codeintel_code = _codeintel_frame.f_code
    _codeintel_place = (_codeintel_code.co_filename, _codeintel_frame.f_lineno, _codeintel_code.co_name)
    _codeintel_found = _codeintel_codes.get(_codeintel_place)
    if _codeintel_found is None:
        if len(_codeintel_codes) >= _codeintel_codes_cap:
            _codeintel_codes.clear()
        _codeintel_found = _codeintel_codes[_codeintel_place] = _codeintel_template.replace(
            co_filename=_codeintel_place[0],
            co_firstlineno=_codeintel_place[1] or 1,
            co_name=_codeintel_place[2],
        )
    return _codeintel_found


def _codeintel_caller(_codeintel_frame: _codeintel_Any) -> _codeintel_Any:
    """Return the first frame outside wrapt, whose pure-Python fallback adds frames of its own."""
    while _codeintel_frame.f_globals.get("__name__", "").startswith("wrapt.") and _codeintel_frame.f_back:
        _codeintel_frame = _codeintel_frame.f_back
    return _codeintel_frame


def _codeintel_hide(_codeintel_exc: BaseException) -> None:
    """Take our frames off the top of the traceback of an exception that is on its way out of `observed`."""
    _codeintel_trace = _codeintel_exc.__traceback__
    while _codeintel_trace is not None and (
        _codeintel_trace.tb_frame.f_code in _codeintel_own_codes
        or _codeintel_trace.tb_frame.f_code.co_names == _codeintel_template.co_names
    ):
        _codeintel_trace = _codeintel_trace.tb_next
    # past any attribute hooks of the exception's own class
    BaseException.with_traceback(_codeintel_exc, _codeintel_trace)


_codeintel_own_codes: set[_codeintel_Any] = {_codeintel_apart.__code__}  # and those that `_codeintel_named` names
_codeintel_named_globals: dict[str, dict[str, _codeintel_Any]] = {}


def _codeintel_named(_codeintel_function: _codeintel_Any, _codeintel_name: str) -> _codeintel_Any:
    """Return ``_codeintel_function`` as if the module ``_codeintel_name`` had defined it, with our globals."""
    _codeintel_globals = _codeintel_named_globals.get(_codeintel_name)
    if _codeintel_globals is None:
        _codeintel_globals = {"__name__": _codeintel_name, "__builtins__": _codeintel_builtins}
        for _codeintel_key, _codeintel_value in globals().items():
            if _codeintel_key.lower().startswith("_codeintel"):
                _codeintel_globals[_codeintel_key] = _codeintel_value
        _codeintel_named_globals[_codeintel_name] = _codeintel_globals
    _codeintel_own_codes.add(_codeintel_function.__code__)
    return _codeintel_types.FunctionType(
        _codeintel_function.__code__,
        _codeintel_globals,
        _codeintel_function.__name__,
        _codeintel_function.__defaults__,
        _codeintel_function.__closure__,
    )


def transparent_wrapper(  # noqa: C901 - every function more is a frame more between the library and its caller
    _codeintel_wiring: _codeintel_Wiring,
    _codeintel_extra_frames: bool,
    _codeintel_module: str,
    _codeintel_depth: int = 1,
) -> _codeintel_Any:
    """Return wrapt's wrapper function for a synchronous callable of one point, defined in ``_codeintel_module``.

    ``_codeintel_extra_frames`` tells that wrapt runs in pure Python and stands between us and the caller, and
    ``_codeintel_depth`` how many frames of ours do.
    """
    _codeintel_from_outside = _codeintel_wiring.point.from_outside
    _codeintel_seen = _codeintel_wiring.point.frame_transparent
    _codeintel_asked = _codeintel_depth == 1  # wrapt has asked the wiring's switch; nobody has for a property

    def observed(
        _codeintel_wrapped: _codeintel_Any,
        _codeintel_instance: _codeintel_Any,
        _codeintel_args: tuple[_codeintel_Any, ...],
        _codeintel_kwargs: dict[str, _codeintel_Any],
    ) -> _codeintel_Any:
        _codeintel_frame = _codeintel_getframe(_codeintel_depth)
        if _codeintel_extra_frames:
            _codeintel_frame = _codeintel_caller(_codeintel_frame)
        _codeintel_around = _codeintel_current.get()
        _codeintel_begun = None
        try:
            if _codeintel_collector.thread and _codeintel_is_here():
                return _codeintel_in_collection(
                    (_codeintel_wiring, _codeintel_extra_frames, _codeintel_module, _codeintel_depth + 3),
                    (_codeintel_wrapped, _codeintel_instance, _codeintel_args, _codeintel_kwargs),
                )
            if (
                _codeintel_recorder.active is not None
                and (_codeintel_asked or _codeintel_wiring.kind is None or not _codeintel_suppressed.get())
                and not (_codeintel_from_outside and _codeintel_frame.f_globals.get("__name__") == _codeintel_module)
            ):
                _codeintel_begun = _codeintel_call(
                    _codeintel_begin, _codeintel_wiring, _codeintel_instance, _codeintel_args, _codeintel_kwargs
                )
            if _codeintel_begun is not None:
                _codeintel_args, _codeintel_kwargs = _codeintel_begun.call.args, _codeintel_begun.call.kwargs
                if _codeintel_begun.announced is not None:
                    _codeintel_each(_codeintel_begun.announced, _codeintel_begun.step)
            _codeintel_result = (
                eval(  # noqa: S307 - eval is the point of this module: see its docstring
                    _codeintel_code_at(_codeintel_frame),
                    _codeintel_frame.f_globals,
                    _CodeintelLocals(  # type: ignore[arg-type]  # a mapping as far as eval asks
                        _codeintel_frame,
                        _codeintel_partial(_codeintel_wrapped, *_codeintel_args, **_codeintel_kwargs),
                    ),
                )
                if _codeintel_seen
                else _codeintel_wrapped(*_codeintel_args, **_codeintel_kwargs)
            )
        except BaseException as _codeintel_exc:
            if _codeintel_begun is not None:
                _codeintel_fail(_codeintel_begun, _codeintel_exc)
            else:
                _codeintel_forget(_codeintel_around)
            _codeintel_hide(_codeintel_exc)
            raise
        if _codeintel_begun is None:
            return _codeintel_result
        _codeintel_result = _codeintel_finish(_codeintel_begun, _codeintel_result)
        if _codeintel_begun.ended is not None:
            _codeintel_each(_codeintel_begun.ended, _codeintel_begun.step)
        return _codeintel_result

    return _codeintel_named(observed, _codeintel_module)


def _codeintel_in_collection(
    _codeintel_made_of: tuple[_codeintel_Any, ...], _codeintel_called: tuple[_codeintel_Any, ...]
) -> _codeintel_Any:
    """Do in a context of its own what the wrapper does: see `codeintel_obs.collecting`."""
    try:
        return _codeintel_apart(transparent_wrapper(*_codeintel_made_of), *_codeintel_called)
    except BaseException as _codeintel_exc:
        _codeintel_hide(_codeintel_exc)
        raise


_codeintel_own_codes.add(_codeintel_in_collection.__code__)


def transparent_getter(
    _codeintel_getter: _codeintel_Any,
    _codeintel_wiring: _codeintel_Wiring,
    _codeintel_extra_frames: bool,
    _codeintel_module: str,
) -> _codeintel_Any:
    """Return what stands for the getter of a property that does work."""
    _codeintel_observed = transparent_wrapper(_codeintel_wiring, _codeintel_extra_frames, _codeintel_module, 2)

    def observed_getter(_codeintel_instance: _codeintel_Any) -> _codeintel_Any:
        try:
            return _codeintel_observed(
                _codeintel_partial(_codeintel_getter, _codeintel_instance), _codeintel_instance, (), {}
            )
        except BaseException as _codeintel_exc:
            _codeintel_hide(_codeintel_exc)
            raise

    return _codeintel_named(observed_getter, _codeintel_module)
