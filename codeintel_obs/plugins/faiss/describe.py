"""What a FAISS call says of itself: sizes at its begin, its index and the shape of its answer at its end. Pure.

Everything here is read off the arguments, the index and the result; nothing is computed for the record but the count of
missing ids. Each attribute of an index is a call into C++ of about 0.1 µs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, Final
from weakref import WeakKeyDictionary

from codeintel_obs.steps import Call

Payload = dict[str, Any]
Place = tuple[int, str]
"""Position (0 is the first after ``self``) and name of an argument."""

_MATRIX: Final = 2  # dimensions: one vector alone is a mistake that FAISS refuses, and no number of vectors
_ARRAYS: Final = frozenset({"numpy", "torch"})
_CHUNK: Final = 1 << 20  # labels compared at a time: the comparison makes a byte for each


# -- what is there to read ------------------------------------------------------------------------------------------


def shape_of(value: Any) -> tuple[int, ...] | None:
    """Return the shape of an array or tensor; None for anything else, whose ``shape`` may be anybody's code."""
    cls = type(value)
    if cls.__module__ not in _ARRAYS and not any(base.__module__ in _ARRAYS for base in cls.__mro__):
        return None
    shape = getattr(value, "shape", None)
    return shape if isinstance(shape, tuple) else None


def amount(value: Any) -> int | float | None:
    """Return a number as it is and a matrix as its number of rows; None for anything else, which is not counted."""
    if type(value) is int:
        return value
    shape = shape_of(value)
    if shape:
        return int(shape[0]) if len(shape) == _MATRIX else None
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else None


_traits: WeakKeyDictionary[type, tuple[str, bool, str | None]] = WeakKeyDictionary()


def traits(cls: type) -> tuple[str, bool, str | None]:
    """Return a class's name, whether it is a GPU index, and which of its attributes says how far it looks.

    Asked of the class and kept for it: to ask an instance may run a subclass's own ``__getattr__``.
    """
    found = _traits.get(cls)
    if found is None:
        reach = "nprobe" if hasattr(cls, "nprobe") else "hnsw" if hasattr(cls, "hnsw") else None
        found = _traits[cls] = (cls.__name__, hasattr(cls, "getDevice"), reach)
    return found


def index_facts(index: Any) -> Payload:
    """Return what any index says of itself."""
    name, gpu, _ = traits(type(index))
    return {"index_type": name, "d": index.d, "ntotal": index.ntotal, "gpu": gpu}


def search_facts(index: Any, params: Any) -> Payload:
    """Return what an index says of itself and its ``nprobe`` or ``efSearch``: those of ``params`` if given."""
    name, gpu, reach = traits(type(index))
    facts = {"index_type": name, "d": index.d, "ntotal": index.ntotal, "gpu": gpu}
    if params is not None:
        facts |= {key: getattr(params, key) for key in ("nprobe", "efSearch") if hasattr(type(params), key)}
    elif reach == "nprobe":
        facts[reach] = index.nprobe
    elif reach is not None:
        facts["efSearch"] = index.hnsw.efSearch
    return facts


def missing(labels: Any) -> int | None:
    """Return how many of ``labels`` are -1; None for what is not an array in this machine's memory."""
    if not hasattr(labels, "tobytes"):
        if getattr(labels, "is_cuda", True):
            return None  # a tensor on a device: to look would make the application wait for it
        labels = labels.numpy()
    if labels.size <= _CHUNK:
        return _hits(labels)
    rows = max(1, _CHUNK // max(1, labels[0].size))
    return sum(_hits(labels[at : at + rows]) for at in range(0, len(labels), rows))


def _hits(labels: Any) -> int:
    found: bytes = (labels == -1).tobytes()  # one byte for each label
    return found.count(1)


def place_of(target: Any) -> Payload:
    """Return the path of a file, or the type of a reader or writer; a foreign object is never called."""
    if isinstance(target, (str, bytes)):
        return {"path": os.fsdecode(target)}
    return {"stream": type(target).__name__}


# -- before ---------------------------------------------------------------------------------------------------------


def sizes(**places: Place) -> Callable[[Call], Payload]:
    """Return a ``before`` that reads numbers, and numbers of rows, off the arguments at ``places``."""
    rows = tuple((key, *place) for key, place in places.items())

    def before(call: Call) -> Payload:
        found: Payload = {}
        args = call.args
        for key, position, name in rows:
            value = args[position] if position < len(args) else call.kwargs.get(name)
            size = value if type(value) is int else amount(value)
            if size is not None:
                found[key] = size
        return found

    return before


def items(position: int, name: str) -> Callable[[Call], Payload]:
    """Return a ``before`` that counts a list of ids."""

    def before(call: Call) -> Payload:
        shape = shape_of(call.arg(position, name))
        return {"n": int(shape[0])} if shape is not None and len(shape) == 1 else {}

    return before


def path_at(position: int, name: str) -> Callable[[Call], Payload]:
    """Return a ``before`` that says where an index is read from or written to."""

    def before(call: Call) -> Payload:
        return place_of(call.arg(position, name))

    return before


def before_factory(call: Call) -> Payload:
    """Say which index is to be made."""
    d, description = amount(call.arg(0, "d")), call.arg(1, "description")
    found: Payload = {} if d is None else {"d": d}
    return {**found, "factory": description} if isinstance(description, str) else found


def before_merge(call: Call) -> Payload:
    """Say how many vectors are to be moved; the other index is empty afterwards."""
    other = call.arg(0, "otherIndex")
    return {"n": other.ntotal} if hasattr(type(other), "ntotal") else {}


def before_to_gpu(call: Call) -> Payload:
    """Say what is to be moved; the index is the first argument that is one."""
    return {f"source_{key}": value for key, value in _moved(call).items()}


# -- after ----------------------------------------------------------------------------------------------------------


def after_index(call: Call, _result: Any) -> Payload:
    """Describe the index whose method was called."""
    return index_facts(call.instance)


def after_train(call: Call, _result: Any) -> Payload:
    """Describe the index that was trained."""
    return {**index_facts(call.instance), "is_trained": bool(call.instance.is_trained)}


def searched(params_at: int = -1) -> Callable[[Call, Any], Payload]:
    """Return an ``after`` of a search: its index, how far it looked, how many of the ids asked for it did not find.

    ``params_at`` is the position of the search parameters where they may be positional: in the raw C++ methods.
    """

    def after(call: Call, result: Any) -> Payload:
        index, params = call.instance, _params(call, params_at)
        return _found(result, search_facts(index, params))

    return after


def searched_in_range(params_at: int = -1) -> Callable[[Call, Any], Payload]:
    """Return an ``after`` of a range search: its result is limits, distances and labels."""

    def after(call: Call, result: Any) -> Payload:
        index, params = call.instance, _params(call, params_at)
        return _in_range(result, search_facts(index, params))

    return after


def after_assign(call: Call, result: Any) -> Payload:
    """Describe an assignment: its result is the labels alone."""
    return _found((None, result), search_facts(call.instance, None))


def after_search_of(call: Call, result: Any) -> Payload:
    """Describe a search by a function whose first argument is the index; the result may end in statistics."""
    index, params = call.arg(0, "index"), call.arg(3, "params")
    return _found(result, search_facts(index, params))


def after_range_search_of(call: Call, result: Any) -> Payload:
    """Describe a range search by a function whose first argument is the index."""
    index, params = call.arg(0, "index"), call.arg(3, "params")
    return _in_range(result, search_facts(index, params))


def after_knn(_call: Call, result: Any) -> Payload:
    """Describe a search without an index, from its result: the arguments may be lists."""
    if not isinstance(result, tuple):
        return {}
    nq, k = result[1].shape
    return _found(result, {"nq": int(nq), "k": int(k)})


def after_pairwise(_call: Call, result: Any) -> Payload:
    """Describe a matrix of distances."""
    return {"nq": int(result.shape[0]), "n": int(result.shape[1])}


def after_remove(call: Call, result: Any) -> Payload:
    """Describe a removal: FAISS returns how many vectors it removed."""
    return {**index_facts(call.instance), "removed": int(result)}


def after_object(call: Call, _result: Any) -> Payload:
    """Describe a transform, quantizer or clustering whose method was called."""
    return object_facts(call.instance)


def after_kmeans(call: Call, result: Any) -> Payload:
    """Describe a k-means run: its result is the last value of its objective."""
    return {**object_facts(call.instance), "objective": float(result)}


def after_explore(call: Call, result: Any) -> Payload:
    """Describe an exploration of search parameters over an index."""
    found = index_facts(call.arg(0, "index"))
    return {**found, "results": result.all_pts.size()} if hasattr(type(result), "all_pts") else found


def after_made(_call: Call, result: Any) -> Payload:
    """Describe an index, transform or quantizer that a function returned."""
    return index_facts(result) if hasattr(type(result), "ntotal") else object_facts(result)


def after_given(call: Call, _result: Any) -> Payload:
    """Describe the index, transform or quantizer that was a function's first argument."""
    given = call.args[0] if call.args else next(iter(call.kwargs.values()))
    return after_made(call, given)


def after_serialized(call: Call, result: Any) -> Payload:
    """Describe an index that was made into bytes."""
    return {**after_given(call, result), "bytes": int(result.nbytes)}


def after_to_gpu(call: Call, result: Any) -> Payload:
    """Describe what came out of a move to GPUs: without a GPU, FAISS silently returns an empty index."""
    gpus = _gpus(call)
    return after_made(call, result) if gpus is None else {**after_made(call, result), "gpus": gpus}


# -- failed ---------------------------------------------------------------------------------------------------------


def failed_index(call: Call, _exc: BaseException) -> Payload:
    """Describe the index whose method raised, and the shape of what it was given: most failures are about these."""
    index = call.instance
    return {**index_facts(index), "is_trained": bool(index.is_trained), **_shape(call)}


def failed_given(call: Call, _exc: BaseException) -> Payload:
    """Describe the index that was the first argument of a function that raised, if one was."""
    given = call.arg(0, "index")
    return index_facts(given) if hasattr(type(given), "ntotal") else _shape(call)


def failed_to_gpu(call: Call, _exc: BaseException) -> Payload:
    """Say over how many GPUs the index was to be spread."""
    gpus = _gpus(call)
    return {} if gpus is None else {"gpus": gpus}


def failed_object(call: Call, _exc: BaseException) -> Payload:
    """Describe the transform, quantizer or clustering whose method raised."""
    return {**object_facts(call.instance), **_shape(call)}


# -- pieces ---------------------------------------------------------------------------------------------------------


def object_facts(value: Any) -> Payload:
    """Return what a transform, quantizer or clustering says of itself: its type and the sizes that it has."""
    found: Payload = {"type": type(value).__name__}
    for name in ("d", "k", "d_in", "d_out", "code_size"):
        size = getattr(value, name, None)
        if isinstance(size, int):
            found[name] = size
    niter = getattr(getattr(value, "cp", value), "niter", None)
    return found if niter is None else {**found, "niter": niter}


def _found(result: Any, payload: Payload) -> Payload:
    if isinstance(result, tuple):
        count = missing(result[1])
        if count is not None:
            payload["missing"] = count
    return payload


def _in_range(result: Any, payload: Payload) -> Payload:
    if isinstance(result, tuple):
        payload["results"] = len(result[2])
    return payload


def _params(call: Call, position: int) -> Any:
    return call.kwargs.get("params") if position < 0 else call.arg(position, "params")


def _shape(call: Call) -> Payload:
    shapes = (shape_of(value) for value in call.args)
    shape = next((shape for shape in shapes if shape is not None), None)
    return {} if shape is None else {"shape": [int(size) for size in shape]}


def _moved(call: Call) -> Payload:
    given = (*call.args, *call.kwargs.values())
    return next((index_facts(value) for value in given if hasattr(type(value), "ntotal")), {})


def _gpus(call: Call) -> int | None:
    """Return over how many GPUs the index was to be spread; for all of them, how many FAISS sees."""
    if call.name not in {"index_cpu_to_all_gpus", "index_cpu_to_gpus_list"}:
        return None
    last = call.name == "index_cpu_to_gpus_list"
    gpus = call.arg(2, "gpus") if last else None
    if gpus is not None:
        return len(gpus)
    asked = call.arg(3 if last else 2, "ngpu", -1)
    faiss = sys.modules.get("faiss")
    return int(asked) if asked != -1 or faiss is None else int(faiss.get_num_gpus())


def attributes(operation: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Return the semantic-convention attributes of a step: FAISS as a database, by its operation."""
    from codeintel_obs import semconv

    base = {semconv.DB_SYSTEM_NAME: "faiss", semconv.DB_OPERATION_NAME: operation}

    def of(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        size = payload.get("nq", payload.get("n"))
        # the convention: a batch has two operations or more, and its size is never 1
        return {**base, semconv.DB_OPERATION_BATCH_SIZE: size} if type(size) is int and size > 1 else base

    return of
