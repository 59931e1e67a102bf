"""Facts beside foreign objects: by identity, weakly, and nothing left behind."""

from __future__ import annotations

import gc
import threading

from codeintel_obs.beside import Beside


class Thing:
    """Equal to every other of its kind, and unhashable: only its identity tells it apart."""

    __hash__ = None

    def __eq__(self, other):
        return True


def test_a_fact_belongs_to_the_very_object():
    """Equality and hashes of the application's objects are not asked."""
    beside, first, second = Beside(), Thing(), Thing()
    beside.put(first, "one")
    assert (beside.get(first), beside.get(second)) == ("one", None)
    beside.put(first, "two")
    assert (beside.get(first), len(beside)) == ("two", 1)


def test_an_object_dies_and_takes_its_fact_along():
    """Nothing is kept alive, and an address that is used again starts with nothing."""
    beside = Beside()
    for number in range(100):
        thing = Thing()
        assert beside.get(thing) is None
        beside.put(thing, number)
    del thing
    gc.collect()
    assert len(beside) == 0


def test_what_takes_no_weak_reference_is_not_remembered():
    """An integer, None or a slotted object: no fact, and no error."""
    beside = Beside()
    for thing in (1, None, "text", object()):
        beside.put(thing, "fact")
        assert beside.get(thing) is None
    beside.forget(None)


def test_forgetting_is_for_one_object():
    """The other keeps its fact."""
    beside, first, second = Beside(), Thing(), Thing()
    beside.put(first, 1)
    beside.put(second, 2)
    beside.forget(first)
    assert (beside.get(first), beside.get(second)) == (None, 2)


def test_threads_do_not_mix_their_objects():
    """Many threads that put, get and drop at once each find their own."""
    beside, wrong = Beside(), []

    def work(name):
        for number in range(2_000):
            thing = Thing()
            beside.put(thing, (name, number))
            if beside.get(thing) != (name, number):
                wrong.append((name, number))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert (wrong, len(beside)) == ([], 0)
