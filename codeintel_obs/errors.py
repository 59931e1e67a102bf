"""Errors that our own user may see: each says what is wrong, where, and how to mend it."""

from __future__ import annotations


class CodeIntelObsError(Exception):
    """Base class. ``exit_code`` is what a command returns when it ends on this error."""

    exit_code = 2


class SettingsError(CodeIntelObsError):
    """A setting is unknown or has a value that it cannot have."""

    def __init__(self, where: str, key: str, problem: str, mend: str) -> None:
        super().__init__(f"{where}: {key}: {problem}; {mend}")
        self.where, self.key, self.problem, self.mend = where, key, problem, mend


class PluginError(CodeIntelObsError):
    """A plugin's table or sink breaks the contract of `codeintel_obs.steps.Point` or `codeintel_obs.hookspecs`."""


class RunNotFoundError(CodeIntelObsError):
    """No ledger of the data directories holds such a run."""

    exit_code = 3


class CompactedError(CodeIntelObsError):
    """A run lies in a Parquet file, and this process cannot, or is not to, read one."""

    exit_code = 3

    def __init__(self, file: str, parquet: str) -> None:
        mend = "`codeintel-obs` reads it where its extra is installed: pip install 'codeintel-obs[cli]'"
        super().__init__(f"{file} was compacted into {parquet}; {mend}")


class DamagedLedgerError(CodeIntelObsError):
    """A ledger holds less, or other, than what its writer wrote."""

    exit_code = 4
