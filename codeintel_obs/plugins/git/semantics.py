"""What git's steps say in the names of the semantic conventions: a pure table from payload keys to attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from codeintel_obs import semconv

_PROCESS: Final = {"exit_code": semconv.PROCESS_EXIT_CODE, "pid": semconv.PROCESS_PID}
_URL: Final = {"url": semconv.VCS_REPOSITORY_URL_FULL}
_HEAD: Final = {"ref": semconv.VCS_REF_HEAD_NAME, "commit": semconv.VCS_REF_HEAD_REVISION}

_TABLE: Final[Mapping[str, Mapping[str, str]]] = {
    "git.process": _PROCESS,
    "git.hook": _PROCESS,
    "git.clone": _URL,
    "git.create_remote": _URL,
    "git.set_url": _URL,
    "git.submodule_add": _URL,
    "git.checkout": _HEAD,
    "git.commit": _HEAD,
    "git.create_commit": _HEAD,
}

Attributes = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def _renamed(names: Mapping[str, str]) -> Attributes:
    def attributes(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: payload[key] for key, name in names.items() if isinstance(payload.get(key), (str, int))}

    return attributes


SEMANTICS: Final[Mapping[str, Attributes]] = {kind: _renamed(names) for kind, names in _TABLE.items()}
