"""What a failed validation says of itself without the input that it repeats: pydantic's error, and FastAPI's. Pure."""

from __future__ import annotations

from typing import Any, Final

_SHOWN: Final = 8


def message(exc: BaseException) -> str:
    """Return an error's message without the input that a failed validation, or what caused it, repeats."""
    for each in (exc, exc.__cause__):
        if each is not None and type(each).__name__.endswith("ValidationError"):
            faults = _faults(each)
            if faults:
                return _told(each, faults)
    return str(exc)


def _faults(exc: Any) -> list[Any]:
    """Return what is wrong, each with its place and its type; nothing of an error that only has the name."""
    if hasattr(exc, "error_count"):  # pydantic's own
        return list(exc.errors(include_url=False, include_context=False, include_input=False))
    found = exc.errors() if callable(getattr(exc, "errors", None)) else None  # FastAPI's
    return [each for each in found if isinstance(each, dict)] if isinstance(found, (list, tuple)) else []


def _told(exc: Any, faults: list[Any]) -> str:
    title = getattr(exc, "title", None)
    of_what = f" for {title}" if isinstance(title, str) else ""
    words = "; ".join(f"{'.'.join(map(str, each.get('loc', ())))}: {each.get('type')}" for each in faults[:_SHOWN])
    return f"{len(faults)} validation error{'s' if len(faults) > 1 else ''}{of_what}: {words}"
