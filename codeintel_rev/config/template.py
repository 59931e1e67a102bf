"""The settings file that `init` writes: every setting with its default and its meaning, made from the settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from inspect import getdoc
from typing import Any

from codeintel_rev.config.sources import SECTIONS

_HEAD = """\
# Settings of codeintel-rev for this repository. What is commented out is the default.
# The environment wins over this file: CODEINTEL_REV_<SECTION>_<KEY>. Secrets are read from there only.
"""


def settings_template() -> str:
    return _HEAD + "".join(_section(name, kind) for name, kind in SECTIONS.items())


def _section(name: str, kind: type[Any]) -> str:
    explained = "".join(f"# {line}".rstrip() + "\n" for line in (getdoc(kind) or "").splitlines())
    keys = "".join(f"# {item.name} = {_value(item)}\n" for item in fields(kind) if not item.metadata.get("secret"))
    return f"\n{explained}# [{name}]\n{keys}"


def _value(item: Any) -> str:
    default = item.default if item.default is not MISSING else item.default_factory()
    if isinstance(default, Mapping):
        return "{ " + ", ".join(f"{name} = {value}" for name, value in default.items()) + " }" if default else "{}"
    return json.dumps(default)  # texts, numbers and truth values are spelled alike in TOML
