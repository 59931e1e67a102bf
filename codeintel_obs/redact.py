"""Takes secrets out of text and cuts it to its cap: pure functions for the recorder and the manifest writer."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

MASK: Final = "[redacted]"
_WINDOW: Final = 4  # a text is redacted over this many caps before it is cut, so a secret on the edge is still seen

# Each alternative keeps what names the secret (group 1) and drops the secret. Order matters: the first match wins.
_PATTERNS: Final = (
    # scheme://user:password@host and scheme://token@host; a plain git@host has no scheme and stays
    r"(?P<url>\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@'\"<>]+@",
    # Authorization: Bearer xxx, Basic xxx, token xxx - up to the end of the value
    r"(?P<auth>\b(?:proxy-)?authorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic|token|digest|apikey|negotiate)?\s*)[^\s'\",;]+",
    r"(?P<bearer>\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}",
    # password=, token:, api_key="..." and their like, in URLs, SQL, argv, headers and JSON
    r"(?P<key>(?<![A-Za-z0-9])(?:[a-z0-9]+[_-])*(?:password|passwd|passphrase|pwd|secret|secret[_-]?key|api[_-]?key|apikey"
    r"|access[_-]?key|access[_-]?token|auth[_-]?token|refresh[_-]?token|id[_-]?token|client[_-]?secret|private[_-]?key"
    r"|session[_-]?token|token|credential|x-api-key|private-token|sig|signature)"
    r"['\"]?\s*(?:=|:|%3d)\s*)(?:'[^']*'|\"[^\"]*\"|[^\s'\"&,;)}\]]+)",
    # shapes that are secrets wherever they stand
    r"(?P<pem>-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"(?P<shape>)\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{32,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
)
_SECRET: Final = re.compile("|".join(_PATTERNS), re.IGNORECASE)
# `password hunter2` without a sign is a secret only after an option
_OPTION: Final = re.compile(
    r"(--?(?:[a-z0-9]+-)*(?:password|passwd|token|secret|api-key|access-key))(\s+|',\s*'|\",\s*\")[^\s'\",]+",
    re.IGNORECASE,
)


def _mask(match: re.Match[str]) -> str:
    kept = next((value for value in match.groups() if value is not None), "")
    return f"{kept}{MASK}@" if match.lastgroup == "url" else f"{kept}{MASK}"


def redact(text: str) -> str:
    """Return ``text`` without what looks like a credential. Idempotent; the rest of the text is left as it is."""
    return _OPTION.sub(rf"\1\2{MASK}", _SECRET.sub(_mask, text))


@lru_cache(maxsize=2048)
def _redact_short(text: str) -> str:
    return redact(text)


def printable(text: str) -> str:
    """Return ``text`` with lone surrogates escaped, so that it can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def clean(text: str, cap: int) -> str:
    """Redact ``text`` and cut it to ``cap`` characters; a cut says how many characters it took."""
    size = len(text)
    if size <= 200:  # noqa: PLR2004 - names, types and paths repeat; longer texts rarely do
        return _redact_short(text) if text.isascii() else redact(printable(text))
    window = redact(printable(text[: cap * _WINDOW]))
    if size <= cap * _WINDOW and len(window) <= cap:
        return window
    kept = window[:cap]
    return f"{kept} [cut {size - len(kept)} characters]"
