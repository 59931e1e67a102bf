"""What an application answered, in one file whose bytes two runs can be compared by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def keep(folder: Path, **answers: Any) -> None:
    """Write the answers under ``folder``; arrays are kept whole, floating point numbers to their last digit."""
    text = json.dumps(answers, indent=1, sort_keys=True, default=_plain)
    (folder / "answers.json").write_text(text.replace(str(folder), "FOLDER"))


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return {"type": type(value).__name__, "text": str(value)}
