"""What the manifest of any process of ours says, a supervisor's too: who it is, and which settings it goes by."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from codeintel_obs.launch.entry_points import version_of
from codeintel_obs.levels import Content
from codeintel_obs.redact import MASK, clean, clean_words
from codeintel_obs.settings import NAMES, TABLE, Settings

if TYPE_CHECKING:
    from codeintel_obs.runs import Run

_CAP = 2048


def of_process(settings: Settings, run: Run, program: str) -> dict[str, Any]:
    """Return the facts of this process, redacted."""
    content: dict[str, Any] = {
        "manifest": 1,
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "parent_pid": os.getppid(),
        "program": program,
        "service": service(settings, program),
        "python": sys.version.partition(" ")[0],
        "executable": sys.executable,
        "codeintel_obs": version_of("codeintel_obs"),
        "run_id": run.run_id,
        "attempt": run.attempt,
        "settings": {each.name: _setting(settings, each.name) for each in TABLE},
        "problems": [clean(str(problem), _CAP) for problem in settings.problems],
    }
    if settings.content is Content.ALL:
        content["argv"] = clean_words(getattr(sys, "orig_argv", sys.argv), _CAP)
    return {key: value for key, value in content.items() if value is not None}


def service(settings: Settings, program: str) -> str:
    """Return the service's name: the setting, OpenTelemetry's, or the program's."""
    return clean(settings.service or os.environ.get("OTEL_SERVICE_NAME") or program, 128)


def _setting(settings: Settings, name: str) -> dict[str, Any]:
    value = getattr(settings, name)
    if NAMES[name].secret and value:
        value = MASK
    shown = list(value) if isinstance(value, tuple) else value
    return {"value": clean(shown, _CAP) if isinstance(shown, str) else shown, "source": settings.sources[name]}
