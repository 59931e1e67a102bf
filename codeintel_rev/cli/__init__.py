"""The command line: `codeintel-rev index` and `codeintel-rev search`."""

from codeintel_rev.cli.program import main

__all__ = ["main"]
