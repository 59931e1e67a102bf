"""Whose row count a connection keeps: threads that share a connection would read each other's."""

from __future__ import annotations

from typing import Any

from codeintel_obs.beside import Beside


class Turn:
    """One call that leaves a row count on its connection. ``alone`` until another is under way at the same time."""

    __slots__ = ("alone",)

    def __init__(self) -> None:
        self.alone = True


_under_way: Beside[set[Turn]] = Beside()


def begin(connection: Any) -> Turn:
    """Return a turn on ``connection``. No lock: a set changes in one step, and who comes second sees the first."""
    turns = _under_way.get(connection)
    if turns is None:
        turns = set()
        _under_way.put(connection, turns)
    turn = Turn()
    turns.add(turn)
    if len(turns) > 1:
        for each in tuple(turns):
            each.alone = False
    return turn


def read(turn: Turn, connection: Any) -> int | None:
    """Return the rows that the call of ``turn`` affected; None where none were counted, or by another call as well.

    A connection that is at work in another thread refuses to be read, so it is not asked then.
    """
    count: int = connection.rowcount if turn.alone else -1
    return count if count >= 0 and turn.alone else None


def end(turn: Turn, connection: Any) -> None:
    """End ``turn``: what begins on ``connection`` from now on is not under way with it."""
    turns = _under_way.get(connection)
    if turns is not None:
        turns.discard(turn)
