"""One fault: the program that has it, how it is started, and what the report has to say, beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Literal

Sort = Literal["fault", "control", "unwatched"]


@dataclass(frozen=True, slots=True)
class Started:
    """What a driver may touch.

    ``launch`` runs the watched program to its end and returns its exit code, ``begin`` only starts it, and ``tell``
    takes what the reports say at that moment into what is compared, ``say`` other lines.
    """

    folder: Path
    launch: Callable[..., int]
    begin: Callable[..., Popen[bytes]]
    tell: Callable[[str], None]
    say: Callable[[str], None]


Driver = Callable[[Started], int]
"""Runs the case and returns the exit code that `codeintel-obs run` ended by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``expect`` is every report that the case leaves, in the lines of `words`; a line not there is a field's rest state.

    ``script`` runs as ``fault.py`` in a folder of its own; ``prepare`` runs there before it, unwatched.
    Where threads work side by side (``parallel``), steps of one parent are told by kind and not by time.
    Where ``torch`` is needed, the environment that has it is made first, which takes minutes, once.
    ``exits`` is the exit code of `codeintel-obs run`. ``cannot`` says why this machine cannot make the fault.
    """

    name: str
    says: str
    script: str
    expect: str
    exits: int = 1
    sort: Sort = "fault"
    options: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Path], None] | None = None
    drive: Driver | None = None
    cannot: Callable[[], str | None] = lambda: None
    parallel: bool = False
    alone: bool = False
    torch: bool = False

    @property
    def family(self) -> str:
        return self.name.partition(".")[0]
