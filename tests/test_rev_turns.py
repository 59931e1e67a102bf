"""Threads that take turns: one at a time, in the order in which they came, and none is lost when one fails."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from codeintel_rev.io.turns import Turns


@pytest.fixture
def turns():
    return Turns()


def waiting(turns, count):
    """Come back when so many threads wait for their turn."""
    while len(turns._waiting) != count:
        threading.Event().wait(0.001)


def test_one_works_at_a_time(turns):
    inside, most = 0, 0

    def work(_):
        nonlocal inside, most
        for _ in range(200):
            with turns.turn():
                inside += 1
                most = max(most, inside)
                threading.Event().wait(0)  # gives the interpreter lock away
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert (most, inside) == (1, 0)


def test_who_has_waited_longest_is_next(turns):
    """Whoever comes again stands behind those that wait."""
    order = []

    def work(name):
        for _ in range(2):
            with turns.turn():
                order.append(name)
                if order == ["a"]:
                    waiting(turns, 3)  # so that `a` comes again behind all of them

    with ThreadPoolExecutor(4) as pool, turns.turn():
        for count, name in enumerate("abcd", start=1):
            pool.submit(work, name)
            waiting(turns, count)
    assert order[:4] == list("abcd")
    assert sorted(order[4:]) == list("abcd")


def test_a_failure_passes_the_turn_on(turns):
    with pytest.raises(ZeroDivisionError), turns.turn():
        raise ZeroDivisionError
    with turns.turn():
        pass
