"""`codeintel-rev init`: look at a repository, write down what may be chosen, and say what to do next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from codeintel_rev.cli.arguments import Subparsers
    from codeintel_rev.config.settings import Settings

INIT_SCHEMA = "codeintel_rev.init/1"


def add(subparsers: Subparsers) -> None:
    command = subparsers.add_parser("init", help="look at a repository and write its settings file", allow_abbrev=False)
    command.description = (
        "Writes codeintel_rev.toml with every setting commented out, unless it is there, and says what will be used."
    )
    command.add_argument("repo", nargs="?", type=Path, default=Path(), metavar="REPO", help="default: here")
    command.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(arguments: argparse.Namespace) -> int:
    # Imported here: a question for help need not wait for git.
    from codeintel_rev.cli.render import clean, to_json
    from codeintel_rev.config.settings import Settings
    from codeintel_rev.config.sources import FILE
    from codeintel_rev.config.template import settings_template
    from codeintel_rev.io.git_client import GitClient

    with GitClient.open(arguments.repo) as client:
        head, root = client.head(), client.root
        files = len(client.entries(head.commit))
    path = root / FILE
    written = _write(path, settings_template())
    model, mend = _model(Settings.load(root))
    told = {"schema": INIT_SCHEMA, "root": str(root), "commit": head.commit, "files": files, "settings": str(path)}
    if arguments.json:
        sys.stdout.write(to_json(told | {"written": written, "model": model, "mend": mend}))
        return 0
    lines = [
        f"{root}: {files} files at commit {head.commit[:12]} ({head.branch or 'detached'})",
        f"  settings {path}: {'written, all of it commented out' if written else 'there already, left as it is'}",
        f"  model    {model}",
        *([f"           {mend}"] if mend else []),
        f"  next     codeintel-rev index {arguments.repo}",
    ]
    sys.stdout.write(clean("\n".join(lines) + "\n"))
    return 0


def _write(path: Path, text: str) -> bool:
    """Whether it was written; what is there, or a link to it, is never touched."""
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        return False
    return True


def _model(settings: Settings) -> tuple[str, str]:
    """What will make the vectors; or why nothing will, and the mend. A remote one is not asked."""
    from codeintel_rev.errors import ModelUnavailableError
    from codeintel_rev.io.embedders import open_embedder

    chosen = settings.embedding
    try:
        open_embedder(settings).close()
    except ModelUnavailableError as error:
        return f"none, answers will be lexical only: {error.what}", error.mend
    return " ".join(filter(None, (chosen.kind, chosen.model, chosen.url))), ""
