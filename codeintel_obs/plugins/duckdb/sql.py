"""What can be read off a SQL text without running or parsing it: its words, its identity, and what must not be kept."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Any, Final

_LEXED: Final = 8192  # a longer text is told by its first word only
_SHOWN: Final = 1960  # below the recorder's own cap for texts, so that what was cut is told once
_NAMED: Final = 32
_CACHED: Final = 4096
OTHER: Final = "other"
_KNOWN: Final = """
    ABORT ALTER ANALYZE ATTACH BEGIN CALL CHECKPOINT COMMENT COMMIT COPY CREATE DEALLOCATE DELETE DESCRIBE
    DETACH DROP END EXECUTE EXPLAIN EXPORT FORCE FROM GRANT IMPORT INSERT INSTALL LOAD MERGE PIVOT PIVOT_WIDER
    PRAGMA PREPARE REINDEX RESET REVOKE ROLLBACK SELECT SET SHOW START SUMMARIZE TABLE TRUNCATE UNPIVOT UPDATE
    USE VACUUM VALUES WITH
"""
KNOWN: Final = frozenset(_KNOWN.split())
"""Words that a statement of DuckDB begins with; any other first word is part of the text, and told as `OTHER`."""

# what a semicolon or a word may stand in without being one; each may be unterminated
_QUOTED: Final = (
    r"[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)"
    r"|'(?:[^']|'')*(?:'|\Z)"
    r'|"(?:[^"]|"")*(?:"|\Z)'
    r"|\$(?P<tag>(?:[A-Za-z_]\w{0,63})?)\$.*?(?:\$(?P=tag)\$|\Z)"
)
_COMMENT: Final = r"--[^\n]*|/\*.*?(?:\*/|\Z)"
_TOKEN: Final = re.compile(
    rf"(?P<comment>{_COMMENT})|(?P<quoted>{_QUOTED})|(?P<end>;)|(?P<word>\w+)|(?P<sign>\S)", re.DOTALL
)
_LITERAL: Final = re.compile(_QUOTED, re.DOTALL)

_SECRETIVE: Final = re.compile(r"secret|password|passwd|token|credential|key|attach", re.IGNORECASE)
# in these statements every literal may be a credential; the words need not stand together
_TAKES_SECRETS: Final = (re.compile(r"\bcreate\b", re.IGNORECASE), re.compile(r"\bsecret\b", re.IGNORECASE))
_KEY_PRAGMA: Final = re.compile(r"\badd_parquet_key\b", re.IGNORECASE)
# bounded runs: a text is hostile input, and may be one word of a megabyte
_SECRET_OPTION: Final = re.compile(
    r"(?P<name>(?:secret|password|passwd|token|credential|key)\w{0,64}['\"]?[\s=:,(\[]{0,16})" + f"(?:{_QUOTED})",
    re.IGNORECASE | re.DOTALL,
)
MASK: Final = "'[redacted]'"


def facts(text: str) -> dict[str, Any]:
    """Return what a step says of the SQL ``text``; the text itself is there for content level ``all``."""
    if len(text) > _CACHED or _SECRETIVE.search(text):
        return _facts(text)  # neither large texts nor secrets are worth keeping in a cache
    return _cached(text)


def _facts(text: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "sql_len": len(text),
        "sql_sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        "sql": _shown(text),
    }
    words = first_words(text)
    if words:
        said.update(op=words[0], statements=words[:_NAMED])
    return said


_cached = lru_cache(maxsize=512)(_facts)


def _shown(text: str) -> str:
    masked = without_secrets(text[: 4 * _SHOWN])
    return masked if len(text) <= _SHOWN else f"{masked[:_SHOWN]} [cut {len(text) - _SHOWN} characters]"


def first_words(text: str) -> list[str]:
    """Return the word that each statement of ``text`` begins with, upper-case; `OTHER` for what is no keyword there.

    Purely lexical: asking the library to parse would lock the connection, and expand some pragmas by running them.
    """
    whole = len(text) <= _LEXED
    words: list[str] = []
    waiting = True
    for match in _TOKEN.finditer(text[:_LEXED]):
        kind = match.lastgroup if match.lastgroup != "tag" else "quoted"
        if kind == "end":
            waiting = True
        elif waiting and kind != "comment" and match.group() != "(":
            word = match.group().upper()
            words.append(word if word in KNOWN else OTHER)
            waiting = False
            if not whole:
                break
    return words


def without_secrets(text: str) -> str:
    """Return ``text`` without the literals that DuckDB takes credentials in."""
    if not _SECRETIVE.search(text):
        return text
    if all(word.search(text) for word in _TAKES_SECRETS) or _KEY_PRAGMA.search(text):
        return _LITERAL.sub(MASK, text)
    return _SECRET_OPTION.sub(rf"\g<name>{MASK}", text)
