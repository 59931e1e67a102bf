"""Foreign text in markup: escaped, on one line, and with nothing in it that a reader cannot see."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any, Final
from urllib.parse import quote

from codeintel_obs.report.words import clip, plain

MOST: Final = 4_000
_CITED: Final = 3
_MARK: Final = "\0"  # stands in no escaped text
_ID: Final = 8


def text(value: Any, most: int = MOST) -> str:
    """Return foreign ``value`` as escaped text on one line, a cut shown."""
    return escape(clip(plain(value), most))


def lines(value: Any, most: int = MOST) -> str:
    """Return foreign ``value`` as escaped text that keeps its lines."""
    said = str(value)
    shown = "\n".join(plain(line) for line in said[:most].split("\n"))
    return escape(shown) + (f"… ({len(said):,} characters; the JSON has all)" if len(said) > most else "")


def icon(name: str) -> str:
    """Return one of the page's own drawings; the words beside it say the same."""
    return f'<svg class="icon" aria-hidden="true"><use href="#i-{name}"/></svg>'


def element(name: str, content: str, **attributes: str | None) -> str:
    """Return an element around ``content``, which is markup; attributes are escaped (``cls`` is ``class``)."""
    said = "".join(
        f' {"class" if key == "cls" else key.replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{said}>{content}</{name}>"


def step_link(step: str, content: str, cls: str | None = None) -> str:
    """Return a link to a step of the page."""
    return element("a", content, href=_address(step), cls=cls)


def _address(step: str) -> str:
    return f"#step={quote(step, safe='', errors='replace')}"


def step_id(step: str) -> str:
    """Return a link that shows the beginning of a step's id."""
    return step_link(step, f"[{text(step[:_ID])}]", "mono")


def cited(evidence: Iterable[str], step: str | None = None) -> str:
    """Return where it is written, as a link to the step where one is told of."""
    found = list(evidence)
    told = ", ".join(_MARK + text(each, 200) for each in found[:_CITED]) + (", …" if len(found) > _CITED else "")
    if not told:
        return ""
    title = "\n".join(plain(each) for each in found[:20])
    if step is not None:
        return element("a", told, cls="ev", href=_address(step), title=title)
    return element("span", told, cls="ev", title=title)


def shortened(markup: str, own: str) -> str:
    """Return ``markup`` with what is cited of the file ``own`` (``<day>/<file>``) told as ``#n``."""
    return markup.replace(f"{_MARK}{text(own, 200)}:", "#").replace(_MARK, "")
