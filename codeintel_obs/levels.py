"""The content level, apart from the vocabulary: settings need it in processes that never make a step."""

from __future__ import annotations

from enum import StrEnum


class Content(StrEnum):
    """The content level: how much of what was said may be kept. One switch over plugins, logs and errors."""

    NONE = "none"
    MESSAGES = "messages"
    ALL = "all"
