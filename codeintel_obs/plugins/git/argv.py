"""What of a git command line may be kept: subcommand and options' names; values only where a text may be kept."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

_SUBCOMMAND: Final = re.compile(r"[a-z][a-z0-9-]{0,39}\Z")
_LONG: Final = re.compile(r"--[a-z][a-z0-9-]{0,39}\Z", re.IGNORECASE)
_SHORT: Final = re.compile(r"-[A-Za-z0-9]")
_URL: Final = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s'\"<>]+", re.IGNORECASE)
_HELPER: Final = re.compile(r"([a-z][a-z0-9+.-]{1,20})::", re.IGNORECASE)
_SCP: Final = re.compile(r"(?:[^\s/@:]+@)?([^\s/@:]+:.+)", re.DOTALL)
_MAIL: Final = re.compile(r"[^\s<>@:/='\"]+@[^\s<>@:/'\"{]+")  # a reflog's `HEAD@{1}` is none
_SETTING: Final = re.compile(r"((?:--config=|--config-env=)?[^\s=]+=).*", re.DOTALL)
# Options of git itself, before the subcommand, whose value is an argument of its own.
_VALUED: Final = frozenset(
    {"-c", "-C", "--git-dir", "--work-tree", "--namespace", "--super-prefix", "--config-env", "--attr-source"}
)
# Subcommands whose `-m` and `-F` are followed by a text of the user's, which may itself begin with a dash.
_TEXTUAL: Final = frozenset({"commit", "tag", "merge", "notes", "stash"})
_OPTIONS_CAP: Final = 64
_ARGUMENTS_CAP: Final = 64


class CommandLine(NamedTuple):
    """A command line's parts: ``subcommand`` is None when ``program`` is not git, or was given as one string."""

    program: str | None
    subcommand: str | None
    options: tuple[str, ...]
    arguments: int


def parse(command: Any, executable: Any = None) -> CommandLine:
    """Return what ``command`` runs; ``executable`` is what GitPython calls git. Only a list or tuple is looked into."""
    if not isinstance(command, (list, tuple)) or not command:
        return CommandLine(None, None, (), 0)
    words = [
        word if isinstance(word, str) else str(word) if isinstance(word, (int, os.PathLike)) else "" for word in command
    ]
    program = os.path.basename(words[0])
    if command[0] != executable and program not in {"git", "git.exe"}:
        return CommandLine(program, None, (), len(words) - 1)
    at, options = _leading(words)
    if at >= len(words):
        return CommandLine(program, None, tuple(options), 0)
    subcommand = words[at] if _SUBCOMMAND.match(words[at]) else None
    rest = words[at + 1 :]
    options += _names(rest, textual=subcommand in _TEXTUAL)
    return CommandLine(program, subcommand, tuple(dict.fromkeys(options))[:_OPTIONS_CAP], len(rest))


def _leading(words: Sequence[str]) -> tuple[int, list[str]]:
    """Return where the subcommand stands, and the names of git's own options before it."""
    at, names = 1, []
    while at < len(words) and words[at].startswith("-"):
        names += _names(words[at : at + 1], textual=False)
        at += 2 if words[at] in _VALUED else 1
    return at, names


def _names(words: Sequence[str], *, textual: bool) -> list[str]:
    names: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
            continue
        if word == "--":
            break
        name = _name(word)
        if name is not None:
            names.append(name)
            skip = textual and word in {"-m", "-F", "--message", "--file"}
    return names


def _name(word: str) -> str | None:
    """Return the name of an option without its value: ``--author=x`` is ``--author``, ``-Sx`` is ``-S``."""
    if word.startswith("--"):
        name = word.partition("=")[0]
        return name if _LONG.match(name) else None
    found = _SHORT.match(word)
    return found.group() if found else None


def keywords(kwargs: dict[str, Any]) -> list[str] | None:
    """Return the names of keyword arguments, which GitPython turns into options; None for none."""
    names = [name for name in kwargs if type(name) is str and len(name) <= 40 and name.isidentifier()]  # noqa: PLR2004 - longer than any option of git
    return names[:_OPTIONS_CAP] or None


def public_url(value: Any) -> str | None:
    """Return where ``value`` (URL, ``user@host:path``, path) points at: no user, password, query, fragment."""
    text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text:
        return None
    helper = _HELPER.match(text)
    if helper is not None:
        return f"{helper.group(1)}::"  # `ext::` and its like: the rest is a command line
    if "://" in text:
        return _bare(text)
    remote = _SCP.fullmatch(text)
    return remote.group(1) if remote is not None and not os.path.isabs(text) else text


def _bare(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{url.partition('://')[0]}://"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def shown(command: Any) -> list[str]:
    """Return a command line as texts: no credential or query of a URL, no value of a ``-c`` setting, no e-mail."""
    words = list(command) if isinstance(command, (list, tuple)) else [command]
    texts: list[str] = []
    for word in words[:_ARGUMENTS_CAP]:
        text = word if isinstance(word, str) else str(word) if isinstance(word, (int, os.PathLike)) else "[object]"
        setting = bool(texts) and texts[-1] in {"-c", "--config", "--config-env"}
        texts.append(_scrubbed(text, setting=setting or text.startswith(("--config=", "--config-env="))))
    if len(words) > _ARGUMENTS_CAP:
        texts.append(f"<{len(words) - _ARGUMENTS_CAP} more>")
    return texts


def _scrubbed(text: str, *, setting: bool) -> str:
    if setting:
        return _SETTING.sub(r"\1[value]", text)
    return _MAIL.sub("[e-mail]", _URL.sub(lambda url: _bare(url.group()), text))
