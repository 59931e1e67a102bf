"""The opt-in start-up file: one line in site-packages that starts recording where ``CODEINTEL_OBS=1`` is set."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Final

from codeintel_obs.errors import CodeIntelObsError

NAME: Final = "zz_codeintel_obs.pth"
"""Sorts last: `site` reads these files in order, and an editable install is importable only after its own."""

# One line, as `site` demands. Without the variable, or without the package, it does nothing and imports nothing.
_LINE: Final = (
    "import os; os.environ.get('CODEINTEL_OBS') == '1'"
    " and __import__('importlib.util').util.find_spec('codeintel_obs')"
    " and __import__('codeintel_obs').start()\n"
)


def path(folder: str | None = None) -> Path:
    """Return where the file lies, or would lie, in this environment."""
    return Path(folder or sysconfig.get_paths()["purelib"]) / NAME


def install(folder: str | None = None) -> Path:
    """Write the file and return its path. Idempotent."""
    target = path(folder)
    try:
        target.write_text(_LINE, encoding="utf-8")
    except OSError as exc:
        raise CodeIntelObsError(f"{target}: cannot be written ({exc.strerror}); install into a virtual environment"
                                " of yours, or start with `codeintel-obs run`") from exc  # fmt: skip
    return target


def remove(folder: str | None = None) -> Path | None:
    """Remove the file and return its path, or None when there was none."""
    target = path(folder)
    try:
        target.unlink()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise CodeIntelObsError(f"{target}: cannot be removed ({exc.strerror}); remove it by hand") from exc
    return target
