"""What every text and every JSON object on stdout has in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codeintel_rev.retrieval.answer import Degraded

_NAMED = 5
_AGES = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))
# A repository's text must not be able to steer the reader's terminal.
_CONTROLS = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}


def degraded_text(item: Degraded) -> str:
    return f"degraded: {item.channel}: {item.reason}" + (f". {item.mend}" if item.mend else "")


def count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def some(paths: Iterable[str]) -> str:
    named = list(paths)
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return ", ".join(named[:_NAMED]) + more


def age(seconds: float) -> str:
    for size, unit in _AGES:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def clean(text: str) -> str:
    return text.translate(_CONTROLS).encode("utf-8", "backslashreplace").decode("utf-8")


def to_json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=1) + "\n"
