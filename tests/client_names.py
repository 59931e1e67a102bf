"""What is public in the HTTP client libraries, as an application can name it; for the tests of completeness."""

import importlib
import inspect
import types

LIBRARIES = ("httpx", "httpx2", "urllib3", "requests", "aiohttp", "openai")
RESOURCES = "openai.resources"


def public_names():
    """Return ``library:name`` of each public function, and of each method that a public class has from its library."""
    return {f"{library}:{name}" for library in LIBRARIES for name in _names(importlib.import_module(library))}


def _names(module):
    for name in getattr(module, "__all__", None) or dir(module):
        found = getattr(module, name, None)
        if name.startswith("_") or isinstance(found, types.ModuleType):
            continue
        if inspect.isclass(found):
            yield from (f"{name}.{method}" for method in _methods(found, module.__name__))
        elif inspect.isroutine(found) and _is_of(found, module.__name__):
            yield name


def _methods(cls, library):
    if issubclass(cls, BaseException) or not _is_of(cls, library):
        return
    for name in dir(cls):
        if not name.startswith("_") and inspect.isroutine(found := getattr(cls, name)) and _is_of(found, library):
            yield name


def _is_of(found, library):
    return (getattr(found, "__module__", None) or "").partition(".")[0] == library


def function(name):
    """Return the function that is behind a public name."""
    library, _, path = name.partition(":")
    found = importlib.import_module(library)
    for part in path.split("."):
        found = getattr(found, part)
    return inspect.unwrap(getattr(found, "__func__", found))
