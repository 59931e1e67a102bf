"""What the command line of `codeintel-obs run` asks the supervisor for."""

from __future__ import annotations


class Options:
    """Plain attributes, as argparse sets them; ``command`` is the command to run."""

    run_id: str | None = None
    config: str | None = None
    plugins: str | None = None
    disable: list[str] | None = None
    data_dir: str | None = None
    exec: bool = False
    quiet: bool = False
    command: list[str]
