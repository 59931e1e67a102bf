"""Reads the settings: `codeintel_rev.toml` of a repository, and the environment over it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from codeintel_rev.config import settings as shape
from codeintel_rev.errors import UsageError

if TYPE_CHECKING:
    from codeintel_rev.config.settings import Settings

FILE = "codeintel_rev.toml"
PREFIX = "CODEINTEL_REV_"
TRUSTED = f"{PREFIX}TRUSTED_HOSTS"
_LARGEST = 10**9
SECTIONS: dict[str, type[Any]] = {
    "embedding": shape.EmbeddingSettings,
    "vectors": shape.VectorSettings,
    "splade": shape.SpladeSettings,
    "rerank": shape.RerankSettings,
    "search": shape.SearchSettings,
}


def read_settings(repo: Path | None, environ: Mapping[str, str] | None = None) -> Settings:
    """UsageError for an unknown key, a value of the wrong sort, or a host that nobody has trusted."""
    env = os.environ if environ is None else environ
    path = None if repo is None else find_file(repo)
    written = {} if path is None else _parsed(path)
    if path is not None:
        _known(written, path)
        _trusted(written, path, env)
    base = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    model = env.get("CODEINTEL_REV_MODEL_DIR")
    sections = {name: _section(name, kind, written.get(name, {}), path, env) for name, kind in SECTIONS.items()}
    return shape.Settings(
        cache_dir=Path(env.get("CODEINTEL_REV_CACHE") or base / "codeintel-rev").absolute(),
        model_dir=Path(model).absolute() if model else None,
        **sections,
    )


def find_file(start: Path) -> Path | None:
    """The file of the working tree that `start` is in; the search ends at its root."""
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / FILE).is_file():
            return candidate / FILE
        if (candidate / ".git").exists():
            break
    return None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "Mend: correct it, or move it away") from error


def _known(written: dict[str, Any], path: Path) -> None:
    for name, section in written.items():
        if name not in SECTIONS or not isinstance(section, dict):
            raise UsageError(f"{path}: there is no section [{name}]", f"Mend: use one of {', '.join(SECTIONS)}")
        keys = {item.name: item for item in fields(SECTIONS[name])}
        for key in section:
            if key not in keys:
                raise UsageError(f"{path}: [{name}] has no key {key!r}", f"Mend: use one of {', '.join(keys)}")
            if keys[key].metadata.get("secret"):
                what = f"{path}: [{name}] {key} is a secret, and this file is read by everybody"
                raise UsageError(what, f"Mend: set {_variable(name, key)} in the environment")


def _trusted(written: dict[str, Any], path: Path, env: Mapping[str, str]) -> None:
    """A repository must not be able to have its reader's code sent to a host of its own choice."""
    allowed = env.get(TRUSTED, "").replace(",", " ").split()
    for name, section in written.items():
        host = urlsplit(str(section.get("url", ""))).hostname
        overridden = env.get(_variable(name, "url"))
        if host and not overridden and host not in allowed and not is_loopback(host):
            what = f"{path}: [{name}] url names the host {host}, which this machine's user has not trusted"
            raise UsageError(what, f"Mend: set {TRUSTED}={host}, or {_variable(name, 'url')} itself")


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _section(name: str, kind: type[Any], written: dict[str, Any], path: Path | None, env: Mapping[str, str]) -> Any:
    hints = get_type_hints(kind, {**vars(shape), "Mapping": Mapping})
    chosen: dict[str, Any] = {}
    for item in fields(kind):
        variable = _variable(name, item.name)
        if env.get(variable):
            chosen[item.name] = _value(env[variable], hints[item.name], variable)
        elif item.name in written:
            chosen[item.name] = _value(written[item.name], hints[item.name], f"{path}: [{name}] {item.name}")
    return kind(**chosen)


def _value(raw: Any, kind: Any, where: str) -> Any:
    read, wanted = _reader(kind)
    try:
        return read(raw)
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UsageError(f"{where} is {raw!r}", f"Mend: give {wanted}") from error


def _reader(kind: Any) -> tuple[Callable[[Any], Any], str]:
    if get_origin(kind) is Mapping:
        return _weights, "channel=number, …"
    if get_origin(kind) is tuple:
        return _patterns, "patterns of paths: a list of texts here, or separated by commas in the environment"
    if get_origin(kind) is Literal:
        choices = {str(choice): choice for choice in get_args(kind)}
        return choices.__getitem__, " | ".join(choices)
    if kind is str:
        return _text, "a text in quotes"
    return lambda raw: _number(raw, kind), f"a number from 0 to {_LARGEST}"


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise TypeError
    return raw


def _patterns(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, str | list):
        raise TypeError
    parts = raw.split(",") if isinstance(raw, str) else map(_text, raw)
    return tuple(part.strip() for part in parts if part.strip())


def _number(raw: Any, kind: type[float]) -> float:
    made = kind(raw)
    if isinstance(raw, bool) or not 0 <= made <= _LARGEST or (kind is int and float(raw) != made):
        raise ValueError
    return made


def _weights(raw: Any) -> dict[str, float]:
    pairs = raw.items() if isinstance(raw, dict) else (part.split("=") for part in raw.split(",") if part.strip())
    return {str(name).strip(): _number(weight, float) for name, weight in pairs}


def _variable(section: str, key: str) -> str:
    return f"{PREFIX}{section}_{key}".upper()
