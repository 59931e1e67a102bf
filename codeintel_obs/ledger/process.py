"""What the ledger knows of the process it runs in, and how it lives through a fork."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final


class Process:
    """One process: ``token`` is another object in each forked child, ``writer`` names its files (8 hex)."""

    __slots__ = ("token", "watches", "writer")

    def __init__(self) -> None:
        self.token: object = object()
        self.writer = ""
        self.watches = False


here: Final = Process()

_before: Final[list[Callable[[], None]]] = []
_in_parent: Final[list[Callable[[], None]]] = []
_in_child: Final[list[Callable[[], None]]] = []


def writer_id() -> str:
    """Return the 8 hex that this process's files are named by; a forked child has its own."""
    if not here.writer:
        here.writer = os.urandom(4).hex()
    return here.writer


def at_fork(
    *,
    before: Callable[[], None] | None = None,
    in_parent: Callable[[], None] | None = None,
    in_child: Callable[[], None] | None = None,
) -> None:
    """Call these around each fork from now on; nothing is registered with the interpreter before the first of them."""
    for hooks, hook in ((_before, before), (_in_parent, in_parent), (_in_child, in_child)):
        if hook is not None:
            hooks.append(hook)
    if not here.watches:
        here.watches = True
        os.register_at_fork(before=_run_before, after_in_parent=_run_in_parent, after_in_child=_run_in_child)


def _run_before() -> None:
    for hook in _before:
        hook()


def _run_in_parent() -> None:
    for hook in _in_parent:
        hook()


def _run_in_child() -> None:
    here.token = object()
    here.writer = ""
    for hook in _in_child:
        hook()
