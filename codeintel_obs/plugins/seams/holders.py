"""Who else holds a function when its seam is put in place: a decorator has registered it before its name could be wrapped.

``@app.get("/search")`` hands the bare function to a router while the module is still being imported. Calls by the router
pass no name, so what the router holds is exchanged too. What cannot be exchanged is said: nobody sees its calls.
"""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from codeintel_obs.paths import stored

_PASSING: Final = (types.FrameType, types.GeneratorType, types.CoroutineType)
_OF_A_CLASS: Final = frozenset({"__module__", "__doc__"})
_ATTRIBUTES: Final = "__dict__"


class Place(NamedTuple):
    """Where something stands: in a dict under a key, in a list at a position, in a slot of an object, in a cell."""

    holder: Any
    key: Any

    def put(self, thing: Any) -> None:
        """Let ``thing`` stand here; a subclass of dict or list is not asked."""
        if type(self.key) is types.MemberDescriptorType:
            self.key.__set__(self.holder, thing)
        elif type(self.holder) is types.CellType:
            self.holder.cell_contents = thing
        elif issubclass(type(self.holder), dict):
            dict.__setitem__(self.holder, self.key, thing)
        else:
            list.__setitem__(self.holder, self.key, thing)

    def holds(self, thing: Any) -> bool:
        """Whether ``thing`` stands here still."""
        return any(place.key is self.key or place.key == self.key for place in _places(self.holder, thing))


class _Probe:
    def alone(self) -> None:
        """Is held by its class."""


def _references(owner: Any, name: str) -> int:
    return sys.getrefcount(vars(owner).get(name))


def is_alone(owner: Any, name: str) -> bool:
    """Whether nobody but ``owner`` holds what it has under ``name``: then nobody has to be looked for in the whole heap."""
    return not isinstance(owner, (type, types.ModuleType)) or _references(owner, name) <= _references(_Probe, "alone")


def holders(owner: Any, name: str) -> tuple[list[Place], int]:
    """Return where a function stands besides, and how many others hold it where nothing can be exchanged."""
    function = vars(owner)[name]
    own = _namespace(owner)
    places: list[Place] = []
    fixed = 0
    for holder in gc.get_referrers(function):
        if type(holder) in _PASSING:
            continue
        found = list(_places(holder, function))
        if holder is own:
            found = [place for place in found if place.key != name]
            fixed += _is_of_a_class(own) and sum(each is function for each in own.values()) > 1
        else:
            fixed += not found
        places += found
    return places, fixed


def _namespace(owner: Any) -> Any:
    """Return the dict in which ``owner`` keeps its names; a class shows a proxy of it."""
    return gc.get_referents(vars(owner))[0] if isinstance(owner, type) else vars(owner)


def _places(holder: Any, function: Any) -> Iterator[Place]:
    if type(holder) is types.CellType:
        if any(each is function for each in gc.get_referents(holder)):
            yield Place(holder, None)
    elif issubclass(type(holder), list):  # by type: `isinstance` asks a foreign object for its class
        yield from (Place(holder, index) for index, each in enumerate(list.copy(holder)) if each is function)
    elif issubclass(type(holder), dict):
        if not _is_of_a_class(holder):
            yield from (Place(holder, key) for key, each in tuple(dict.items(holder)) if each is function)
    elif not issubclass(type(holder), (type, types.FunctionType)):
        yield from _in_an_object(holder, function)


def _is_of_a_class(holder: Any) -> bool:
    """Whether this is what a class keeps its names in: Python has a cache of it, and writing past the class misses that."""
    return type(holder) is dict and _OF_A_CLASS.issubset(holder) and "__builtins__" not in holder


def _in_an_object(holder: Any, function: Any) -> Iterator[Place]:
    """Yield the slots and attributes; of these, no property and no ``__getattr__`` is run."""
    for cls in type(holder).__mro__:
        if "__slots__" in vars(cls):
            slots = {name: each for name, each in vars(cls).items() if type(each) is types.MemberDescriptorType}
            yield from (Place(holder, slot) for name, slot in slots.items() if stored(holder, name) is function)
    if type(holder).__dictoffset__:  # attributes that are no dict yet are held by the object itself
        attributes = object.__getattribute__(holder, _ATTRIBUTES)
        if type(attributes) is dict:
            yield from (Place(attributes, key) for key, each in attributes.items() if each is function)
