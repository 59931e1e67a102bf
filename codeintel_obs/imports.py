"""Imports of watched libraries: who waits for one is told, and it is a step with begin, end and failure.

One meta-path finder stands around the ``exec_module`` of the loaders that the other finders give. It does what
wrapt's post-import hooks do, and what they cannot: it sees the begin and the failure. And it costs a launched
process nothing of wrapt before the first watched library is there.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from codeintel_obs import guard, recorder
from codeintel_obs.collecting import apart, is_here
from codeintel_obs.context import current, leave, suppressed
from codeintel_obs.recorder import finish_failed
from codeintel_obs.steps import FieldClass, Status

FIELDS: Final = {"module": FieldClass.ID, "version": FieldClass.ID}
KIND: Final = "python.import"
_KEPT: Final = "_codeintel_waits"


class ImportWatcher:
    """Finds nothing itself: it asks the other finders, and stands around the found loader's ``exec_module`` once."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        """Modules whose imports are steps."""
        self._before: dict[str, Callable[[], None]] = {}
        self._after: dict[str, list[Callable[[ModuleType], None]]] = {}
        self._finding = threading.local()

    def watch(self, module: str) -> None:
        """Record the next import of ``module`` (imports that happened before are not inferred)."""
        self.modules.add(module)
        self._stand()

    def before(self, module: str, prepare: Callable[[], None]) -> None:
        """Call ``prepare`` once, right before ``module`` is imported for the first time; now if it has been."""
        if module in sys.modules:
            guard.call(prepare)
            return
        self._before[module] = prepare
        self._stand()

    def after(self, module: str, hook: Callable[[ModuleType], None]) -> None:
        """Call ``hook`` with ``module`` each time it has been executed; now too if it is there already."""
        self._after.setdefault(module, []).append(hook)
        self._stand()
        present = sys.modules.get(module)
        spec = getattr(present, "__spec__", None)
        if present is not None and not getattr(spec, "_initializing", False):
            guard.call(hook, present)

    def unwatch(self) -> None:
        """Stop recording imports and telling of them."""
        self.modules.clear()
        self._before.clear()
        self._after.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def _stand(self) -> None:
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders have for a module that somebody waits for; None for all others."""
        if name not in self.modules and name not in self._before and name not in self._after:
            return None
        finding: set[str] = self._finding.__dict__.setdefault("names", set())
        if name in finding:
            return None
        finding.add(name)
        try:
            spec = self._found_by_others(name, path, target)
        finally:
            finding.discard(name)
        if spec is not None and spec.loader is not None:
            prepare = self._before.pop(name, None)
            if prepare is not None:
                guard.call(prepare)
            guard.call(self._stand_around, spec.loader, name)
        return spec

    def _found_by_others(self, name: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        """Ask the finders behind this one, as the import system would; those before it have had their turn."""
        finders: list[Any] = list(sys.meta_path)
        for finder in finders[finders.index(self) + 1 :] if self in finders else finders:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find is not None else None
            if spec is not None:
                return spec
        return None

    def _stand_around(self, loader: Any, name: str) -> None:
        if isinstance(loader, type) or not hasattr(loader, "exec_module") or _KEPT in vars(loader):
            return  # a built-in or frozen module's loader is a class that all of them share
        original = loader.exec_module
        vars(loader)[_KEPT] = True

        def exec_module(module: ModuleType) -> None:
            if module.__name__ != name:
                original(module)  # a loader may be shared: an archive's is that of all its modules
                return
            for attribute in ("exec_module", _KEPT):
                vars(loader).pop(attribute, None)
            active = recorder.active
            if active is None or name not in self.modules or suppressed.get():
                original(module)
            elif is_here():
                apart(_execute, active, original, module)
            else:
                _execute(active, original, module)
            for hook in self._after.get(name, ()):
                guard.call(hook, module)

        loader.exec_module = exec_module


def _execute(active: recorder.Recorder, original: Callable[[ModuleType], None], module: ModuleType) -> None:
    keep = active.filter_for(FIELDS)
    step = guard.call(active.begin, KIND, "obs", keep.keep({"module": module.__name__}))
    if step is None:
        original(module)
        return
    around = current.get()
    token = current.set(step)
    shown = guard.call(active.spans.make_current, step)
    try:
        guard.each(active.listeners.step_begun, step)
        original(module)
    except BaseException as exc:
        leave(token, around)
        active.spans.restore(shown)
        guard.call(finish_failed, active, step, exc, None)
        raise
    leave(token, around)
    active.spans.restore(shown)
    version = vars(module).get("__version__")  # not getattr: a module may answer that with code of its own
    said = keep.keep({"version": version if isinstance(version, str) else None})
    if guard.call(active.end, step, Status.COMPLETED, said):
        guard.each(active.listeners.step_ended, step)


watcher = ImportWatcher()
