"""Imports of watched libraries as steps: begin, end and failure, seen by a meta-path finder around ``exec_module``."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from codeintel_obs import guard, recorder
from codeintel_obs.context import current, leave, suppressed
from codeintel_obs.recorder import finish_failed
from codeintel_obs.steps import FieldClass, Status

FIELDS: Final = {"module": FieldClass.ID, "version": FieldClass.ID}
KIND: Final = "python.import"


class ImportWatcher:
    """Finds nothing itself: it asks the other finders, and stands around the found loader's ``exec_module`` once."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self._finding = threading.local()

    def watch(self, module: str) -> None:
        """Record the next import of ``module`` (imports that happened before are not inferred)."""
        self.modules.add(module)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)  # type: ignore[arg-type]  # a finder by duck type

    def unwatch(self) -> None:
        """Stop recording imports."""
        self.modules.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)  # type: ignore[arg-type]  # a finder by duck type

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders have for a watched module; None for all others."""
        if name not in self.modules or getattr(self._finding, "name", None) == name:
            return None
        self._finding.name = name
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._finding.name = None
        if spec is not None and spec.loader is not None and recorder.active is not None and not suppressed.get():
            guard.call(_stand_around, spec.loader)
        return spec


def _stand_around(loader: Any) -> None:
    original = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        loader.__dict__.pop("exec_module", None)
        active = recorder.active
        if active is None:
            original(module)
            return
        _execute(active, original, module)

    loader.exec_module = exec_module


def _execute(active: recorder.Recorder, original: Any, module: ModuleType) -> None:
    keep = active.filter_for(FIELDS)
    step = guard.call(active.begin, KIND, "obs", keep.keep({"module": module.__name__}))
    if step is None:
        original(module)
        return
    around = current.get()
    token = current.set(step)
    try:
        guard.each(active.listeners.step_begun, step)
        original(module)
    except BaseException as exc:
        leave(token, around)
        guard.call(finish_failed, active, step, exc, None)
        raise
    leave(token, around)
    version = getattr(module, "__version__", None)
    if guard.call(
        active.end, step, Status.COMPLETED, keep.keep({"version": version if isinstance(version, str) else None})
    ):
        guard.each(active.listeners.step_ended, step)


watcher = ImportWatcher()
