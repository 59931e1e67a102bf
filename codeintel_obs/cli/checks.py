"""What `doctor` looks at: one small function per silent failure, each gives findings or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from codeintel_obs.settings import Settings

LEVELS: Final = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is, or may be, wrong: ``evidence`` is what was seen, ``mend`` is what to do."""

    id: str
    level: str
    what: str
    evidence: str
    mend: str

    def as_dict(self) -> dict[str, str]:
        """Return the fields as plain types."""
        return asdict(self)

    def text(self) -> str:
        """Return the finding for a person."""
        return f"{self.level.upper()}  {self.id}: {self.what}\n  seen: {self.evidence}\n  mend: {self.mend}\n"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is examined: the environment, the settings made of it, and the command that is to be run, if named."""

    environ: Mapping[str, str]
    settings: Settings
    command: Sequence[str] = ()


Check = Callable[[Surroundings], Iterator[Finding]]


def examine(around: Surroundings) -> list[Finding]:
    """Return all findings, errors first."""
    from codeintel_obs.cli import checks_interpreter, checks_launch, checks_local, checks_seams

    modules = (checks_local, checks_launch, checks_interpreter, checks_seams)
    found = [finding for module in modules for check in module.CHECKS for finding in check(around)]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))
