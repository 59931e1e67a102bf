"""The wrapper of synchronous callables: the library sees the frame, the locals and the line of its caller.

DuckDB's replacement scans look a table's name up in the calling Python frame, and ``warnings.warn(stacklevel=2)`` names
it. So the original is called from an ``eval`` whose globals are the caller's, whose locals are a lazy view of the
caller's (a copy would keep its objects alive) and whose code carries the caller's file name and line. With
``python_scan_all_frames`` DuckDB looks at this module's frames too: every local and global name here is prefixed.
"""

from __future__ import annotations

from functools import partial as _codeintel_partial
from sys import _getframe as _codeintel_getframe
from typing import Any as _codeintel_Any

from msgspec import Struct as _codeintel_Struct

from codeintel_obs import recorder as _codeintel_recorder
from codeintel_obs.calls import Wiring as _codeintel_Wiring
from codeintel_obs.calls import begin as _codeintel_begin
from codeintel_obs.calls import fail as _codeintel_fail
from codeintel_obs.calls import finish as _codeintel_finish
from codeintel_obs.context import suppressed as _codeintel_suppressed
from codeintel_obs.guard import call as _codeintel_call
from codeintel_obs.guard import each as _codeintel_each

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


def transparent_wrapper(_codeintel_wiring: _codeintel_Wiring, _codeintel_extra_frames: bool) -> _codeintel_Any:
    """Return wrapt's wrapper function for a synchronous callable of one point.

    ``_codeintel_extra_frames`` tells that wrapt runs in pure Python and stands between us and the caller.
    """

    def observed(
        _codeintel_wrapped: _codeintel_Any,
        _codeintel_instance: _codeintel_Any,
        _codeintel_args: tuple[_codeintel_Any, ...],
        _codeintel_kwargs: dict[str, _codeintel_Any],
    ) -> _codeintel_Any:
        _codeintel_frame = _codeintel_getframe(1)
        if _codeintel_extra_frames:
            _codeintel_frame = _codeintel_caller(_codeintel_frame)
        _codeintel_begun = None
        if _codeintel_recorder.active is not None and (
            # another's step ends even where no new one may begin: the garbage collector may free its object here
            _codeintel_wiring.kind is None or not _codeintel_suppressed.get()
        ):
            _codeintel_begun = _codeintel_call(
                _codeintel_begin, _codeintel_wiring, _codeintel_instance, _codeintel_args, _codeintel_kwargs
            )
        if _codeintel_begun is None:
            # eval is the point of this module: see its docstring
            return eval(  # noqa: S307
                _codeintel_code_at(_codeintel_frame),
                _codeintel_frame.f_globals,
                _CodeintelLocals(  # type: ignore[arg-type]  # a mapping as far as eval asks
                    _codeintel_frame,
                    _codeintel_partial(_codeintel_wrapped, *_codeintel_args, **_codeintel_kwargs),
                ),
            )
        try:
            if _codeintel_begun.announced is not None:
                _codeintel_each(_codeintel_begun.announced, _codeintel_begun.step)
            _codeintel_result = eval(  # noqa: S307 - see the module's docstring
                _codeintel_code_at(_codeintel_frame),
                _codeintel_frame.f_globals,
                _CodeintelLocals(  # type: ignore[arg-type]  # a mapping as far as eval asks
                    _codeintel_frame,
                    _codeintel_partial(_codeintel_wrapped, *_codeintel_begun.call.args, **_codeintel_begun.call.kwargs),
                ),
            )
        except BaseException as _codeintel_exc:
            _codeintel_fail(_codeintel_begun, _codeintel_exc)
            raise
        _codeintel_result = _codeintel_finish(_codeintel_begun, _codeintel_result)
        if _codeintel_begun.ended is not None:
            _codeintel_each(_codeintel_begun.ended, _codeintel_begun.step)
        return _codeintel_result

    return observed
