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
    r"|\$(?P<tag>(?:[^\W\d]\w{0,63})?)\$.*?(?:\$(?P=tag)\$|\Z)"
)
_COMMENT: Final = r"--[^\n]*|/\*.*?(?:\*/|\Z)"
_TOKEN: Final = re.compile(
    rf"(?P<comment>{_COMMENT})|(?P<quoted>{_QUOTED})|(?P<end>;)|(?P<word>\w+)|(?P<sign>\S)", re.DOTALL
)
_LITERAL: Final = re.compile(_QUOTED, re.DOTALL)

_SECRETIVE: Final = re.compile(r"secret|password|passwd|token|credential|key|attach", re.IGNORECASE)
# in these statements anything may be a credential, quoted or not; the words need not stand together
_TAKES_SECRETS: Final = (re.compile(r"\bcreate\b", re.IGNORECASE), re.compile(r"\bsecret\b", re.IGNORECASE))
_KEY_PRAGMA: Final = re.compile(r"\badd_parquet_key\b", re.IGNORECASE)
# bounded runs: a text is hostile input, and may be one word of a megabyte
# and each comment has one end only, or a text of many would be read in as many ways as they can be joined
_SHORT_COMMENT: Final = r"--[^\n]{0,256}\n|/\*(?:[^*]|\*(?!/)){0,256}\*/"
_BETWEEN: Final = rf"(?:[\s=:,(\[]|\bto\b|{_SHORT_COMMENT}){{0,16}}"
_NAME: Final = r"(?:secret|password|passwd|token|credential|key)\w{0,64}['\"]?"
# its value is an expression, with words and operators: up to the end of the statement
_SECRET_SETTING: Final = re.compile(
    rf"(?P<name>\b(?:set|pragma)\b(?:[\s\w.\"]|{_SHORT_COMMENT}){{1,128}}?{_NAME})"
    rf"(?:{_QUOTED}|{_COMMENT}|[^;])+",
    re.IGNORECASE | re.DOTALL,
)
# a connection string within a literal doubles its quotes
_VALUE: Final = rf"(?:''[^']{{1,512}}''|{_QUOTED})"
_SECRET_OPTION: Final = re.compile(rf"(?P<name>{_NAME}{_BETWEEN}){_VALUE}", re.IGNORECASE | re.DOTALL)
_TAKES_WORDS: Final = re.compile(r"\b(?:attach|copy)\b", re.IGNORECASE)
_SECRET_WORD: Final = re.compile(rf"(?P<name>{_NAME}{_BETWEEN})(?:{_VALUE}|\b\w+)", re.IGNORECASE | re.DOTALL)
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
    """Return ``text`` without what DuckDB takes credentials in: literals, and the bare words that it takes as such.

    What is left of a ``CREATE SECRET`` ends at its first parenthesis, with all that follows it in the text.
    """
    if not _SECRETIVE.search(text):
        return text
    if all(word.search(text) for word in _TAKES_SECRETS) or _KEY_PRAGMA.search(text):
        head, opened, _ = text.partition("(")
        return _LITERAL.sub(MASK, head) + (f"({MASK}" if opened else "")
    known = _SECRET_SETTING.sub(rf"\g<name> {MASK}", text)
    options = _SECRET_WORD if _TAKES_WORDS.search(known) else _SECRET_OPTION
    return options.sub(rf"\g<name>{MASK}", known)
