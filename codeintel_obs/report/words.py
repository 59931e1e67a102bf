"""Durations, names and foreign texts as a person reads them on a terminal of some width."""

from __future__ import annotations

import signal
import textwrap
from collections import Counter
from datetime import datetime
from typing import Any, Final

_UNITS: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))
_MINUTE_S: Final = 60


def duration(ns: int | None) -> str:
    """Return a duration with three digits that matter: ``1.24 s``, ``350 µs``, ``2 min 05 s``; ``?`` when unknown."""
    if ns is None:
        return "?"
    seconds = ns / 1_000_000_000
    if seconds >= 2 * _MINUTE_S:
        minutes, rest = divmod(round(seconds), _MINUTE_S)
        return f"{minutes} min {rest:02d} s"
    for size, unit in _UNITS:
        if abs(ns) >= size:
            # %g would tell 999.9 as 1e+03
            return f"{ns / size:.0f} {unit}" if abs(ns) >= 999.5 * size else f"{ns / size:.3g} {unit}"
    return f"{ns} ns"


def moment(ts: str | None) -> str:
    """Return a record's time for people, in UTC and to the second."""
    if ts is None:
        return "at an unknown time"
    try:
        return datetime.fromisoformat(ts).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return plain(ts)


def plain(text: Any) -> str:
    """Return foreign ``text`` on one line: what a terminal would obey (escapes, newlines) is shown instead."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in shown)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")


def clip(text: str, width: int) -> str:
    """Return ``text`` in at most ``width`` characters; a cut shows as ``…``."""
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"


def counted(names: list[str]) -> list[str]:
    """Return each name once, in its order, with how often it was there: ``git.process``, ``3 git.process``."""
    return [name if count == 1 else f"{count:,} {name}" for name, count in Counter(names).items()]


def wrapped(text: str, width: int, indent: str, most: int) -> list[str]:
    """Return ``text`` in lines of at most ``width`` characters, the second on further indented; the last shows a cut."""
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=f"{indent}  ", max_lines=most, placeholder=" …"
    )


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Return ``1 step``, ``2 steps``."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def signal_name(number: int) -> str:
    """Return ``signal 9 (SIGKILL)``."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def few_of(payload: dict[str, Any], width: int, keys: int = 6) -> str:
    """Return some of a payload, scalars only, and no hashes: ``k=10 nq=1 index_type=IndexFlatL2``."""
    parts: list[str] = []
    for key, value in payload.items():
        if isinstance(value, (dict, list)) or value is None or value == "" or key.endswith("_sha256"):
            continue
        text = clip(plain(value), 40)
        parts.append(f"{plain(key)}={text!r}" if " " in text else f"{plain(key)}={text}")
        if len(parts) == keys or len(" ".join(parts)) > width:
            break
    return clip(" ".join(parts), width)
